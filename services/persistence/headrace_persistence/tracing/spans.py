"""A run's events → its spans and what is known of its tasks. Pure; ids are functions of (run, path, number, phase), so whoever
makes them makes the same ones.

A task's time is told without gaps: what it waits for (`waiting`, one span for each cause), its attempts with their phases.
What was not told is the platform's own. Called by the handler of GetTrace (messages.py) and by exporting.py.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import replace
from typing import Final

from headrace_persistence.tracing.parts import add_to, count, iterations, summary
from headrace_persistence.tracing.phases import phases, stretches
from headrace_persistence.tracing.records import PLATFORM, UPSTREAM, Link, Span, Spent, Task, Waiting
from headrace_persistence.tracing.waits import end_held, open_wait, settle, tell
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev

PARALLELISM: Final = "parallelism"
RUN_ID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Tracer:
    """The trace of one run so far. Fed with its events in order, it says which spans each of them ended. KEEP: the paths of
    which it keeps the spans (None = all); TIMED: whether it keeps what the time of tasks was spent on, besides the account.
    """

    def __init__(self, run_id: str, name: str, *, keep: Container[str] | None = None, timed: bool = True) -> None:
        self.run_id, self.name, self._keep, self._timed = run_id, name, keep, timed
        self.trace_id = lifecycle.trace_id(run_id)
        self.seq = 0  # of the last event
        self.retries = 0
        self.resetting = False  # the last retry is told in more than one event
        self.tasks: dict[str, Task] = {}
        self.spans: list[Span] = []
        self.ended: list[Span] = []
        self.created = 0
        self.elsewhere: dict[tuple[str, str], int] = {}  # iterations of loops in which linked tasks of other runs are
        self.spent: dict[str, Spent] = {}  # of the tasks of the last try that have ended

    def keeps(self, path: str) -> bool:
        return self._keep is None or path in self._keep

    def feed(self, event: ev.Event) -> list[Span]:
        """Apply one event; answers with the spans that it ended."""
        self.ended = []
        kind = event.WhichOneof("kind") or ""
        if kind.startswith("run_"):
            _run(self, event, kind)
        elif kind in ("task_created", "task_reset"):
            _born(self, event)
        elif event.path in self.tasks and event.path:
            task = self.tasks[event.path]
            if kind.startswith("task_"):
                _task(self, task, event, kind)
            elif kind.startswith("attempt_"):
                _attempt(self, task, event, kind)
        self.seq = event.seq
        return self.ended

    def all_spans(self) -> list[Span]:
        """By start; open ones end at 0."""
        tasks = [task for task in self.tasks.values() if self.keeps(task.path)]
        found = [*self.spans, *(span for task in tasks if (span := open_wait(self, task)) is not None)]
        return sorted(found, key=lambda span: span.start_us)  # stable: what started first was opened first

    def span(self, path: str, number: int, phase: str, name: str, parent: str, start_us: int) -> Span:
        """A new span, open."""
        made = Span(lifecycle.span_id(self.run_id, path, number, phase), parent, name, path, number, phase, start_us)
        if self.keeps(path):
            self.spans.append(made)
        return made

    def account(self, task: Task) -> None:
        """A task has ended: its time is counted; what is not kept of it is forgotten."""
        add_to(self.spent, task.path, task.stretches)
        count(self.tasks, task)
        if not self.keeps(task.path):
            task.span, task.held = replace(task.span, attributes={}, links=()), []
        if not self._timed:
            task.stretches = []

    def end(self, span: Span, end_us: int, state: str = "", error: ev.Error | None = None) -> None:
        """A span ends, never before it began."""
        span.end_us = max(end_us, span.start_us)
        if state:
            span.state = state.partition("_")[2]
        if error is not None and error.reason:
            span.attributes |= {"error.type": error.reason, "error.message": error.message}
        self.ended.append(span)

    def link(self, path: str, number: int, phase: str, kind: str, run_id: str = "") -> Link:
        """To a span of this run or of another."""
        run_id = run_id or self.run_id
        loops = iterations(self.tasks) if run_id == self.run_id else lambda loop: self.elsewhere.get((run_id, loop), 0)
        trace_id = lifecycle.trace_id(run_id, lifecycle.part_of(path, loops))
        return Link(trace_id, lifecycle.span_id(run_id, path, number, phase), kind)


def traced(run_id: str, name: str, events: Iterable[ev.Event]) -> Tracer:
    """The trace of a run by its EVENTS, from the first on."""
    tracer = Tracer(run_id, name)
    for event in events:
        tracer.feed(event)
    return tracer


# ---- runs


def _run(made: Tracer, event: ev.Event, kind: str) -> None:
    root = made.tasks.get("")
    if kind == "run_created":
        span = made.span("", 0, "run", made.name, "", event.time_us)
        origin = event.run_created.resumed_from
        if origin:
            span.attributes["headrace.resumed_from"] = origin
        if RUN_ID.fullmatch(origin):
            span.links = (made.link("", 0, "run", "resumed", origin),)
        made.tasks[""] = Task("", ev.DAG, span, event.time_us)
    elif kind == "run_started" and root is not None:
        root.started_us = event.time_us
    elif kind == "run_retried":
        begun, made.resetting = made.resetting, event.run_retried.more
        if begun:
            return
        made.retries += 1
        made.spent = {}
        span = made.span("", made.retries, "run", f"{made.name} (retry {made.retries})", "", event.time_us)
        span.links = (made.link("", made.retries - 1, "run", "retry"),)
        made.tasks[""] = Task("", ev.DAG, span, event.time_us, started_us=event.time_us)
    elif kind == "run_finished" and root is not None:
        root.finished_us = event.time_us
        made.end(root.span, event.time_us, ev.RunState.Name(event.run_finished.state), event.run_finished.error)


# ---- tasks


def _born(made: Tracer, event: ev.Event) -> None:
    """It is created, or a retry puts it back (or opens it again, where it is a group of which not all runs again)."""
    path, before = event.path, made.tasks.get(event.path)
    reset = event.HasField("task_reset")
    told = (
        event.task_created if not reset else event.task_reset.created if event.task_reset.HasField("created") else None
    )
    group = lifecycle.parent_path(path)
    parent = made.tasks.get(group)
    name = (
        told.display_name if told is not None else before.span.name if before is not None else ""
    ) or path.rpartition("/")[2]
    span = made.span(path, made.retries, "task", name, parent.span.span_id if parent is not None else "", event.time_us)
    if before is not None:
        span.links = (made.link(path, before.span.number, "task", "retry"),)
    made.created += 1
    task = Task(path, ev.RUNTIME, span, event.time_us, order=made.created, told_us=event.time_us)
    if told is not None:
        task.kind = told.kind
        task.upstream = tuple(lifecycle.child_path(group, key) for key in told.upstream)
    elif before is not None:
        task.kind, task.upstream = before.kind, before.upstream
    if before is not None:
        task.iterations = before.iterations
    made.tasks[path] = task
    if reset and event.task_reset.reopen:
        task.started_us = event.time_us
        return
    if parent is not None and path.endswith("]") and parent.waiting is not None and parent.waiting.cause == PARALLELISM:
        task.freed_by = parent.last_ended
    task.waiting = Waiting(UPSTREAM if task.upstream else PLATFORM, event.time_us)


def _task(made: Tracer, task: Task, event: ev.Event, kind: str) -> None:
    if kind == "task_waiting":
        tell(made, task, event.time_us, event.task_waiting.waiting_on)
        return
    if kind != "task_started" or task.kind != ev.RUNTIME:  # of those the wait goes on until the attempt starts
        settle(made, task, event.time_us)
    if kind == "task_started":
        task.started_us = task.started_us or event.time_us
        task.iterations = event.task_started.iteration_count
    elif kind == "task_finished":
        _finished(made, task, event)


def _finished(made: Tracer, task: Task, event: ev.Event) -> None:
    finished = event.task_finished
    task.finished_us = max(event.time_us, task.created_us)
    span = task.span
    for kind, origin in (("cached", finished.cached_from), ("linked", finished.linked_from)):
        if origin:
            span.attributes[f"headrace.{kind}_from"] = origin
            run_id, _, path = origin.partition("/")
            if RUN_ID.fullmatch(run_id):
                span.links = (*span.links, made.link(path, 0, "task", kind, run_id))
    if finished.skip_reason:
        span.attributes["headrace.skip_reason"] = finished.skip_reason
    span.attributes |= summary(task)
    made.end(span, event.time_us, ev.TaskState.Name(finished.state), finished.error)
    made.account(task)
    parent = made.tasks.get(lifecycle.parent_path(task.path))
    if parent is not None:
        parent.last_ended = task.path


# ---- attempts


def _attempt(made: Tracer, task: Task, event: ev.Event, kind: str) -> None:
    if kind == "attempt_started":
        settle(made, task, event.time_us)
        number = event.attempt
        span = made.span(task.path, number, "attempt", f"{task.span.name} #{number}", task.span.span_id, event.time_us)
        if number > 1:
            span.links = (made.link(task.path, number - 1, "attempt", "retry"),)
        task.attempt, task.held, task.running_us = span, [], 0
        return
    attempt = task.attempt
    if attempt is None or attempt.number != event.attempt:
        return
    if kind == "attempt_launched":
        if event.attempt_launched.node:
            attempt.attributes["headrace.node"] = event.attempt_launched.node
            end_held(made, task, event.time_us)
            task.running_us = event.time_us
        return
    finished = event.attempt_finished
    end_held(made, task, event.time_us)
    made.end(attempt, event.time_us, ev.AttemptState.Name(finished.state), finished.error)
    for phase, start_us, end_us in phases(attempt.start_us, finished.times):
        made.end(made.span(task.path, attempt.number, phase, phase, attempt.span_id, start_us), end_us)
    within = (attempt.number, attempt.start_us, attempt.end_us)
    task.stretches += stretches(*within, finished.times, task.held, task.running_us)
    task.attempt, task.held, task.told_us = None, [], attempt.end_us
