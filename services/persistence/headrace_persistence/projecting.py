"""Events → rows: a mechanical projection of one append's events to the columns that SQL takes.

Pure: no clock, no I/O, and nothing is decided here but whether the events may follow each other at all. Several events of one
task collapse into one row. Called by stores/appending.py, inside the transaction that holds the runs' rows; columns.py turns
the result into arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from headrace_persistence import moves
from headrace_persistence.moves import ATTEMPT_STEPS, NOWHERE, RUN_STEPS, STAY, TASK_STEPS, Move, compose
from headrace_protos import lifecycle
from headrace_protos.lifecycle import Budget, budget_of
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2

KINDS: Final = {one.name: one.number for one in ev.Event.DESCRIPTOR.oneofs_by_name["kind"].fields}
INPUT: Final = 1
OUTPUT: Final = 2


class RefusedError(Exception):
    """The events cannot follow what the rows say, or each other; the message says which."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run's row as it was locked."""

    run: int
    run_id: str
    revision: int
    state: int
    day: object
    counts: tuple[int, ...]


@dataclass(slots=True)
class RunChange:
    """What one run's events make of its rows; None = as it is, '' and 0 = cleared."""

    row: RunRow
    revision: int
    state: int
    events: list[ev.Event]
    inputs: bytes | None = None
    outputs: bytes | None = None
    error: bytes | None = None
    history: bytes = b""
    started_at_us: int | None = None
    finished_at_us: int | None = None
    retried_at_us: int | None = None
    run_exit_tasks: bool | None = None
    resetting: bool | None = None
    tasks: dict[str, TaskChange] = field(default_factory=dict)
    attempts: dict[tuple[str, int], AttemptChange] = field(default_factory=dict)
    artifacts: dict[str, tuple[int, ev.Artifact]] = field(default_factory=dict)
    links: dict[tuple[str, int, str, int], str] = field(default_factory=dict)
    places: set[str] = field(default_factory=set)  # outside its own folder, that it uses
    taken: set[str] = field(default_factory=set)  # those of them that are results of another run


@dataclass(slots=True)
class TaskChange:
    """What the events make of one task's row."""

    move: Move
    created: ev.TaskCreated | None = None
    inputs: bytes | None = None
    outputs: bytes | None = None
    error: bytes | None = None
    waiting_on: bytes | None = None
    iteration_count: int | None = None
    cached_from: str | None = None
    linked_from: str | None = None
    skip_reason: str | None = None
    cache_key: str | None = None
    cache_token: str | None = None
    attempts: int | None = None
    next_attempt: int | None = None
    failures_kept: int = 1
    user_failures: int = 0
    infrastructure_failures: int = 0
    preemptions: int = 0
    attempt_state: int | None = None
    handle: str | None = None
    node: str | None = None
    retry_at_us: int | None = None
    created_at_us: int = 0
    started_at_us: int | None = None
    finished_at_us: int | None = None
    attempt_started_at_us: int | None = None

    @property
    def state(self) -> int:
        """Of a task created in this append: the state that it ends in."""
        return self.move[0]


@dataclass(slots=True)
class AttemptChange:
    """What the events make of one attempt's row."""

    move: Move
    started: bytes | None = None
    launched: bytes | None = None
    finished: bytes | None = None
    created_at_us: int = 0
    finished_at_us: int | None = None
    accelerators: int = 0  # of one that started in this append
    accelerator: str | None = None
    running_at_us: int | None = None
    ended_at_us: int | None = None  # user code


def project(row: RunRow, events: Iterable[ev.Event]) -> RunChange:
    """The change of ROW's run and of everything below it; raises RefusedError."""
    change = RunChange(row, row.revision, row.state, [])
    for event in events:
        change.revision += 1
        if event.seq != change.revision:
            raise RefusedError(f"event {event.seq}: expected {change.revision}, the next in the run's sequence")
        kind = event.WhichOneof("kind")
        if kind is None:
            raise RefusedError(f"event {event.seq}: a kind that this release does not know")
        if event.time_us <= 0:
            raise RefusedError(f"event {event.seq} ({kind}): it has no time")
        change.events.append(event)
        _APPLY[kind](change, event, kind)
    return change


