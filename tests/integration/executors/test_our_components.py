"""Components that our compiler wrote, on the process executor: our runtime, which nothing installs."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from builders.launches import Watched, launch, log_of, ours, store_in, succeeded, watching
from headrace.compiler.bootstrap import Settings, containerized
from headrace.compiler.bootstrap import lightweight as bootstrap
from headrace.compiler.module_texts import embed_notebook, module_source
from headrace_companion.folder_store import FolderStore
from headrace_protos.v1 import events_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.process.executor import ProcessExecutor
from headrace_scheduler.executors.process.shedding import Keep, keys


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def store(tmp_path: Path, environments: Path) -> FolderStore:
    (tmp_path / "environments").symlink_to(environments)
    return store_in(tmp_path)


@pytest.fixture
async def watched(tmp_path: Path, store: FolderStore) -> AsyncIterator[Watched]:
    async with watching(ProcessExecutor(tmp_path, store, os.environ, grace_s=0.5)) as one:
        yield one


async def test_a_component_is_forked_with_the_platforms_own_runtime(watched: Watched, store: FolderStore) -> None:
    source = """
    def train(rows: int, model: Output[Model], log: OutputPath(str)) -> NamedTuple("Made", [("loss", float), ("seen", list)]):
        import sys, os, headrace, headrace.runtime
        model.metadata["rows"] = rows
        with open(model.path, "w") as file:
            file.write("weights")
        with open(log, "w") as file:
            file.write("done")
        outside = [name for name in ("grpc", "google", "yaml", "headrace.compiler", "kfp") if name in sys.modules]
        print(headrace.__file__, "forked" if os.getpid() == os.getsid(0) else "fresh", outside)
        return 0.5, [1, {"a": None}]
    """
    made = launch(
        store,
        *ours(source, "train"),
        parameters={"rows": 3},
        outputs={"loss": "NUMBER_DOUBLE", "seen": "LIST", "log": "STRING"},
        artifacts=[port.OutputArtifact("model", "system.Model", "0.0.1")],
    )
    result = await watched.run(made)
    assert succeeded(result)
    assert {name: json.loads(held.json) for name, held in result.outputs.parameters.items()} == {
        "loss": 0.5, "seen": [1, {"a": None}], "log": "done",
    }  # fmt: skip
    assert b"/runtime/headrace/__init__.py forked []" in log_of(store, result)
    assert not result.warnings


async def test_an_exception_shows_the_users_line_first(watched: Watched, store: FolderStore) -> None:
    source = """
    def fail(x: int):
        raise ValueError("no luck")
    """
    result = await watched.run(launch(store, *ours(source, "fail"), parameters={"x": 1}))
    assert result.state == events_pb2.ATTEMPT_FAILED
    assert "ValueError: no luck" in result.error.message
    lines = result.error.log_tail.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith('ephemeral_component.py", line 7, in fail')
    assert lines[2:] == ['    raise ValueError("no luck")', "ValueError: no luck"]


async def test_ten_megabytes_go_in(watched: Watched, store: FolderStore) -> None:
    source = """
    def count(items: list) -> int:
        import sys
        print(sys.argv)
        return len(items)
    """
    items = ["x" * 1000] * 10_000
    result = await watched.run(
        launch(store, *ours(source, "count"), parameters={"items": items}, outputs={"Output": "NUMBER_INTEGER"})
    )
    assert succeeded(result)
    assert result.outputs.parameters["Output"].json == "10000"
    assert len(log_of(store, result)) < 2000


async def test_ten_megabytes_go_into_a_fresh_interpreter_and_a_literal_command(
    watched: Watched, store: FolderStore, tmp_path: Path
) -> None:
    source = "def count(items: list) -> int:\n    return len(items)\n"
    items = ["x" * 1000] * 10_000
    fresh = launch(
        store, *ours(source, "count"), parameters={"items": items}, outputs={"Output": "NUMBER_INTEGER"},
        env={"PYTHONHASHSEED": "1"},
    )  # fmt: skip
    assert succeeded(await watched.run(fresh))
    module = tmp_path / "made.py"
    module.write_text("from headrace import dsl\nfrom typing import List\n\n\n" + source)
    command, args = containerized("count", Settings())
    words = [*command, "--component_module_path", str(module), *args]
    literal = launch(store, *words, parameters={"items": items}, outputs={"Output": "NUMBER_INTEGER"})
    assert succeeded(await watched.run(literal))


async def test_import_kfp_is_answered_by_the_alias(watched: Watched, store: FolderStore) -> None:
    source = """
    def use(data: dsl.Output[dsl.Dataset]) -> str:
        import kfp
        with open(data.path, "w") as file:
            file.write("x")
        return type(kfp).__name__ + " " + type(data).__module__
    """
    made = launch(
        store, *ours(source, "use", Settings(as_kfp=True)), outputs={"Output": "STRING"},
        artifacts=[port.OutputArtifact("data", "system.Dataset", "0.0.1")],
    )  # fmt: skip
    result = await watched.run(made)
    assert succeeded(result)
    assert json.loads(result.outputs.parameters["Output"].json) == "AliasModule headrace.dsl.artifacts"


async def test_a_notebook_runs_with_its_parameters(watched: Watched, store: FolderStore, tmp_path: Path) -> None:
    cells = [
        {"cell_type": "code", "source": "rows = 1", "metadata": {"tags": ["parameters"]}},
        {"cell_type": "code", "source": "import json, pathlib\nprint('rows are', rows, names)", "metadata": {}},
        {"cell_type": "code", "source": "pathlib.Path(where).write_text(json.dumps([rows, names]))", "metadata": {}},
    ]
    made = [{**cell, "outputs": [], "execution_count": None} for cell in cells]
    notebook = tmp_path / "look.ipynb"
    notebook.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    source = (
        "def look(rows: int, out: OutputPath(list)):\n    dsl.run_notebook(rows=rows, names={'a': None}, where=out)\n"
    )
    settings = Settings(["nbclient==0.10.2", "ipykernel==6.30.1", "jupyter_client==8.6.3"])
    command, args = bootstrap("look", module_source(source, embedded=embed_notebook(str(notebook))), settings)
    result = await watched.run(launch(store, *command, *args, parameters={"rows": 3}, outputs={"out": "LIST"}))
    assert succeeded(result)
    assert json.loads(result.outputs.parameters["out"].json) == [3, {"a": None}]
    assert b"rows are 3 {'a': None}" in log_of(store, result)


async def test_a_notebook_that_fails_says_why(watched: Watched, store: FolderStore, tmp_path: Path) -> None:
    cell = {"cell_type": "code", "source": "1 / 0", "metadata": {}, "outputs": [], "execution_count": None}
    notebook = tmp_path / "fail.ipynb"
    notebook.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    source = "def look():\n    dsl.run_notebook()\n"
    settings = Settings(["nbclient==0.10.2", "ipykernel==6.30.1", "jupyter_client==8.6.3"])
    command, args = bootstrap("look", module_source(source, embedded=embed_notebook(str(notebook))), settings)
    result = await watched.run(launch(store, *command, *args))
    assert result.state == events_pb2.ATTEMPT_FAILED
    assert "headrace: the notebook failed: ZeroDivisionError: division by zero" in result.error.message


async def test_an_image_with_an_old_python_is_one_sentence(
    store: FolderStore, tmp_path: Path, old_python: Path
) -> None:
    environ = {**os.environ, "PATH": f"{old_python}:{os.environ['PATH']}"}
    async with watching(ProcessExecutor(tmp_path, store, environ, grace_s=0.5)) as watched:
        result = await watched.run(launch(store, *ours("def f(): ...\n", "f"), image="python:3.8"))
    assert result.state == events_pb2.ATTEMPT_FAILED
    assert result.error.message == (
        "Python 3.8 is too old: components need Python 3.9 or newer, choose another base_image"
    )


@pytest.fixture
def old_python(tmp_path: Path) -> Path:
    """An interpreter that says it is 3.8: what it would run is never reached."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "python3.8"
    program.write_text('#!/bin/sh\ncase "$2" in *executable*) echo "$0" ;; *) echo 3.8 ;; esac\n')
    program.chmod(0o755)
    return folder


