"""`local.init(inline=True)`: the platform drives the run, and each attempt of a Python component is called in this process, on
the caller's thread, so that a debugger stops in it.

An attempt's own process hands it over through a socket (`bridge`) and waits; so everything else, staging, publishing, retries,
control flow, is as always. Called by `calling`.
"""

from __future__ import annotations

import asyncio
import bdb
import contextlib
import json
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from headrace.compiler import bootstrap
from headrace.compiler.package import Package
from headrace.dsl.mistakes import mistake
from headrace.local.platforms import Session
from headrace.local.preparing import written
from headrace.local.rewriting import PythonExecutor, containers, python_executors, with_commands
from headrace.local.teeing import teed

LARGEST: Final = 256 * 1024 * 1024  # bytes of an executor input
BRIDGE: Final = Path(__file__).with_name("bridge.py")
OF_THE_PLATFORM: Final = ("KFP_POD_NAME", "KFP_POD_UID", "KFP_RUN_ID", "TRACEPARENT", "CUDA_VISIBLE_DEVICES")
Interrupted = (KeyboardInterrupt, bdb.BdbQuit, GeneratorExit)


@dataclass(slots=True)
class Turn:
    """One attempt that is to be called here. `tell` sends to its process; `gone`: that process has ended."""

    label: str
    executor_input: str
    environment: Mapping[str, str]
    tell: Callable[[Mapping[str, Any]], None]
    gone: bool = False

    @property
    def path(self) -> str:
        """The task's path in its run."""
        return self.environment.get("HEADRACE_ATTEMPT", "").partition(":")[2].partition(":")[2].rpartition("#")[0]


@dataclass(slots=True)
class Inline:
    """The calls of one run. `errors`: what components raised, by the task's path; `functions`: what was called, by label."""

    executors: Mapping[str, PythonExecutor]
    variables: frozenset[str]
    errors: dict[str, BaseException] = field(default_factory=dict)
    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def call(self, turn: Turn) -> None:
        """Call the component, here and now, and tell its process how that ended."""
        if turn.gone:
            return
        code = 1
        try:
            with teed(lambda text: turn.tell({"text": text})), _variables(self._named(turn)):
                code = self._called(turn)
        finally:
            turn.tell({"exit": code})

    def _called(self, turn: Turn) -> int:
        from headrace.dsl import artifacts
        from headrace.runtime.executing import execute
        from headrace.runtime.mistakes import TaskMistake
        from headrace.runtime.task_input import read_executor_input

        root = artifacts.CONTAINER_TASK_ROOT
        try:
            task = read_executor_input(turn.executor_input)
            execute(self._function(turn.label), task)
            return 0
        except Interrupted:
            raise
        except TaskMistake as problem:
            self.errors[turn.path] = problem
            sys.stderr.write(f"headrace: {problem}\n")
        except SystemExit as left:
            return left.code if isinstance(left.code, int) else int(left.code is not None)
        except BaseException as error:  # noqa: BLE001 - the component may raise anything; the run's failure names it
            self.errors[turn.path] = error
            traceback.print_exception(error.with_traceback(_of_the_user(error)))
        finally:
            artifacts.CONTAINER_TASK_ROOT = root
        return 1

    def _function(self, label: str) -> Callable[..., Any]:
        """Loaded once: a loop calls it a thousand times."""
        if label not in self.functions:
            self.functions[label] = function_of(self.executors[label])
        return self.functions[label]

    def _named(self, turn: Turn) -> dict[str, str]:
        return {name: value for name, value in turn.environment.items() if name in self.variables}


def _of_the_user(error: BaseException) -> Any:
    from headrace.runtime.command_line import in_user_code

    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return in_user_code(trace) or error.__traceback__