# ── runs ──


def _advance_run(change: RunChange, event: ev.Event, kind: str, wanted: int, error: ev.Error | None = None) -> None:
    target = RUN_STEPS.get((kind, wanted), NOWHERE)[change.state]
    if not target:
        was = ev.RunState.Name(change.state).removeprefix("RUN_")  # type: ignore[arg-type]  # an enum's number
        raise RefusedError(f"event {event.seq}: {kind} is not allowed where the run is {was}")
    if change.state == target:
        return  # more of the same, such as a second terminate: no news for people
    change.state = target
    step = run_query_pb2.RunStateChange(time_us=event.time_us, state=target, error=error)  # type: ignore[arg-type]  # an enum's number
    change.history += run_query_pb2.Run(history=[step]).SerializeToString()


def _run_created(change: RunChange, event: ev.Event, kind: str) -> None:
    raise RefusedError(f"event {event.seq}: {kind} comes with the delivery of the run, not by an append")


def _run_started(change: RunChange, event: ev.Event, kind: str) -> None:
    _advance_run(change, event, kind, 0)
    change.inputs = event.run_started.inputs.SerializeToString()
    change.started_at_us = event.time_us
    _link(change, event, INPUT, event.run_started.inputs)


def _run_terminating(change: RunChange, event: ev.Event, kind: str) -> None:
    _advance_run(change, event, kind, 0)
    change.run_exit_tasks = event.run_terminating.run_exit_tasks
    change.resetting = False


def _run_retried(change: RunChange, event: ev.Event, kind: str) -> None:
    _advance_run(change, event, kind, 0)
    change.outputs = change.error = b""
    change.finished_at_us = 0
    change.retried_at_us = event.time_us
    change.run_exit_tasks = False
    change.resetting = event.run_retried.more


def _run_finished(change: RunChange, event: ev.Event, kind: str) -> None:
    finished = event.run_finished
    _advance_run(change, event, kind, finished.state, finished.error if finished.HasField("error") else None)
    change.error = finished.error.SerializeToString()
    change.outputs = finished.outputs.SerializeToString()
    change.finished_at_us = event.time_us
    _link(change, event, OUTPUT, finished.outputs)


# ── tasks ──


def _advance_task(change: RunChange, event: ev.Event, kind: str, wanted: int) -> TaskChange:
    task = change.tasks.get(event.path)
    if task is None:
        task = change.tasks[event.path] = TaskChange(STAY)
    step = TASK_STEPS.get((kind, wanted), NOWHERE)
    task.move = (step[task.move[0]], *NOWHERE[1:]) if task.created is not None else compose(task.move, step)
    if not any(task.move):
        raise RefusedError(f"event {event.seq}: {kind} of task {event.path} is not allowed after what came before it")
    return task


def _task_created(change: RunChange, event: ev.Event, kind: str) -> None:
    if event.path in change.tasks:
        raise RefusedError(f"event {event.seq}: task {event.path} exists already")
    if not event.task_created.kind:
        raise RefusedError(f"event {event.seq}: task {event.path} has no kind")
    step = TASK_STEPS[kind, ev.TASK_PENDING]
    change.tasks[event.path] = TaskChange(step, created=event.task_created, created_at_us=event.time_us)


def _task_waiting(change: RunChange, event: ev.Event, kind: str) -> None:
    task = _advance_task(change, event, kind, 0)
    task.waiting_on = event.task_waiting.waiting_on.SerializeToString()


