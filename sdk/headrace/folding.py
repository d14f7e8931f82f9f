"""A run's events folded into its tasks, for showing progress. Pure. Used by api.calls, for watching.

Costs in proportion to the events, never to the size of the run; final answers come from the platform's rows, not from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from headrace.models import Attempt, Progress, Task, WaitingOn
from headrace.reading import attempt_state, failure, run_state, task_state, time, waiting_on
from headrace_protos.lifecycle import parent_path
from headrace_protos.v1 import events_pb2


@dataclass(slots=True)
class Folding:
    """The state of one fold; `tasks` is shared with the Progress values that it makes, so that a big run is not copied."""

    run_id: str
    state: str = "PENDING"
    seq: int = 0
    tasks: dict[str, Task] = field(default_factory=dict)
    upstream: dict[str, tuple[str, ...]] = field(default_factory=dict)
    downstream: dict[str, list[str]] = field(default_factory=dict)

    def add(self, events: Iterable[events_pb2.Event], state: int) -> Progress:
        """Apply EVENTS; those seen before, after a reconnection, change nothing. STATE is the run's after them."""
        changed: dict[str, Task] = {}
        for event in events:
            if event.seq <= self.seq:
                continue
            self.seq = event.seq
            for path in self._apply(event):
                changed.pop(path, None)
                changed[path] = self.tasks[path]
        if state:
            self.state = run_state(state)
        return Progress(self.run_id, self.state, self.tasks, tuple(changed.values()), self.seq)

    def _apply(self, event: events_pb2.Event) -> list[str]:
        kind, path = event.WhichOneof("kind") or "", event.path
        if kind == "task_created":
            self._create(event)
            return [path]
        before = self.tasks.get(path)
        if before is None or not kind.startswith(("task_", "attempt_")):
            return []
        after = _after(before, kind, event)
        if kind == "task_reset":
            after = replace(after, waiting_on=self._blocked(path))
        if after == before:
            return []
        self.tasks[path] = after
        touched = [path]
        if after.ended:
            for waiter in self.downstream.get(path, ()):
                if (waiting := self.tasks[waiter]).state == "PENDING":
                    self.tasks[waiter] = replace(waiting, waiting_on=self._blocked(waiter))
        return touched

    def _create(self, event: events_pb2.Event) -> None:
        path, made = event.path, event.task_created
        parent = parent_path(path)
        siblings = tuple(f"{parent}/{key}" if parent else key for key in made.upstream)
        self.upstream[path] = siblings
        for sibling in siblings:
            self.downstream.setdefault(sibling, []).append(path)
        self.tasks[path] = Task(
            path=path,
            state="PENDING",
            parent=parent,
            key=path.rpartition("/")[2],
            display_name=made.display_name,
            kind=events_pb2.TaskKind.Name(made.kind),
            iteration=made.iteration,
            waiting_on=self._blocked(path),
            created_at=time(event.time_us),
        )

    def _blocked(self, path: str) -> WaitingOn | None:
        """The siblings that have not ended, by key."""
        open_ = [
            one.rpartition("/")[2]
            for one in self.upstream.get(path, ())
            if one not in self.tasks or not self.tasks[one].ended
        ]
        return WaitingOn("UPSTREAM", f"waits for {', '.join(open_)}", tuple(open_)) if open_ else None


def _after(task: Task, kind: str, event: events_pb2.Event) -> Task:
    """TASK after EVENT; an event kind that this release does not know changes nothing."""
    now = time(event.time_us)
    if kind == "task_waiting":
        state = "READY" if task.state == "PENDING" else task.state
        return replace(task, state=state, waiting_on=waiting_on(event.task_waiting.waiting_on))
    if kind == "task_started":
        count = event.task_started.iteration_count
        return replace(task, state="RUNNING", started_at=now, waiting_on=None, iteration_count=count)
    if kind == "task_finished":
        done = event.task_finished
        return replace(
            task,
            state=task_state(done.state),
            error=failure(done.error),
            cached=bool(done.cached_from),
            cached_from=done.cached_from,
            linked_from=done.linked_from,
            skip_reason=done.skip_reason,
            waiting_on=None,
            finished_at=now,
        )
    if kind == "task_reset":
        state = "RUNNING" if event.task_reset.reopen else "PENDING"
        return replace(task, state=state, error=None, skip_reason="", finished_at=None, cached=False, linked_from="")
    if kind.startswith("attempt_"):
        return replace(task, attempts=_attempts(task.attempts, kind, event), waiting_on=_still(task, kind))
    return task


def _still(task: Task, kind: str) -> WaitingOn | None:
    return None if kind == "attempt_started" else task.waiting_on


def _attempts(before: tuple[Attempt, ...], kind: str, event: events_pb2.Event) -> tuple[Attempt, ...]:
    if kind == "attempt_started":
        return (*before, Attempt(event.attempt, "STARTING", created_at=time(event.time_us)))
    return tuple(_attempt(one, kind, event) if one.number == event.attempt else one for one in before)


def _attempt(before: Attempt, kind: str, event: events_pb2.Event) -> Attempt:
    if kind == "attempt_launched":
        launched = event.attempt_launched
        return replace(before, state="RUNNING", warnings=tuple(launched.warnings), log_uri=launched.log_uri)
    done = event.attempt_finished
    return replace(before, state=attempt_state(done.state), error=failure(done.error), finished_at=time(event.time_us))
