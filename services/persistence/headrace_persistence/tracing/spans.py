"""A run's events → its spans. Pure; ids are functions of (run, path, number, phase), so whoever makes them makes the same ones.

A span's number is the attempt's for an attempt and its phases; for runs and tasks it counts the times that they were retried.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq

# Each phase of an attempt ends at one of its times; it begins where the one before ended. An executor may stage before it has
# the image or the environment, so their order is that of their ends.
PHASES: Final = (
    ("admitted", "admitted_us"),
    ("scheduled", "scheduled_us"),
    ("image", "image_ready_us"),
    ("staging", "staged_us"),
    ("running", "ended_us"),
    ("publishing", "published_us"),
)


@dataclass(slots=True)
class Tracer:
    """The spans of one run so far. Fed with its events in order, it says which spans each of them ended."""

    run_id: str
    name: str
    seq: int = 0  # of the last event
    spans: list[rq.Span] = field(default_factory=list)
    ended: list[rq.Span] = field(default_factory=list)
    retries: int = 0
    resetting: bool = False  # the last retry is told in more than one event
    root: rq.Span | None = None
    tasks: dict[str, rq.Span] = field(default_factory=dict)
    waits: dict[str, rq.Span] = field(default_factory=dict)
    attempts: dict[tuple[str, int], rq.Span] = field(default_factory=dict)

    def feed(self, event: ev.Event) -> list[rq.Span]:
        """Apply one event; answers with the spans that it ended."""
        self.ended = []
        _apply(self, event)
        self.seq = event.seq
        return self.ended

    def open(self, path: str, number: int, phase: str, name: str, parent: str, start_us: int) -> rq.Span:
        """A new span, open."""
        span = rq.Span(
            span_id=lifecycle.span_id(self.run_id, path, number, phase),
            parent_span_id=parent,
            name=name,
            path=path,
            attempt=number,
            phase=phase,
            start_us=start_us,
            attributes={"headrace.source": "event", "headrace.run_id": self.run_id},
        )
        if path:
            span.attributes["headrace.path"] = path
        self.spans.append(span)
        return span

    def end(self, span: rq.Span, end_us: int) -> None:
        """A span ends."""
        span.end_us = end_us
        self.ended.append(span)

    def parent_of(self, path: str) -> str:
        """The span that a task's span is in: its group's, or the root's."""
        group = self.tasks.get(lifecycle.parent_path(path))
        if group is not None and group.path != path:
            return group.span_id
        return self.root.span_id if self.root is not None else ""


def trace(run_id: str, name: str, events: Iterable[ev.Event]) -> list[rq.Span]:
    """The spans of a run by its EVENTS (from the first on), by start; open ones end at 0."""
    tracer = Tracer(run_id, name)
    for event in events:
        tracer.feed(event)
    return sorted(tracer.spans, key=lambda span: span.start_us)  # stable: what started first was opened first


def _apply(made: Tracer, event: ev.Event) -> None:
    kind = event.WhichOneof("kind") or ""
    if kind.startswith("run_"):
        _run(made, event, kind)
    elif kind.startswith("task_"):
        _task(made, event, kind)
    elif kind.startswith("attempt_"):
        _attempt(made, event, kind)


def _run(made: Tracer, event: ev.Event, kind: str) -> None:
    if kind == "run_created":
        made.root = made.open("", 0, "run", made.name, "", event.time_us)
        if event.run_created.resumed_from:
            made.root.attributes["headrace.resumed_from"] = event.run_created.resumed_from
    elif kind == "run_retried":
        begun, made.resetting = made.resetting, event.run_retried.more
        if begun:
            return
        before, made.retries = made.root, made.retries + 1
        made.root = made.open("", made.retries, "run", f"{made.name} (retry {made.retries})", "", event.time_us)
        if before is not None:
            made.root.attributes["headrace.link"] = before.span_id
    elif kind == "run_finished" and made.root is not None:
        _close(made, made.root, event.time_us, ev.RunState.Name(event.run_finished.state), event.run_finished.error)


def _task(made: Tracer, event: ev.Event, kind: str) -> None:
    if kind in ("task_created", "task_reset"):
        display = event.task_created.display_name or event.path.rpartition("/")[2]
        if kind == "task_reset" and event.path in made.tasks:
            display = made.tasks[event.path].name
        task = made.open(event.path, made.retries, "task", display, made.parent_of(event.path), event.time_us)
        made.tasks[event.path] = task
        if not event.task_reset.reopen:
            name = f"{display}: waiting"
            made.waits[event.path] = made.open(event.path, made.retries, "waiting", name, task.span_id, event.time_us)
        return
    found, waited = made.tasks.get(event.path), made.waits.get(event.path)
    if found is None:
        return
    if kind == "task_waiting":
        waiting = event.task_waiting.waiting_on
        if waited is not None and not waited.end_us:
            waited.attributes["headrace.waiting_on"] = ev.WaitCause.Name(waiting.cause)
            waited.attributes["headrace.waiting_detail"] = waiting.detail
        return
    if waited is not None and not waited.end_us:
        made.end(waited, event.time_us)
    if kind == "task_finished":
        finished = event.task_finished
        _close(made, found, event.time_us, ev.TaskState.Name(finished.state), finished.error)
        if finished.cached_from:
            found.attributes["headrace.cached_from"] = finished.cached_from
        if finished.linked_from:
            found.attributes["headrace.linked_from"] = finished.linked_from
        if finished.skip_reason:
            found.attributes["headrace.skip_reason"] = finished.skip_reason


def _attempt(made: Tracer, event: ev.Event, kind: str) -> None:
    key = (event.path, event.attempt)
    if kind == "attempt_started":
        task = made.tasks.get(event.path)
        name = f"{task.name if task is not None else event.path} #{event.attempt}"
        parent = task.span_id if task is not None else ""
        made.attempts[key] = made.open(event.path, event.attempt, "attempt", name, parent, event.time_us)
    elif key in made.attempts and kind == "attempt_launched":
        if event.attempt_launched.node:
            made.attempts[key].attributes["headrace.node"] = event.attempt_launched.node
    elif key in made.attempts:
        finished = event.attempt_finished
        _close(made, made.attempts[key], event.time_us, ev.AttemptState.Name(finished.state), finished.error)
        _phases(made, made.attempts[key], finished.times)


def _phases(made: Tracer, attempt: rq.Span, times: ev.AttemptTimes) -> None:
    """Where the attempt's time went: a phase that did not happen or is not known is left out."""
    start = attempt.start_us
    ends = [(phase, getattr(times, ended)) for phase, ended in PHASES]
    for phase, end_us in sorted(
        ends, key=lambda one: one[1]
    ):  # stable: of two that ended at once, in their order above
        if phase == "running" and times.started_us:
            start = max(start, times.started_us)  # clocks of two machines may differ
        if not end_us or end_us < start:
            continue
        span = made.open(attempt.path, attempt.attempt, phase, phase, attempt.span_id, start)
        made.end(span, end_us)
        start = end_us


def _close(made: Tracer, span: rq.Span, end_us: int, state: str, error: ev.Error) -> None:
    span.state = state.partition("_")[2]
    if error.reason:
        span.attributes["error.type"] = error.reason
        span.attributes["error.message"] = error.message
    made.end(span, end_us)