def function_of(executor: PythonExecutor) -> Callable[..., Any]:
    """The author's own function, so that breakpoints in its file are hit; the extracted text where this process has none."""
    from headrace.dsl.components import ContainerImplementation, python_components

    for component in python_components():
        made = component.made_implementation
        if isinstance(made, ContainerImplementation):
            found = bootstrap.read(made.container.get("command"))
            same = found is not None and found.source == executor.source
            # what a component embeds is unpacked by its module, which the author's own file is not
            embeds = "__HEADRACE_EMBEDDED_ARCHIVE" in executor.source
            if same and made.container.get("args", [])[-1:] == [executor.function] and not embeds:
                function: Callable[..., Any] = component.python_func
                return function
    return _from_text(executor)


def _from_text(executor: PythonExecutor) -> Callable[..., Any]:
    from headrace.runtime.loading import load

    if executor.as_kfp:
        from headrace import kfp_alias

        with contextlib.suppress(ImportError):
            kfp_alias.install()
    function: Callable[..., Any] = load(written(executor.source), executor.function, bare=True)
    return function


@contextlib.contextmanager
def _variables(named: Mapping[str, str]) -> Iterator[None]:
    """The task's own variables, for as long as it runs."""
    before = {name: os.environ.get(name) for name in named}
    os.environ.update(named)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def refuse_containers(package: Package) -> None:
    """A mistake where something of PACKAGE cannot be called in this process."""
    others = containers(package)
    if others:
        names = ", ".join(f"'{label.removeprefix('exec-')}'" for label in others)
        raise mistake(
            f"inline=True calls Python functions in this process, and {names} runs a container's command; leave inline out of "
            "local.init() for this pipeline"
        )


@contextlib.contextmanager
def hosted(session: Session, package: Package, turns: SimpleQueue[Any]) -> Iterator[tuple[Package, Inline]]:
    """PACKAGE with its Python components handed over to this process, and what calls them; attempts come as a Turn in TURNS."""
    executors = {one.label: one for one in python_executors(package)}
    folder = _private_folder()
    place = os.path.join(folder, "s")
    try:
        server = session.run(_serve(place, turns))
        try:
            commands = {label: _command(place, one) for label, one in executors.items()}
            yield with_commands(package, commands), Inline(executors, frozenset(_declared(package)))
        finally:
            session.run(_close(server))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _private_folder() -> str:
    """Short, because a socket's path must be."""
    folder = tempfile.mkdtemp(prefix="headrace-")
    if len(folder) > 90:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="headrace-", dir="/tmp")
    return folder


def _command(place: str, executor: PythonExecutor) -> list[str]:
    text = f"SOCKET, LABEL = {place!r}, {executor.label!r}\n{BRIDGE.read_text(encoding='utf-8')}"
    return bootstrap.lightweight(executor.function, text, bootstrap.Settings())[0]


def _declared(package: Package) -> Iterator[str]:
    """Variables that the package sets for its tasks."""
    yield from OF_THE_PLATFORM
    for executor in package.spec.get("deploymentSpec", {}).get("executors", {}).values():
        yield from (one["name"] for one in executor.get("container", {}).get("env") or ())
    platforms = (package.platform or {}).get("platforms", {})
    for platform in platforms.values():
        for settings in platform.get("deploymentSpec", {}).get("executors", {}).values():
            yield from (one["name"] for one in settings.get("fieldPathAsEnv", ()))
            for field_name in ("secretAsEnv", "configMapAsEnv"):
                for entry in settings.get(field_name, ()):
                    yield from (pair["envVar"] for pair in entry.get("keyToEnv", ()))


async def _serve(place: str, turns: SimpleQueue[Any]) -> asyncio.Server:
    loop = asyncio.get_running_loop()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if not line:
            writer.close()
            return
        asked = json.loads(line)

        def tell(told: Mapping[str, Any]) -> None:
            data = json.dumps(told).encode() + b"\n"
            with contextlib.suppress(RuntimeError):  # the process ends, and the loop has
                loop.call_soon_threadsafe(_send, writer, data)

        turn = Turn(asked["label"], asked["executor_input"], asked["environment"], tell)
        turns.put(turn)
        await reader.read()  # nothing more is said; the end comes when the process ends
        turn.gone = True
        writer.close()

    return await asyncio.start_unix_server(take, place, limit=LARGEST)


def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)


async def _close(server: asyncio.Server) -> None:
    server.close()
