"""Makers of executor Launches for tests: literal commands and lightweight components as KFP's SDK writes them."""

from __future__ import annotations

import asyncio
import json
import textwrap
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.compiler.bootstrap import Settings
from headrace.compiler.bootstrap import lightweight as bootstrap_of
from headrace.compiler.module_texts import module_source
from headrace_companion.folder_store import FolderStore
from headrace_protos.v1 import attempts_pb2, events_pb2, plan_pb2
from headrace_scheduler.executors import port

EXECUTOR_INPUT = {"p": "$"}
PROGRAM = (
    'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         --component_module_path"
    '                         "$program_path/ephemeral_component.py"                         "$@"\n'
)
HEADER = "import kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"
KFP = ("kfp==2.13.0", "--no-deps", 'typing-extensions>=3.7.4,<5; python_version<"3.9"')


def bootstrap(*installs: Sequence[str]) -> str:
    """The shell text that installs packages before the component runs."""
    commands = [
        "python3 -m pip install --quiet --no-warn-script-location " + " ".join(repr(word) for word in words)
        for words in installs
    ]
    return (
        '\nif ! [ -x "$(command -v pip)" ]; then\n    python3 -m ensurepip || python3 -m ensurepip --user || '
        "apt-get install python3-pip\nfi\n\nPIP_DISABLE_PIP_VERSION_CHECK=1 "
        + "  &&  ".join(commands)
        + ' && "$0" "$@"\n'
    )


def lightweight(source: str, function: str, *installs: Sequence[str]) -> list[str]:
    """The argv of a lightweight component with the placeholder for its input still in it."""
    return [
        *("sh", "-c", bootstrap(*(installs or (KFP,)))),
        *("sh", "-ec", PROGRAM, HEADER + textwrap.dedent(source)),
        *("--executor_input", "{{$}}", "--function_to_execute", function),
    ]


def ours(source: str, function: str, settings: Settings | None = None) -> list[str]:
    """The same as our own compiler writes it."""
    used = settings or Settings()
    command, args = bootstrap_of(function, module_source(textwrap.dedent(source), as_kfp=used.as_kfp), used)
    return [*command, *args]


def launch(
    store: FolderStore,
    *argv: str,
    run_id: str = "",
    path: str = "task",
    number: int = 1,
    parameters: Mapping[str, Any] | None = None,
    outputs: Mapping[str, str] | None = None,
    artifacts: Sequence[port.OutputArtifact] = (),
    env: Mapping[str, str] | None = None,
    **more: Any,
) -> port.Launch:
    """A Launch of a command; `{{$}}` and `{{$.…}}` become references."""
    run_id = run_id or str(uuid.uuid4())
    return port.Launch(
        attempt=port.AttemptId(run_id, path, number),
        namespace="default",
        pipeline_name="pipeline",
        run_name="run",
        task_key=path,
        image=more.pop("image", "python:3.11"),
        command=[[template(word)] for word in argv],
        args=[],
        env={name: [value] for name, value in (env or {}).items()},
        parameters={name: json.dumps(value) for name, value in (parameters or {}).items()},
        inputs=more.pop("inputs", {}),
        output_parameters={name: plan_pb2.ParameterType.Value(kind) for name, kind in (outputs or {}).items()},
        output_artifacts=artifacts,
        optional_outputs=frozenset(),
        task_root=f"{store.root}/pipeline/{run_id}/{path}/{number}",
        **more,
    )


def template(word: str) -> Any:
    if word == "{{$}}":
        return EXECUTOR_INPUT
    if word.startswith("{{$.") and word.endswith("}}"):
        return {"p": word[4:-2]}
    return word


def python(store: FolderStore, source: str, function: str, **more: Any) -> port.Launch:
    """A Launch of a lightweight component."""
    installs = more.pop("installs", ())
    return launch(store, *lightweight(source, function, *installs), **more)


@dataclass
class Watched:
    """An executor with its facts collected, so that a test can wait for one."""

    executor: port.Executor
    facts: list[port.ExecutorFact] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def read(self) -> None:
        async for batch in self.executor.facts():
            async with self._changed:
                self.facts.extend(batch)
                self._changed.notify_all()

    async def first(self, wanted: Callable[[port.ExecutorFact], bool]) -> port.ExecutorFact:
        async with self._changed:
            await self._changed.wait_for(lambda: any(map(wanted, self.facts)))
            return next(fact for fact in self.facts if wanted(fact))

    async def launched(self, attempt: port.AttemptId) -> port.Launched:
        found = await self.first(lambda fact: isinstance(fact, port.Launched) and fact.attempt == attempt)
        assert isinstance(found, port.Launched)
        return found

    async def finished(self, attempt: port.AttemptId) -> attempts_pb2.AttemptResult:
        found = await self.first(lambda fact: isinstance(fact, port.Finished) and fact.attempt == attempt)
        assert isinstance(found, port.Finished)
        return found.result

    async def run(self, wanted: port.Launch) -> attempts_pb2.AttemptResult:
        await self.executor.launch(wanted)
        return await self.finished(wanted.attempt)


@asynccontextmanager
async def watching(executor: port.Executor, known: Sequence[tuple[port.AttemptId, str]] = ()) -> AsyncIterator[Watched]:
    """The executor, started, with a reader of its facts; closed at the end."""
    watched = Watched(executor)
    await executor.start(known)
    reader = asyncio.create_task(watched.read())
    try:
        yield watched
    finally:
        reader.cancel()
        await executor.close()


def succeeded(result: attempts_pb2.AttemptResult) -> bool:
    assert result.state == events_pb2.ATTEMPT_SUCCEEDED, f"{result.error}"
    return True


def log_of(store: FolderStore, result: attempts_pb2.AttemptResult) -> bytes:
    key = store.key(result.log_uri)
    assert key is not None
    return store.read(key)


def store_in(folder: Path) -> FolderStore:
    return FolderStore(folder / "artifacts")
