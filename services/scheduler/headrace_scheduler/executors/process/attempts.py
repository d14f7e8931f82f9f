"""The life of one attempt: stage → environment → run → publish, with cancelling and time-out at every point.

One coroutine for each attempt; blocking work goes to the executor's threads, in as few hops as can be, because each
costs latency. What happens is told through `tell` as the port's facts. Called by executor.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor as ThreadExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from headrace_companion.assignment import Assignment, Folders
from headrace_companion.lightweight import PythonComponent, recognise
from headrace_companion.logs import LogPump, LogStream, last_lines, with_tail
from headrace_companion.publishing import prefix_key, publish, seal, sealed
from headrace_companion.remote.sources import FetchFailed
from headrace_companion.results import LOG_FILE, AttemptResult, Failure, Reason, Times
from headrace_companion.staging import Elsewhere, Staged, StagingFailed, stage
from headrace_companion.store import ArtifactStore, StoreError, why
from headrace_ir.values import MAX_VALUE_BYTES, ValueProblem
from headrace_protos.lifecycle import NO_ACCELERATOR
from headrace_scheduler.executors import port
from headrace_scheduler.executors.assignments import assignment_of
from headrace_scheduler.executors.process import requests, volumes
from headrace_scheduler.executors.process.environments import (
    Environment,
    EnvironmentFailed,
    Environments,
    EnvironmentSpec,
)
from headrace_scheduler.executors.process.fetches import Fetches
from headrace_scheduler.executors.process.interpreters import Interpreters, on_path, ours, version_of
from headrace_scheduler.executors.process.local_store import LocalStore, NotHere
from headrace_scheduler.executors.process.machine import AcceleratorSlots
from headrace_scheduler.executors.process.mounting import Mounting
from headrace_scheduler.executors.process.reports import report
from headrace_scheduler.executors.process.runtimes import KFP, Runtime, runtime_of, show_ours, too_old
from headrace_scheduler.executors.process.survivors import RECORD
from headrace_scheduler.executors.process.task_hosting import Bind, Pod, host
from headrace_scheduler.executors.process.zygotes import Outcome, Running, Zygote, ZygoteFailed, Zygotes
from headrace_scheduler.executors.task_settings import CLAIM_OPERATIONS, WORKSPACE

logger = logging.getLogger(__name__)
GRACE_SECONDS: Final = 10.0
LOG_SECONDS: Final = 2.0
ROOT: Final = "root"  # in an attempt's folder: where it publishes
HELD_SECONDS: Final = 1.0
P = ParamSpec("P")
T = TypeVar("T")
Tell = Callable[[port.ExecutorFact], None]


@dataclass(frozen=True, slots=True)
class Means:
    """What all attempts of one executor share."""

    store: ArtifactStore
    environments: Environments
    zygotes: Zygotes
    pump: LogPump
    interpreters: Interpreters
    fetches: Fetches
    accelerators: AcceleratorSlots
    threads: ThreadExecutor
    environ: Mapping[str, str]
    home: Path
    workspaces: Path
    local: LocalStore
    mounting: Mounting
    node: str
    product: str  # of the machine's accelerators
    grace_s: float = GRACE_SECONDS
    max_value_bytes: int = MAX_VALUE_BYTES


@dataclass(frozen=True, slots=True)
class Prepared:
    """A staged attempt and what it needs to run. `request` is None until its environment is there."""

    staged: Staged
    component: PythonComponent | None
    spec: EnvironmentSpec
    request: Path | None
    warnings: tuple[str, ...]
    runtime: Runtime = KFP  # of a component


class AttemptEnded(Exception):  # noqa: N818 - how the steps before the process say that there will be none
    """The attempt is over before its process began."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Attempt:
    """One attempt; `run` is its life, `cancel` ends it early."""

    def __init__(self, launch: port.Launch, mark: str, folder: Path, means: Means, tell: Tell) -> None:
        self.launch = launch
        self.mark = mark
        self.folders = Folders(folder)
        self._means = means
        self._tell = tell
        self._assignment: Assignment | None = None
        self._binds: tuple[Bind, ...] = ()
        self._staged: Staged | None = None
        self._zygote: Zygote | None = None
        self._running: Running | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped_for: Reason | None = None
        self._times = Times(admitted=time.time())
        self._warnings: tuple[str, ...] = ()
        self._held_at = 0.0
        self._fetched: Mapping[str, str] = {}

    def note(self, warnings: tuple[str, ...]) -> None:
        """Warnings that are known before it begins."""
        self._warnings = (*self._warnings, *warnings)

    def begin(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self.run(), name=self.mark)
        return self._task

    def cancel(self) -> None:
        """End the attempt: its processes by TERM and after a grace KILL, or the step that it is in."""
        if self._stopped_for is None:
            self._stopped_for = Reason.CANCELED
            self._stop()

    def _stop(self) -> None:
        if self._running is None or self._zygote is None:
            if self._task is not None:
                self._task.cancel()
            return
        zygote, name = self._zygote, self.mark
        zygote.signal(name, signal.SIGTERM)
        loop = asyncio.get_running_loop()
        loop.call_later(self._means.grace_s, lambda: zygote.signal(name, signal.SIGKILL))

    async def run(self) -> None:
        try:
            result = await self._to_the_end()
        except asyncio.CancelledError:
            if self._stopped_for is None:
                raise  # the executor closes: nobody is told
            result = await self._failed(Failure(self._stopped_for, "canceled before its process began"))
        except AttemptEnded as ended:
            result = await self._failed(ended.failure)
        except (OSError, StoreError) as error:
            result = await self._failed(
                Failure(Reason.INTERNAL, f"the attempt could not be run: {why(error)}", temporary=True)
            )
        except Exception as fault:  # a fault of ours: without an end the task would wait for ever
            logger.exception("%s cannot go on", self.mark)
            result = await self._failed(
                Failure(Reason.INTERNAL, f"a fault of Headrace ended the attempt: {type(fault).__name__}: {fault}")
            )
        finally:
            self._means.accelerators.give_back(self.launch.attempt)
        if result.failure is not None and result.failure.reason is Reason.INTERNAL:
            logger.warning(
                "%s: %s", self.mark, result.failure.message
            )  # not the user's doing: who runs us should see it
        self._tell(port.Finished(self.launch.attempt, report(self.launch.attempt, result)))
        await self._in_thread(self._clean)

    async def _to_the_end(self) -> AttemptResult:
        prepared = await self._inputs_and_all()
        if isinstance(prepared, AttemptResult):
            return prepared
        self._warnings = (*self._warnings, *prepared.warnings)
        self._times = replace(self._times, staged=time.time())
        with self._means.environments.using(prepared.spec):
            zygote, request = await self._environment(prepared)
            self._times = replace(self._times, environment_ready=time.time())
            outcome = await self._process(zygote, request)
        self._times = replace(self._times, ended=time.time())
        return await self._in_thread(self._publish, outcome)

    async def _inputs_and_all(self) -> Prepared | AttemptResult:
        """Everything before the process; what lies outside the store is fetched first and let go of when it was copied."""
        fetched = self._means.fetches.inputs(self.launch.inputs, self._means.store)
        try:
            elsewhere = await fetched.all(partial(self._hold, resource="staging"))
            self._fetched = fetched.digests
            return await self._in_thread(self._prepare, elsewhere)
        except FetchFailed as failed:
            raise AttemptEnded(Failure(Reason.MISSING_INPUT, str(failed))) from failed
        finally:
            fetched.release()

    def _prepare(self, elsewhere: Mapping[str, Elsewhere]) -> Prepared | AttemptResult:
        """In one step of a thread: the inputs and the request, or the result if it was published before."""
        earlier = sealed(self.launch.task_root, self._means.store)
        if earlier is not None:
            return earlier
        self.folders.top.mkdir(parents=True, exist_ok=True)
        (self.folders.top / ROOT).write_text(self.launch.task_root)
        try:
            self._assignment = assignment_of(self.launch, self._means.max_value_bytes)
            if self.launch.image in CLAIM_OPERATIONS:
                return self._operate()
            self._staged = staged = self._hosted(stage(self._assignment, self.folders, self._means.store, elsewhere))
        except StagingFailed as error:
            raise AttemptEnded(Failure(error.reason, str(error))) from error
        except ValueProblem as problem:
            raise AttemptEnded(Failure(Reason.MISSING_INPUT, f"an input {problem.sentence}")) from problem
        except NotHere as problem:
            raise AttemptEnded(Failure(Reason.ENVIRONMENT, str(problem))) from problem
        except OSError as error:
            message = f"the inputs could not be staged in {self.folders.top}: {why(error)}"
            raise AttemptEnded(Failure(Reason.INTERNAL, message, temporary=True)) from error
        component = recognise(staged.argv)
        return self._prepare_literal(staged) if component is None else self._prepare_component(staged, component)

    def _operate(self) -> AttemptResult:
        """A task that needs no process."""
        assert self._assignment is not None
        result = volumes.operate(self.launch, self._means.local)
        now = time.time()
        times = replace(self._times, environment_ready=now, staged=now, started=now, ended=now, published=now)
        result = replace(result, attempt=self.mark, times=times, warnings=(*self._warnings, *result.warnings))
        seal(self._assignment, result, self._means.store)
        return result

    def _hosted(self, staged: Staged) -> Staged:
        """The attempt with its platform settings. Raises NotHere."""
        attempt = self.launch.attempt
        labels = {"pipelines.kubeflow.org/v2_component": "true", "pipeline/runid": attempt.run_id}
        name = requests.pod_name(attempt.run_id, attempt.path)
        pod = Pod(name, attempt.run_id, self.launch.namespace, self._means.node, labels)
        hosted = host(self.launch.settings, pod, self._means.local, self.folders.top / "volumes")
        self._binds = (*hosted.binds, *self._workspace(staged.argv))
        if self._binds:
            self._means.mounting.check(self._binds)
        env = {**staged.env, **hosted.env}
        return replace(staged, env=env, warnings=(*staged.warnings, *hosted.warnings))

    def _workspace(self, argv: tuple[str, ...]) -> tuple[Bind, ...]:
        """The run's workspace is there for a task that uses it, and where Pods have it for code that names that path."""
        if not self.launch.settings.workspace_claim:
            return ()
        folder = self._means.workspaces / self.launch.attempt.run_id
        folder.mkdir(parents=True, exist_ok=True)
        return ((str(folder), WORKSPACE),) if any(WORKSPACE in word for word in argv) else ()

    def _prepare_component(self, staged: Staged, component: PythonComponent) -> Prepared:
        interpreter = self._means.interpreters.find(self.launch.image)
        if component.runtime is not None and (problem := too_old(interpreter.version)):
            raise AttemptEnded(Failure(Reason.ENVIRONMENT, problem))
        runtime, installs = runtime_of(component, self._means.home)
        spec = EnvironmentSpec(interpreter, installs)
        warnings = (*staged.warnings, *((interpreter.note,) if interpreter.note else ()))
        environment = self._means.environments.ready(spec)
        request = self._write_component(staged, component, runtime, environment) if environment else None
        return Prepared(staged, component, spec, request, warnings, runtime)

    def _prepare_literal(self, staged: Staged) -> Prepared:
        if not staged.argv:
            message = (
                f"the component has no command, and the entry point of its image {self.launch.image} is not known here"
            )
            raise AttemptEnded(Failure(Reason.ENVIRONMENT, message))
        notes = [f"the image {self.launch.image} is not used on this machine: the command runs directly on it"]
        interpreter = ours()
        path_first: tuple[Path, ...] = ()
        if version_of(self.launch.image) and requests.mentions_python(staged.argv):
            interpreter = self._means.interpreters.find(self.launch.image)
            path_first = (on_path(interpreter, self._means.environments.folder),)
            notes += [interpreter.note] if interpreter.note else []
        spec = EnvironmentSpec(interpreter, ())
        request = None
        if not requests.mentions_pip(staged.argv):
            request = self._write_literal(staged, self._variables(path_first))
        return Prepared(staged, None, spec, request, (*staged.warnings, *notes))

    def _write_component(
        self, staged: Staged, component: PythonComponent, runtime: Runtime, environment: Environment
    ) -> Path:
        env = self._variables((environment.folder / "bin",))
        forked = requests.can_fork(staged.env, self._surroundings())
        return requests.write_python(self.folders, component, runtime, environment, env, self._binds, forked=forked)

    def _write_literal(self, staged: Staged, env: dict[str, str]) -> Path:
        show_ours(staged.argv, env, self._means.home)
        if problem := requests.too_long(staged.argv, env):
            raise AttemptEnded(Failure(Reason.INPUT_RESOLUTION, problem))
        return requests.write_exec(self.folders, staged.argv, env, self._binds)

    def _product(self) -> str:
        """The accelerators that it got."""
        if not self.launch.request.accelerators:
            return ""
        return self._means.product if self._means.accelerators.any else NO_ACCELERATOR

    def _surroundings(self) -> requests.Surroundings:
        slots = self._means.accelerators
        attempt = self.launch.attempt
        taken = slots.take(attempt, self.launch.request.accelerators) if slots.any else None
        return requests.Surroundings(
            self.mark, attempt.run_id, attempt.path, attempt.number, self.launch.traceparent, taken
        )

    def _variables(self, path_first: tuple[Path, ...]) -> dict[str, str]:
        assert self._staged is not None
        return requests.variables(self._means.environ, self._staged.env, self._surroundings(), path_first)

    async def _environment(self, prepared: Prepared) -> tuple[Zygote, Path]:
        """The fork server to ask and the request to give it."""
        staged, component, request = prepared.staged, prepared.component, prepared.request
        try:
            if component is None:
                if request is None:
                    request = await self._private_environment(staged, prepared.spec)
                return await self._means.zygotes.get("host", ours().path), request
            environment = await self._means.environments.ensure(prepared.spec, self._hold)
            if request is None:
                request = await self._in_thread(self._write_component, staged, component, prepared.runtime, environment)
            if requests.can_fork(staged.env, self._surroundings()):
                return await self._means.zygotes.get(environment.key, environment.python, prepared.runtime), request
            return await self._means.zygotes.get("host", ours().path), request
        except EnvironmentFailed as error:
            raise AttemptEnded(Failure(Reason.ENVIRONMENT, str(error), temporary=error.temporary)) from error
        except ZygoteFailed as error:
            raise AttemptEnded(Failure(Reason.ENVIRONMENT, str(error))) from error

    async def _private_environment(self, staged: Staged, spec: EnvironmentSpec) -> Path:
        """A throw-away environment for a command that may install packages: never into the host's Python."""
        folder = self.folders.top / "venv"
        await self._means.environments.make_private(spec, folder, self._hold)
        env = self._variables((folder / "bin",))
        env["VIRTUAL_ENV"] = str(folder)
        return await self._in_thread(self._write_literal, staged, env)

    def _hold(self, detail: str, resource: str = "environment") -> None:
        if time.monotonic() - self._held_at >= HELD_SECONDS:
            self._held_at = time.monotonic()
            self._tell(port.Held(self.launch.attempt, detail, resource))

    async def _process(self, zygote: Zygote, request: Path) -> Outcome:
        """Run it to its end, with its output flowing into the store."""
        loop = asyncio.get_running_loop()
        log_key = f"{prefix_key(self.launch.task_root, self._means.store)}/{LOG_FILE}"
        logged = asyncio.Event()
        stream = LogStream(self._means.store.open_log(log_key), on_end=partial(_set_from_thread, loop, logged))
        output = self._means.pump.attach(stream)
        try:
            self._zygote = zygote
            self._running = running = zygote.run(self.mark, request, self.folders.top / RECORD, output)
        finally:
            os.close(output)
        try:
            started = await running.started
        except ZygoteFailed as error:
            raise AttemptEnded(Failure(Reason.LAUNCH, f"the process could not be started: {error}")) from error
        self._times = replace(self._times, started=time.time())
        log_uri = self._means.store.uri(log_key)
        handle = f"{started.pid}:{started.start_time}:{self.launch.task_root}"
        product = self._product()
        self._tell(port.Launched(self.launch.attempt, handle, self._means.node, self._warnings, log_uri, product))
        outcome = await self._outcome(running)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(logged.wait(), LOG_SECONDS)
        if not logged.is_set():
            self._means.pump.drop(stream)
            await logged.wait()
        if stream.problem:
            self._warnings = (*self._warnings, stream.problem)
        return outcome

    async def _outcome(self, running: Running) -> Outcome:
        if not self.launch.timeout_s:
            return await running.exited
        try:
            return await asyncio.wait_for(asyncio.shield(running.exited), self.launch.timeout_s)
        except TimeoutError:
            if self._stopped_for is None:
                self._stopped_for = Reason.TIMED_OUT
                self._stop()
            return await running.exited

    def _publish(self, outcome: Outcome) -> AttemptResult:
        """The result of an attempt whose processes are all gone; stored before it is told."""
        assert self._assignment is not None
        assert self._staged is not None
        requests.forget(self.folders)
        store = self._means.store
        log_key = f"{prefix_key(self._assignment.prefix, store)}/{LOG_FILE}"
        failure = failure_of(outcome, self._stopped_for, self.launch.timeout_s)
        ended = self._result(failure, outcome, store.uri(log_key))
        remote = self._means.fetches.fetcher
        result = publish(self._assignment, self._staged, ended, store, anywhere=True, binds=self._binds, remote=remote)
        result = replace(result, times=replace(self._times, published=time.time()))
        if result.failure is not None:
            tail = last_lines(store, log_key)
            result = replace(result, failure=with_tail(result.failure, tail))
        store.settle(log_key)
        if not outcome.lost:
            seal(self._assignment, result, store)
        return result

    def _result(self, failure: Failure | None, outcome: Outcome | None = None, log_uri: str = "") -> AttemptResult:
        return AttemptResult(
            attempt=self.mark,
            exit_code=outcome.code if outcome else None,
            signal=outcome.signal if outcome else None,
            failure=failure,
            warnings=self._warnings,
            log_uri=log_uri,
            times=self._times,
            fetched=self._fetched,
        )

    async def _failed(self, failure: Failure) -> AttemptResult:
        """The result of an attempt that had no process; sealed too, so that it is told the same again."""
        self._times = replace(self._times, ended=time.time())
        result = self._result(failure)
        await self._in_thread(self._seal_failed, result, failure)
        return result

    def _seal_failed(self, result: AttemptResult, failure: Failure) -> None:
        requests.forget(self.folders)
        if self._assignment is not None and failure.reason is not Reason.INTERNAL:
            with contextlib.suppress(OSError, StoreError):  # the report says it; only a repeat would run again
                seal(self._assignment, result, self._means.store)

    def _clean(self) -> None:
        """Give the disk back; two marks stay until the next start, which tell what the attempt published, and where."""
        top = self.folders.top
        if not top.is_dir() or top.is_symlink():
            return
        for entry in list(top.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name not in (RECORD, ROOT):
                with contextlib.suppress(OSError):
                    entry.unlink()

    async def _in_thread(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._means.threads, partial(work, *args, **kwargs))


def _set_from_thread(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(event.set)


def failure_of(outcome: Outcome, stopped_for: Reason | None, timeout_s: float) -> Failure | None:
    """What the end of a process means. Pure."""
    if stopped_for is Reason.CANCELED:
        return Failure(Reason.CANCELED, "canceled")
    if stopped_for is Reason.TIMED_OUT:
        return Failure(Reason.TIMED_OUT, f"ran longer than its time-out of {timeout_s:g} s")
    if outcome.lost:
        return Failure(Reason.LOST, "the process that started it died")
    if outcome.out_of_memory:
        return Failure(Reason.OUT_OF_MEMORY, f"was killed for memory; it had used {outcome.max_rss // 1024} MiB")
    if outcome.signal is not None:
        try:
            name = signal.Signals(outcome.signal).name
        except ValueError:
            name = f"signal {outcome.signal}"
        return Failure(Reason.USER_ERROR, f"was ended by {name}")
    return Failure(Reason.USER_ERROR, f"exit code {outcome.code}") if outcome.code else None
