"""What a component brings to its container: its own text, what its annotations need, helpers, files; and that it runs there.

Each is executed by the runtime in a process of its own, from nothing but the component's command.
"""

# ruff: noqa: UP006, UP035, UP045

import importlib
import json
import linecache
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, List, Literal, NamedTuple, Optional

import pydantic
import pydantic as pyd
import pytest

import headrace.dsl as hdsl
from headrace import dsl, kfp_alias
from headrace.compiler import bootstrap
from headrace.dsl import Dataset, Input
from headrace.dsl import Output as Out
from headrace.dsl.components import ContainerImplementation

RATE = 0.25


class Inner(pyd.BaseModel):
    names: List[str] = pyd.Field(default_factory=list)


class Settings(pydantic.BaseModel):
    rate: float = RATE
    inner: Inner = Inner()


class Outputs(NamedTuple):
    count: int
    data: Dataset


class Table(dsl.Dataset):
    schema_title = "system.Table"

    @property
    def rows(self) -> int:
        return 3


def decorated(function: Any) -> Any:
    return function


def source(component: Any) -> str:
    """The module that the component's command carries."""
    implementation = component.implementation
    assert isinstance(implementation, ContainerImplementation)
    read = bootstrap.read(implementation.container["command"])
    assert read is not None
    return read.source


def run(component: Any, folder: Path, inputs: dict[str, Any]) -> Any:
    """The parameters that COMPONENT puts out, run from its source alone."""
    module = folder / "component.py"
    module.write_text(source(component))
    outputs: dict[str, Any] = {"outputFile": str(folder / "outputs.json")}
    for name, each in component.interface.outputs.items():
        if hasattr(each, "is_list"):
            artifact = {
                "name": name,
                "uri": str(folder / name),
                "type": {"schemaTitle": each.type.schema_title},
                "metadata": {},
            }
            outputs.setdefault("artifacts", {})[name] = {"artifacts": [artifact]}
        else:
            outputs.setdefault("parameters", {})[name] = {"outputFile": str(folder / "parameters" / name)}
    done = subprocess.run(
        [
            sys.executable, "-m", "headrace.runtime", "--component_module_path", str(module),
            "--executor_input", json.dumps({"inputs": {"parameterValues": inputs}, "outputs": outputs}),
            "--function_to_execute", component.python_func.__name__,
        ],
        capture_output=True, text=True, cwd=folder, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "outputs.json").read_text())


def test_decorators_and_indentation_are_left_out() -> None:
    @decorated
    @dsl.component(
        base_image="python:3.12",  # def train(
        packages_to_install=[],
    )
    @decorated
    def train(x: int, y: str = "def y") -> str:
        text = """
  as it is
"""
        return text + y * x

    assert source(train).rpartition("\n\n")[2] == (
        'def train(x: int, y: str = "def y") -> str:\n    text = """\n  as it is\n"""\n    return text + y * x\n'
    )


def test_texts_over_lines_keep_what_is_in_them(tmp_path: Path) -> None:
    @dsl.component
    def show(name: str) -> str:
        return (
            f"""a
            {name}
        b"""
            + """
    c"""
        )

    assert run(show, tmp_path, {"name": "n"})["parameterValues"] == {"Output": "a\n            n\n        b\n    c"}


def test_annotations_bring_what_they_need(tmp_path: Path) -> None:
    @dsl.component
    def train(
        settings: Settings, kind: Literal["a", "b"] = "b", rate: float = RATE, names: Optional[List[str]] = None
    ) -> Outputs:
        assert settings.inner.names == ["x"]
        return Outputs(count=len(kind) + int(rate * 4), data=Dataset(uri="/tmp/x"))

    text = source(train)
    classes = ("class Inner(", "class Settings(", "class Outputs(")
    for needed in ("import pydantic\n", "import pydantic as pyd\n", "RATE = 0.25\n", *classes):
        assert text.count(needed) == 1, needed
    assert text.index("class Inner(") < text.index("class Settings(") < text.index("def train(")
    written = run(train, tmp_path, {"settings": {"rate": 1, "inner": {"names": ["x"]}}, "kind": "b"})
    assert written["parameterValues"] == {"count": 2}


