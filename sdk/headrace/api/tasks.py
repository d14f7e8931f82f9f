"""AsyncTask, and `Tasks`, a run's tasks in their order and by their path."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, overload

from headrace.api.artifacts import AsyncArtifact
from headrace.api.later import Later
from headrace.api.lines import lines_of
from headrace.errors import NotFound
from headrace.models import Artifact, Attempt, CacheAnswer, Failure, ValueReference, WaitingOn
from headrace.models import Task as Record

if TYPE_CHECKING:
    from headrace.api.calls import Calls


class HasRecord(Protocol):
    """A task of either face."""

    @property
    def record(self) -> Record: ...


T = TypeVar("T", bound=HasRecord)
Outputs: TypeAlias = dict[str, Any]  # parameters by value, artifacts as artifacts, lists of them as lists


class Tasks(Sequence[T], Generic[T]):
    """A run's tasks in order of creation; `tasks["train"]` and `tasks["for-loop-1[3]/train"]` are those at a path."""

    def __init__(self, tasks: Iterable[T]) -> None:
        self._tasks = list(tasks)
        self._at = {task.record.path: task for task in self._tasks}

    @property
    def paths(self) -> list[str]:
        """Of each task."""
        return list(self._at)

    @overload
    def __getitem__(self, where: str) -> T: ...
    @overload
    def __getitem__(self, where: int) -> T: ...
    @overload
    def __getitem__(self, where: slice) -> Tasks[T]: ...
    def __getitem__(self, where: str | int | slice) -> T | Tasks[T]:
        if isinstance(where, slice):
            return Tasks(self._tasks[where])
        if isinstance(where, int):
            return self._tasks[where]
        if where not in self._at:
            raise NotFound(f"there is no task {where!r}; {_nearest(where, self.paths)}")
        return self._at[where]

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[T]:
        return iter(self._tasks)

    def __contains__(self, one: object) -> bool:
        return one in self._at if isinstance(one, str) else one in self._tasks

    def __repr__(self) -> str:
        shown = ", ".join(f"{task.record.path}: {task.record.state}" for task in self._tasks[:20])
        return f"<{len(self)} task{'' if len(self) == 1 else 's'}: {shown}{', …' if len(self) > 20 else ''}>"

    def _ipython_key_completions_(self) -> list[str]:
        return self.paths

    def _repr_html_(self) -> str:
        from headrace.api import html

        return html.tasks([task.record for task in self._tasks])