def _task_started(change: RunChange, event: ev.Event, kind: str) -> None:
    task, started = _advance_task(change, event, kind, 0), event.task_started
    task.inputs = started.inputs.SerializeToString()
    task.iteration_count = started.iteration_count
    task.cache_key, task.cache_token = started.cache_key, started.cache_token
    task.started_at_us = event.time_us
    task.waiting_on = b""
    _link(change, event, INPUT, started.inputs)


def _task_finished(change: RunChange, event: ev.Event, kind: str) -> None:
    finished = event.task_finished
    if finished.state not in lifecycle.TASK_FINAL:
        raise RefusedError(f"event {event.seq}: {kind} of task {event.path} names no final state")
    task = _advance_task(change, event, kind, finished.state)
    task.error = finished.error.SerializeToString()
    task.outputs = finished.outputs.SerializeToString()
    if finished.HasField("inputs"):
        task.inputs = finished.inputs.SerializeToString()
        _link(change, event, INPUT, finished.inputs)
    if finished.cache_key:
        task.cache_key = finished.cache_key
    task.cached_from, task.skip_reason = finished.cached_from, finished.skip_reason
    task.linked_from = finished.linked_from
    task.finished_at_us = event.time_us
    task.waiting_on = b""
    task.retry_at_us = 0
    _link(change, event, OUTPUT, finished.outputs)
    if finished.cached_from or finished.linked_from:
        change.taken.update(_places(change, finished.outputs))


def _task_reset(change: RunChange, event: ev.Event, kind: str) -> None:
    reopen = event.task_reset.reopen
    task = _advance_task(change, event, kind, ev.TASK_RUNNING if reopen else ev.TASK_PENDING)
    task.outputs = task.error = task.waiting_on = b""
    task.cached_from = task.skip_reason = task.linked_from = ""
    task.finished_at_us = task.retry_at_us = 0
    task.failures_kept = task.user_failures = task.infrastructure_failures = task.preemptions = 0
    if event.task_reset.HasField("created"):
        task.attempt_state, task.handle, task.node, task.attempt_started_at_us = 0, "", "", 0
    if not reopen:
        task.inputs = b""
        task.iteration_count = task.started_at_us = 0
        task.cache_key = task.cache_token = ""


# ── attempts ──


def _of_attempt(change: RunChange, event: ev.Event, kind: str, wanted: int) -> tuple[TaskChange, AttemptChange]:
    if event.attempt <= 0:
        raise RefusedError(f"event {event.seq}: {kind} of task {event.path} names no attempt")
    task = change.tasks.get(event.path)
    if task is None:
        task = change.tasks[event.path] = TaskChange(STAY)
    key = (event.path, event.attempt)
    attempt = change.attempts.get(key)
    step = ATTEMPT_STEPS.get((kind, wanted), NOWHERE)
    if kind == "attempt_started":
        if attempt is not None:
            raise RefusedError(f"event {event.seq}: attempt {event.path}#{event.attempt} has started already")
        attempt = change.attempts[key] = AttemptChange(step)
    elif attempt is None:
        attempt = change.attempts[key] = AttemptChange(compose(STAY, step))
    elif attempt.started is not None:
        attempt.move = (step[attempt.move[0]], *NOWHERE[1:])
    else:
        attempt.move = compose(attempt.move, step)
    if not any(attempt.move):
        raise RefusedError(
            f"event {event.seq}: {kind} of attempt {event.path}#{event.attempt} is not allowed after what came before it"
        )
    return task, attempt


def _attempt_started(change: RunChange, event: ev.Event, kind: str) -> None:
    task, attempt = _of_attempt(change, event, kind, 0)
    if task.attempts is not None and event.attempt <= task.attempts:
        raise RefusedError(f"event {event.seq}: attempt numbers of task {event.path} only grow")
    attempt.started = event.attempt_started.SerializeToString()
    attempt.created_at_us = event.time_us
    attempt.accelerators = event.attempt_started.accelerators.count
    attempt.accelerator = _plain(event.attempt_started.accelerators.product)
    if task.next_attempt is None:
        task.next_attempt = event.attempt
    task.attempts = event.attempt
    task.attempt_state = ev.ATTEMPT_STARTING
    task.attempt_started_at_us = event.time_us
    task.handle = task.node = ""
    task.retry_at_us = 0
    task.waiting_on = b""


