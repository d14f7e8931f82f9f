"""What a task waited for, one span for each cause, and the time that nobody told. Pure; for spans.py and critical.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace_persistence.tracing.records import PLATFORM, RUNNING, UPSTREAM, Span, Stretch, Task, Waiting, wait_cause
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev

if TYPE_CHECKING:
    from headrace_persistence.tracing.spans import Tracer


def ready_at(tasks: dict[str, Task], task: Task) -> tuple[int, str]:
    """Since when a task could go on, and the path of what had to end for that; "" where its group (or the run) let it begin."""
    parent = tasks.get(lifecycle.parent_path(task.path)) if task.path else None
    at, before = task.created_us, ""
    if parent is not None:
        at = max(at, parent.started_us)
    acted = task.started_us or task.finished_us
    ends = [
        (one.finished_us, path) for path in task.upstream if (one := tasks.get(path)) is not None and one.finished_us
    ]
    ends = [one for one in ends if not acted or one[0] <= acted]
    if ends and max(ends)[0] >= at:
        at, before = max(ends)
    elif task.freed_by:
        before = task.freed_by
    return at, before


def tell(made: Tracer, task: Task, at: int, waiting: ev.WaitingOn) -> None:
    """What the task waits for from now on; nothing, where that has no cause."""
    cause = wait_cause(waiting) if waiting.cause else ""
    now = task.waiting
    if now is not None and now.cause == cause:
        now.detail = waiting.detail  # the same wait, with other numbers
        return
    if task.attempt is None:
        settle(made, task, at)
    else:
        end_held(made, task, at)
    if cause:
        task.waiting = Waiting(cause, at, waiting.detail)


def settle(made: Tracer, task: Task, at: int) -> None:
    """The time of a task outside of attempts is told up to AT: a wait ends, and what was not told is the platform's."""
    if task.attempt is not None:
        return
    waiting, task.waiting = task.waiting, None
    if waiting is not None:
        end = at if waiting.cause != UPSTREAM else min(max(ready_at(made.tasks, task)[0], waiting.start_us), at)
        _waited(made, task, waiting, end, task.span.span_id)
        task.told_us = max(task.told_us, end)
    if task.is_group and task.started_us:
        return  # what it does is what is in it
    if at > task.told_us:
        imports = task.kind == ev.IMPORTER and task.started_us
        if imports:
            task.stretches.append(Stretch(RUNNING, 0, task.told_us, at))
        else:
            _waited(made, task, Waiting(PLATFORM, task.told_us), at, task.span.span_id)
        task.told_us = at


def _waited(made: Tracer, task: Task, waiting: Waiting, end_us: int, parent: str) -> None:
    """A wait is over; one of no length is not worth a span."""
    if end_us <= waiting.start_us:
        return
    span = _wait_span(made, task, waiting, parent)
    if made.keeps(task.path):
        made.spans.append(span)
    made.end(span, end_us)
    task.waits += 1
    stretch = Stretch(
        waiting.cause, span.number if task.attempt is not None else 0, waiting.start_us, end_us, waiting.detail
    )
    if task.attempt is not None:
        task.held.append(stretch)
    else:
        task.stretches.append(stretch)


def _wait_span(made: Tracer, task: Task, waiting: Waiting, parent: str) -> Span:
    phase = f"waiting/{task.waits}" if task.waits else "waiting"
    made_id = lifecycle.span_id(made.run_id, task.path, task.span.number, phase)
    number = task.attempt.number if task.attempt is not None else task.span.number
    span = Span(made_id, parent, f"waiting: {waiting.cause}", task.path, number, "waiting", waiting.start_us)
    span.attributes["headrace.waiting_on"] = waiting.cause
    if waiting.detail:
        span.attributes["headrace.waiting_detail"] = waiting.detail
    return span


def open_wait(made: Tracer, task: Task) -> Span | None:
    """The wait that goes on, as a span that is open."""
    if task.waiting is None:
        return None
    parent = task.attempt.span_id if task.attempt is not None else task.span.span_id
    return _wait_span(made, task, task.waiting, parent)


def end_held(made: Tracer, task: Task, at: int) -> None:
    """The attempt in flight waits no longer, or for something else."""
    waiting, task.waiting = task.waiting, None
    if waiting is not None and task.attempt is not None:
        _waited(made, task, waiting, at, task.attempt.span_id)