def _nearest(path: str, paths: Sequence[str]) -> str:
    if not paths:
        return "the run has none yet"
    near = difflib.get_close_matches(path, paths, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are {', '.join(paths[:10])}{' …' if len(paths) > 10 else ''}"


class AsyncTask:
    """A node of a run: user code, an importer, a group, a loop or one of its iterations. What is a plain value is as the platform
    last answered: `refresh` asks again.
    """

    def __init__(self, calls: Calls, run_id: str, record: Record) -> None:
        self._calls = calls
        self._run_id = run_id
        self._record = record

    @property
    def record(self) -> Record:
        """What the platform says of it, as one plain value."""
        return self._record

    @property
    def path(self) -> str:
        """Its identity in the run, such as `for-loop-1[3]/train`."""
        return self._record.path

    @property
    def display_name(self) -> str:
        """As its author called it."""
        return self._record.display_name or self._record.key

    @property
    def kind(self) -> str:
        """RUNTIME (user code), IMPORTER, DAG, LOOP, LOOP_ITERATION …"""
        return self._record.kind

    @property
    def state(self) -> str:
        """PENDING, READY, RUNNING, SUCCEEDED, SKIPPED, FAILED or CANCELED."""
        return self._record.state

    @property
    def ended(self) -> bool:
        """Whether it is in a state that it does not leave by itself."""
        return self._record.ended

    @property
    def error(self) -> Failure | None:
        """Why it failed."""
        return self._record.error

    @property
    def waiting_on(self) -> WaitingOn | None:
        """What it waits for, with numbers."""
        return self._record.waiting_on

    @property
    def skip_reason(self) -> str:
        """Why it was SKIPPED."""
        return self._record.skip_reason

    @property
    def cached(self) -> bool:
        """Whether its results were taken from the cache."""
        return self._record.cached

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Each try, the first one first."""
        return self._record.attempts

    @property
    def created_at(self) -> datetime | None:
        """When the platform made it."""
        return self._record.created_at

    @property
    def started_at(self) -> datetime | None:
        """When it first ran."""
        return self._record.started_at

    @property
    def finished_at(self) -> datetime | None:
        """When it ended."""
        return self._record.finished_at

    @property
    def inputs(self) -> Later[Outputs]:
        """What it was given: parameters by value, artifacts as artifacts (a list of them for a list)."""
        return Later(self._inputs)

    @property
    def outputs(self) -> Later[Outputs]:
        """What it put out, likewise."""
        return Later(self._outputs)

    @property
    def artifacts(self) -> Later[list[AsyncArtifact]]:
        """Those of its outputs that are artifacts."""
        return Later(self._artifacts)

    async def refresh(self) -> AsyncTask:
        """Ask the platform what it says of the task now."""
        found = await self._calls.task(self._run_id, self.path)
        if found is None:
            raise NotFound(f"run {self._run_id} has no task {self.path!r} any more")
        self._record = found
        return self

    async def explain_cache(self) -> CacheAnswer:
        """Why it took results from before, or did not: what matched, or the first thing that differed from the nearest."""
        return await self._calls.explain_cache(self._run_id, self.path)

    def logs(self, *, attempt: int = 0, follow: bool = False) -> AsyncIterator[str]:
        """The log's lines, of ATTEMPT or the last one; with FOLLOW until the attempt has ended."""
        return lines_of(self._calls.logs(self._run_id, self.path, attempt=attempt, follow=follow))

    async def _inputs(self) -> Outputs:
        record = (await self._current())._record
        values = await whole(self._calls, self._run_id, record.inputs, path=self.path, given=True)
        return {**values, **as_outputs(self._calls, self._run_id, record.input_artifacts, given=True)}

    async def _outputs(self) -> Outputs:
        record = (await self._current())._record
        values = await whole(self._calls, self._run_id, record.outputs, path=self.path)
        return {**values, **as_outputs(self._calls, self._run_id, record.artifacts)}

    async def _artifacts(self) -> list[AsyncArtifact]:
        record = (await self._current())._record
        return [AsyncArtifact(self._calls, self._run_id, one) for many in record.artifacts.values() for one in many]

    async def _current(self) -> AsyncTask:
        """What a task that has ended was given and put out does not change."""
        return self if self.ended else await self.refresh()

    def __repr__(self) -> str:
        return f"<{type(self).__name__.removeprefix('Async')} {self.path} {self.state}>"

    async def _html(self) -> str:
        from headrace.api import html

        return html.task(self._record)


async def whole(
    calls: Calls, run_id: str, values: Mapping[str, Any], *, path: str = "", given: bool = False
) -> dict[str, Any]:
    """The parameters; what a reference stands for is read."""
    return {
        name: await calls.value(run_id, name, task=path, side="input" if given else "output")
        if isinstance(value, ValueReference)
        else value
        for name, value in values.items()
    }


def as_outputs(
    calls: Calls, run_id: str, artifacts: Mapping[str, tuple[Artifact, ...]], *, given: bool = False
) -> dict[str, AsyncArtifact | list[AsyncArtifact]]:
    """One artifact by itself, several as a list."""
    found = {name: [AsyncArtifact(calls, run_id, one, given=given) for one in many] for name, many in artifacts.items()}
    return {name: many[0] if len(many) == 1 else many for name, many in found.items()}