def test_names_that_the_dsl_goes_by_in_the_file(tmp_path: Path) -> None:
    @dsl.component
    def make(data: Out[Dataset], other: hdsl.OutputPath(str)) -> str:
        import pathlib

        pathlib.Path(data.path).write_text("data")
        pathlib.Path(other).write_text("other")
        return data.name

    assert "from headrace.dsl import Output as Out\n" in source(make)
    assert "import headrace.dsl as hdsl\n" in source(make)
    assert run(make, tmp_path, {})["parameterValues"]["Output"] == "data"


def test_an_artifact_class_of_the_file(tmp_path: Path) -> None:
    @dsl.component
    def count(table: Out[Table]) -> int:
        return table.rows

    assert "class Table(dsl.Dataset):" in source(count)
    assert run(count, tmp_path, {})["parameterValues"] == {"Output": 3}


def fallback() -> int:
    return int(RATE * 8)


def another() -> int:
    RATE = 99  # noqa: N806, F841  # what other functions call theirs is nothing to a component
    return 0


def test_a_default_brings_what_makes_it(tmp_path: Path) -> None:
    if RATE:
        step = 3

    @dsl.component
    def train(a: int = fallback(), b: float = RATE, c: int = step) -> float:
        return a + b + c

    assert run(train, tmp_path, {})["parameterValues"] == {"Output": 5.25}


def test_helpers_come_along(tmp_path: Path) -> None:
    def base(x: int) -> int:
        return x + 1

    def twice(x: int, settings: Optional[Settings] = None) -> int:
        return base(x) * 2

    @dsl.component(additional_funcs=[base, twice])
    def train(x: int) -> int:
        return twice(x)

    assert run(train, tmp_path, {"x": 3})["parameterValues"] == {"Output": 8}


def test_embedded_files_come_along(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "words.txt").write_text("hello")

    @dsl.component(embedded_artifact_path=str(tmp_path / "files"))
    def read(files: dsl.EmbeddedInput[dsl.Dataset]) -> str:
        import os

        with open(os.path.join(files.path, "words.txt")) as file:
            return file.read()

    assert run(read, tmp_path, {})["parameterValues"] == {"Output": "hello"}


def test_annotations_that_are_text_come_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "later.py").write_text(
        textwrap.dedent("""
            from __future__ import annotations

            from dataclasses import dataclass
            from typing import NamedTuple

            from headrace import dsl


            class Both(NamedTuple):
                words: list[str]
                size: int


            @dsl.component
            def count(words: list[str], model: dsl.Output[dsl.Model], limit: int | None = None) -> Both:
                open(model.path, "w").write("m")
                return Both(words, len(words))
        """)
    )
    sys.path.insert(0, str(tmp_path))
    try:
        import later  # type: ignore[import-not-found]

        assert run(later.count, tmp_path, {"words": ["a", "b"]})["parameterValues"] == {"words": ["a", "b"], "size": 2}
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("later", None)


def test_what_is_brought_is_that_of_the_file_as_it_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "edited.py"
    text = "from headrace import dsl\n\nRATE = {}\n\n\n@dsl.component\ndef train(rate: int = RATE) -> int:\n    return rate\n"
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    brought = []
    for rate in (5, 1000):
        file.write_text(text.format(rate))
        edited = importlib.reload(sys.modules["edited"]) if brought else importlib.import_module("edited")
        brought.append(edited.train.implementation.container["command"][3])
    del sys.modules["edited"]
    assert ["RATE = 5\n" in brought[0], "RATE = 1000\n" in brought[1]] == [True, True]


def test_the_image_and_packages_are_what_the_decorator_says() -> None:
    @dsl.component(base_image="img", packages_to_install=["numpy==2"], pip_index_urls=["https://i"], use_venv=True)
    def train(x: int): ...

    assert isinstance(train.implementation, ContainerImplementation)
    container = train.implementation.container
    assert container["image"] == "img"
    read = bootstrap.read(container["command"])
    assert read is not None
    assert (read.packages, read.use_venv) == (("numpy==2",), True)
    assert container["args"] == ["--executor_input", "{{$}}", "--function_to_execute", "train"]


def test_without_an_image_it_is_kfps() -> None:
    @dsl.component
    def train(x: int): ...

    assert isinstance(train.implementation, ContainerImplementation)
    assert train.implementation.container["image"] == "python:3.11"