def _attempt_launched(change: RunChange, event: ev.Event, kind: str) -> None:
    task, attempt = _of_attempt(change, event, kind, 0)
    launched = event.attempt_launched
    attempt.launched = launched.SerializeToString()
    task.attempt_state = ev.ATTEMPT_RUNNING
    task.handle, task.node = launched.handle, _plain(launched.node)
    if launched.node and launched.accelerator != lifecycle.NO_ACCELERATOR:
        attempt.running_at_us = event.time_us
    if launched.accelerator:
        attempt.accelerator = _plain(launched.accelerator)


def _plain(name: str) -> str:
    """The name of a node or product as a text column takes it; the event keeps it as it was told."""
    return name.replace("\0", "")


def _attempt_finished(change: RunChange, event: ev.Event, kind: str) -> None:
    finished = event.attempt_finished
    if finished.state not in lifecycle.ATTEMPT_FINAL:
        raise RefusedError(f"event {event.seq}: {kind} of attempt {event.path}#{event.attempt} names no final state")
    task, attempt = _of_attempt(change, event, kind, finished.state)
    attempt.finished = finished.SerializeToString()
    attempt.finished_at_us = event.time_us
    attempt.running_at_us = finished.times.started_us or attempt.running_at_us
    attempt.ended_at_us = finished.times.ended_us or event.time_us
    task.attempt_state = finished.state
    task.retry_at_us = finished.retry_at_us
    budget = budget_of(finished.state, finished.error.failure_class)
    task.user_failures += budget is Budget.USER
    task.preemptions += budget is Budget.PREEMPTION
    task.infrastructure_failures += budget is Budget.INFRASTRUCTURE


# ── artifacts ──


def _link(change: RunChange, event: ev.Event, direction: int, values: ev.Values) -> None:
    """Remember the artifacts among VALUES, and that the task at the event's path reads or writes them; and the places outside the
    run's own folder.
    """
    change.places.update(_places(change, values))
    if not values.artifacts:
        return
    for name, group in values.artifacts.items():
        for position, artifact in enumerate(group.artifacts):
            if not artifact.artifact_id:
                continue
            known = change.artifacts.get(artifact.artifact_id)
            if known is None or direction == OUTPUT:
                change.artifacts[artifact.artifact_id] = (event.time_us, artifact)
            if event.path:  # the root has no row of its own
                change.links[event.path, direction, name, position] = artifact.artifact_id


def _places(change: RunChange, values: ev.Values) -> Iterator[str]:
    """Where artifacts and values by reference lie that are in other folders than the run's own."""
    own = f"/{change.row.run_id}/"
    for value in values.parameters.values():
        if value.uri and own not in value.uri:
            yield value.uri
    for group in values.artifacts.values():
        for artifact in group.artifacts:
            if artifact.uri and own not in artifact.uri:
                yield artifact.uri


_APPLY: Final[dict[str, Callable[[RunChange, ev.Event, str], None]]] = {
    "run_created": _run_created,
    "run_started": _run_started,
    "run_terminating": _run_terminating,
    "run_retried": _run_retried,
    "run_finished": _run_finished,
    "task_created": _task_created,
    "task_waiting": _task_waiting,
    "task_started": _task_started,
    "task_finished": _task_finished,
    "task_reset": _task_reset,
    "attempt_started": _attempt_started,
    "attempt_launched": _attempt_launched,
    "attempt_finished": _attempt_finished,
}
assert _APPLY.keys() == KINDS.keys()
__all__ = [
    "INPUT",
    "KINDS",
    "OUTPUT",
    "AttemptChange",
    "RefusedError",
    "RunChange",
    "RunRow",
    "TaskChange",
    "moves",
    "project",
]
