"""What a call gives: the run that it made, with outputs, tasks, artifacts and logs as plain Python values; and RunFailed.

Made by `calling` when the run has ended. What a caller rarely looks at is read when it is looked at, by a `Reader`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache, cached_property
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from headrace import errors
from headrace.dsl.artifacts import BY_SCHEMA_TITLE, Artifact
from headrace.models import Artifact as StoredArtifact
from headrace.models import Failure, Run, Task, ValueReference

TAIL: Final = 40  # lines of a log in a message


class Reader(Protocol):
    """Asks the platform about one run; blocks."""

    def page(self) -> str: ...

    def tasks(self) -> list[Task]: ...

    def log(self, path: str) -> str: ...

    def value(self, path: str, name: str, *, given: bool = False) -> Any: ...

    def fetched(self, artifact: StoredArtifact) -> str:
        """The path of a copy on this machine."""


class _Outputs:
    """What a task or a run put out; `path` "" is the run itself."""

    path: str
    _reader: Reader
    _given: tuple[Mapping[str, Any], Mapping[str, tuple[StoredArtifact, ...]]]

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """Parameters as values, artifacts with their paths on this machine."""
        return self._values(*self._given, given=False)

    def _values(
        self, parameters: Mapping[str, Any], artifacts: Mapping[str, tuple[StoredArtifact, ...]], *, given: bool
    ) -> dict[str, Any]:
        made = {
            name: self._reader.value(self.path, name, given=given) if isinstance(value, ValueReference) else value
            for name, value in parameters.items()
            if name not in artifacts
        }
        return made | {name: artifact_value(many, self._reader) for name, many in artifacts.items()}

    @property
    def output(self) -> Any:
        """The only output."""
        names = list(self.outputs)
        if len(names) == 1:
            return self.outputs[names[0]]
        has = (
            f"{len(names)} outputs ({', '.join(names)}); name one, as in .outputs[{names[0]!r}]"
            if names
            else "no output"
        )
        raise AttributeError(f"{self!r} has {has}")

    @property
    def artifacts(self) -> dict[str, Any]:
        """Those of the outputs that are artifacts, or lists of them."""
        return {name: value for name, value in self.outputs.items() if name in self._given[1]}


class LocalTask(_Outputs):
    """A task of a run: user code, a group, a loop or one of its iterations."""

    def __init__(self, record: Task, reader: Reader) -> None:
        self.record = record
        self.path = record.path
        self._reader = reader
        self._given = record.outputs, record.artifacts

    @property
    def name(self) -> str:
        """What its author called it."""
        return self.record.display_name or self.record.key

    @property
    def state(self) -> str:
        """SUCCEEDED, SKIPPED, FAILED or CANCELED."""
        return self.record.state

    @property
    def cached(self) -> bool:
        """Whether its results came from the cache."""
        return self.record.cached

    @property
    def error(self) -> Failure | None:
        """Why it failed."""
        return self.record.error

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """What it was given, likewise."""
        return self._values(self.record.inputs, self.record.input_artifacts, given=True)

    @cached_property
    def log(self) -> str:
        """What its last attempt wrote; "" of what runs no code."""
        return self._reader.log(self.path) if self.record.attempts else ""

    def __repr__(self) -> str:
        return f"<task {self.path} {self.state}>"


class LocalRun(_Outputs):
    """A run that has ended, as the call of a pipeline or component gives it."""

    def __init__(self, name: str, record: Run, reader: Reader, floats: Collection[str] = ()) -> None:
        self.name = name
        self.record = record
        self.path = ""
        self._reader = reader
        self._given = {**record.outputs, **_floats(record.outputs, floats)}, record.artifacts

    @property
    def run_id(self) -> str:
        """The platform's name for it: `headrace runs get` shows it."""
        return self.record.run_id

    @property
    def state(self) -> str:
        """SUCCEEDED, FAILED or CANCELED."""
        return self.record.state

    @property
    def error(self) -> Failure | None:
        """Why it failed."""
        return self.record.error

    @cached_property
    def tasks(self) -> dict[str, LocalTask]:
        """Every task by its path, such as `for-loop-1[3]/train`, in the order in which they came to be."""
        return {one.path: LocalTask(one, self._reader) for one in self._reader.tasks()}

    @property
    def logs(self) -> dict[str, str]:
        """What each task's last attempt wrote, by the task's path."""
        return {path: task.log for path, task in self.tasks.items() if task.record.attempts}

    def __repr__(self) -> str:
        return f"<run {self.run_id} of {self.name} {self.state}>"

    def _repr_html_(self) -> str:
        from headrace.api import html

        return html.run(self.record, [task.record for task in self.tasks.values()], self._reader.page())


