"""The critical path of a run: what its length was made of, from its start to its end without gaps. Pure.

Back from the end: a group ended when the last of what is in it did, a task could go on when the last of those before it had
ended, or its group began, or (in a loop with a limit) the iteration that made room for it ended. Had any stretch of it been
shorter, and nothing else as long beside it, the run would have ended earlier. Of a run that goes on it leads to what goes
on now. Called by messages.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from headrace_persistence.tracing.phases import joined, overlaid, stretches
from headrace_persistence.tracing.records import PLATFORM, Stretch, Task
from headrace_persistence.tracing.waits import ready_at
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev


class Step(NamedTuple):
    """One stretch of the path, and whose it is ("" = the run itself)."""

    path: str
    stretch: Stretch


@dataclass(slots=True)
class _Walk:
    """The way back: where it is in time, and the steps so far, last first."""

    tasks: Mapping[str, Task]
    now_us: int
    at: int
    children: dict[str, list[Task]]
    steps: list[Step] = field(default_factory=list)

    def spend(self, task: Task, since_us: int) -> None:
        """The path has passed on TASK since then."""
        since_us = min(since_us, self.at)
        own = overlaid([Stretch(PLATFORM, 0, since_us, self.at)], told(task, self.now_us)) if since_us < self.at else []
        self.steps += [Step(task.path, one) for one in reversed(own)]
        self.at = since_us


def critical_path(tasks: Mapping[str, Task], now_us: int) -> list[Step]:
    """In the order of time; of the last try of a run that was retried."""
    root = tasks.get("")
    if root is None:
        return []
    walk = _Walk(tasks, now_us, root.finished_us or now_us, _children(tasks, root))
    task, entering = root, True
    while True:
        last = _last_in(walk, task) if entering and task.is_group else None
        if last is not None:
            walk.spend(task, end_of(last, now_us))
            task = last
            continue
        ready, before = ready_at(walk.tasks, task)  # type: ignore[arg-type]
        walk.spend(task, max(ready, root.created_us))
        if not task.path or walk.at <= root.created_us:
            break
        entering = bool(before)
        if before:
            walk.spend(task, end_of(tasks[before], now_us))  # the room that it made was not taken at once
        task = tasks[before or lifecycle.parent_path(task.path)]
    return walk.steps[::-1]


def end_of(task: Task, now_us: int) -> int:
    """When it ended; what goes on ends now."""
    return task.finished_us or max(now_us, task.created_us)


def told(task: Task, now_us: int) -> list[Stretch]:
    """What is known of a task's time, up to now."""
    made = list(task.stretches)
    waiting, attempt = task.waiting, task.attempt
    if attempt is not None:
        made += _in_flight(task, attempt.number, attempt.start_us, now_us)
    elif waiting is not None and now_us > waiting.start_us:
        made.append(Stretch(waiting.cause, 0, waiting.start_us, now_us, waiting.detail))
    return joined(made)


def _in_flight(task: Task, number: int, start_us: int, now_us: int) -> list[Stretch]:
    """An attempt that goes on: its phases are told at its end."""
    held = list(task.held)
    if task.waiting is not None and now_us > task.waiting.start_us:
        held.append(Stretch(task.waiting.cause, number, task.waiting.start_us, now_us, task.waiting.detail))
    return stretches(number, start_us, max(now_us, start_us), ev.AttemptTimes(), held, task.running_us)


def _children(tasks: Mapping[str, Task], root: Task) -> dict[str, list[Task]]:
    """What is in each group, of those that the last try has to do with."""
    found: dict[str, list[Task]] = {}
    for task in tasks.values():
        if task.path and (not task.finished_us or task.finished_us >= root.created_us):
            found.setdefault(lifecycle.parent_path(task.path), []).append(task)
    return found


def _last_in(walk: _Walk, group: Task) -> Task | None:
    """What ended last in GROUP since it began, by the time that the walk has come to."""
    best: Task | None = None
    key = (0, 0)
    for one in walk.children.get(group.path, ()):
        end = end_of(one, walk.now_us)
        if end > walk.at or end < max(group.started_us, group.created_us) or not group.started_us:
            continue
        if not one.finished_us and not _goes_on(walk.tasks, one):
            continue
        if (end, one.order) > key:
            best, key = one, (end, one.order)
    return best


def _goes_on(tasks: Mapping[str, Task], task: Task) -> bool:
    """Whether it has not ended and waits for no other task."""
    return bool(task.started_us) or all(
        (one := tasks.get(path)) is not None and one.finished_us for path in task.upstream
    )