async def test_without_packages_no_index_is_needed(tmp_path: Path) -> None:
    """The first run on a laptop without network: nothing cached, nothing to be had."""
    store = store_in(tmp_path)
    environ = {**os.environ, "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "cache"), "PIP_CONFIG_FILE": os.devnull}
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        environ.pop(name, None)
    async with watching(ProcessExecutor(tmp_path, store, environ, grace_s=0.5)) as watched:
        source = "def f() -> bool:\n    import importlib.util\n    return importlib.util.find_spec('pip') is not None\n"
        result = await watched.run(launch(store, *ours(source, "f"), outputs={"Output": "BOOLEAN"}))
    assert succeeded(result)
    assert result.outputs.parameters["Output"].json == "true"


async def test_a_source_of_any_length_starts(watched: Watched, store: FolderStore) -> None:
    source = f'TEXT = "{"x" * 300_000}"\n\n\ndef f() -> int:\n    return len(TEXT)\n'
    made = launch(store, *ours(source, "f"), outputs={"Output": "NUMBER_INTEGER"})
    result = await watched.run(made)
    assert succeeded(result)
    assert result.outputs.parameters["Output"].json == "300000"


async def test_an_environment_goes_when_no_attempt_uses_it_and_is_made_again(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    folder = tmp_path / "environments"
    source = """
    def wait(file: str) -> int:
        import json, os, sys, time
        while not os.path.exists(file):
            time.sleep(0.02)
        import wave
        return os.path.exists(sys.prefix) and 1
    """
    executor = ProcessExecutor(tmp_path, store, os.environ, grace_s=0.5, keep=Keep(most_bytes=0))
    asked = {"parameters": {"file": str(tmp_path / "go")}, "outputs": {"Output": "NUMBER_INTEGER"}}
    async with watching(executor) as watched:
        first = launch(store, *ours(source, "wait"), path="first", **asked)
        await executor.launch(first)
        await watched.launched(first.attempt)
        await executor.shed()
        assert len(keys(folder)) == 1, "it is in use"
        (tmp_path / "go").touch()
        assert succeeded(await watched.finished(first.attempt))
        await executor.shed()
        assert [one.name for one in folder.iterdir()] == []
        again = await watched.run(launch(store, *ours(source, "wait"), path="again", **asked))
        assert again.outputs.parameters["Output"].json == "1"