def _floats(values: Mapping[str, Any], names: Collection[str]) -> dict[str, float]:
    """JSON has 21 for 21.0; these NAMES are floats."""
    return {name: float(values[name]) for name in names if isinstance(values.get(name), int)}


class RunFailed(errors.RunFailed):
    """A run did not succeed. `run`: what it came to; `task`: the first task that failed by itself, or None."""

    def __init__(self, run: LocalRun) -> None:
        self.run = run
        self.task = first_failure(run)
        super().__init__(failure_text(run, self.task))

    @property
    def log_tail(self) -> str:
        """The end of that task's log."""
        error = self.task.error if self.task is not None else None
        return error.log_tail if error is not None else ""


def first_failure(run: LocalRun) -> LocalTask | None:
    """The task that failed by itself, and first."""
    failed = [one for one in run.tasks.values() if one.state == "FAILED" and one.error is not None]
    own = [one for one in failed if one.error is not None and one.error.reason != "TaskFailed"]
    return min(own, key=_ended, default=None)


def _ended(task: LocalTask) -> float:
    return task.record.finished_at.timestamp() if task.record.finished_at else 0.0


def failure_text(run: LocalRun, failed: LocalTask | None) -> str:
    """The failing task, its error and the end of its log."""
    if failed is None or failed.error is None:
        why = f": {run.error.message}" if run.error is not None else ""
        return f"{run.name} ended {run.state}{why} (run {run.run_id})"
    lines = [f"{run.name} failed in the task '{failed.path}': {failed.error.message} (run {run.run_id})"]
    tail = failed.error.log_tail.splitlines()[-TAIL:]
    return "\n".join([*lines, *(["the end of its log:"] if tail else []), *(f"  | {line}" for line in tail)])


def artifact_value(many: tuple[StoredArtifact, ...], reader: Reader) -> Any:
    """One artifact, or a list of them, of the class that its type names."""
    made = [artifact_object(one, reader) for one in many]
    return made[0] if len(made) == 1 else made


def artifact_object(one: StoredArtifact, reader: Reader) -> Artifact:
    """The artifact as user code knows it. One of this machine has its path as its URI, as in user code; of any other `path` is
    a copy that is made when it is asked for.
    """
    kind = BY_SCHEMA_TITLE.get(one.type, Artifact)
    if path := local_path(one.uri):
        return kind(name=one.name, uri=path, metadata=dict(one.metadata))
    made = _elsewhere(kind.schema_title)(name=one.name, uri=one.uri, metadata=dict(one.metadata))
    made.__dict__["_fetch"] = lambda: reader.fetched(one)
    return made


@cache
def _elsewhere(title: str) -> type[Artifact]:
    """The class of TITLE, whose path is a copy."""
    kind = BY_SCHEMA_TITLE.get(title, Artifact)

    def local(self: Artifact) -> str:
        if not self._custom_path:
            self._custom_path = self.__dict__["_fetch"]()
        return self._custom_path

    return type(kind.__name__, (kind,), {"_local_path": local, "__doc__": kind.__doc__, "__module__": kind.__module__})


def local_path(uri: str) -> str:
    """The path that a file URI names; "" for others."""
    parts = urlsplit(uri)
    return unquote(parts.path) if parts.scheme == "file" else ""