def test_in_a_target_image_the_function_lies_already() -> None:
    @dsl.component(base_image="img", target_image="mine", packages_to_install=[])
    def train(x: int) -> float:
        return RATE * x

    assert isinstance(train.implementation, ContainerImplementation)
    assert train.implementation.container == {
        "image": "mine",
        "command": ["python3", "-m", "headrace.runtime"],
        "args": ["--executor_input", "{{$}}", "--function_to_execute", "train"],
    }


def test_passthroughs_are_written_as_the_ir_names_them() -> None:
    @dsl.component(
        task_config_passthroughs=[
            dsl.TaskConfigField.ENV,
            dsl.TaskConfigPassthrough(dsl.TaskConfigField.KUBERNETES_VOLUMES, apply_to_task=True),
        ]
    )
    def train(x: int): ...

    assert isinstance(train.implementation, ContainerImplementation)
    assert train.implementation.task_config_passthroughs == (
        {"field": "ENV"},
        {"field": "KUBERNETES_VOLUMES", "applyToTask": True},
    )


def test_a_notebook_brings_packages_and_itself(tmp_path: Path) -> None:
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "book.ipynb").write_text(json.dumps(notebook))

    @dsl.notebook_component(notebook_path=str(tmp_path / "book.ipynb"))
    def train(x: int):
        dsl.run_notebook(x=x)

    assert isinstance(train.implementation, ContainerImplementation)
    read = bootstrap.read(train.implementation.container["command"])
    assert read is not None
    assert read.packages == ("nbclient>=0.10,<1", "ipykernel>=6,<7", "jupyter_client>=7,<9")
    assert "book.ipynb" in read.source


def test_a_component_of_a_kfp_file_says_so() -> None:
    with kfp_alias.installed():

        @dsl.component
        def train(x: int) -> int:
            return kfp.__version__ and x  # noqa: F821

    assert source(train).startswith("import kfp\n")


def test_a_component_is_still_a_function() -> None:
    @dsl.component
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    assert add.python_func(1, 2) == 3
    assert add.execute(a=1, b=2) == 3
    assert (add.__doc__, add.__name__, add.required_inputs) == ("Adds.", "add", ["a", "b"])
    assert repr(add) == "<PythonComponent add>"


def test_a_component_can_be_written_by_itself(tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match="output_component_file is deprecated"):

        @dsl.component(output_component_file=str(tmp_path / "add.yaml"))
        def add(a: int) -> int:
            return a

    assert add.pipeline_spec["pipelineInfo"] == {"name": "add"}
    assert (tmp_path / "add.yaml").read_text().startswith("# PIPELINE DEFINITION")


def test_a_method_without_a_container_says_what_to_do() -> None:
    @dsl.container_component
    def show(x: str):
        return dsl.ContainerSpec(image="busybox", command=["echo", x])

    with pytest.raises(
        NotImplementedError, match=r"^show runs in a container; call it, with headrace\.local, to run it\.$"
    ):
        show.execute(x="a")


def test_an_input_list(tmp_path: Path) -> None:
    @dsl.component
    def count(data: Input[List[Dataset]], names: List[str]) -> int:
        return len(data or []) + len(names)

    assert run(count, tmp_path, {"names": ["a"]})["parameterValues"] == {"Output": 1}


def test_a_component_of_a_notebook(tmp_path: Path) -> None:
    """A notebook's cell is no file: its text is where Python keeps it for tracebacks, and other cells are not in it."""
    cell = (
        "@dsl.component\n"
        "def train(x: int, settings: pyd.BaseModel | None = None, rows: Out[Dataset] = dsl.OUTPUT) -> str:\n"
        "    return 'a' * x\n"
    )
    name = "<cell-3>"
    linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
    names: dict[str, Any] = {"dsl": dsl, "pyd": pyd, "Out": Out, "Dataset": Dataset}
    try:
        exec(compile(cell, name, "exec"), names)
        assert run(names["train"], tmp_path, {"x": 3})["parameterValues"] == {"Output": "aaa"}
        for needed in ("import pydantic as pyd\n", "from headrace.dsl import Output as Out\n"):
            assert needed in source(names["train"])
    finally:
        del linecache.cache[name]
