"""A step in the making: the overlay, the events so far, and which executions have something to ask for.

Every module that decides takes a Draft, and changes recorded fields by emitting events only. Made by stepping.py.
"""

from __future__ import annotations

from typing import Any

from headrace_ir.references import ValueRef, is_large
from headrace_ir.values import ValueProblem, check_size
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.bags import Bag
from headrace_scheduler.engine.commands import Command
from headrace_scheduler.engine.contents import Content, stored_text
from headrace_scheduler.engine.folding import apply
from headrace_scheduler.engine.problems import TaskProblem
from headrace_scheduler.engine.resolving import run_root
from headrace_scheduler.engine.rows import Row, Stage
from headrace_scheduler.engine.state import RunState

BUDGET = 2000  # events in one step, more or less: what one append may carry
BUDGET_BYTES = 1_000_000  # of them, more or less
BUDGET_CONTENTS = 32_000_000  # bytes of large values that wait for the store


class Draft:
    """`asked` are paths whose commands the step returns; `extra` commands that follow from no stage; `contents` is to be
    stored before the events are appended, by URI.
    """

    __slots__ = ("asked", "contents", "events", "extra", "kept", "now_us", "size", "state")

    def __init__(self, state: RunState, now_us: int) -> None:
        self.state = state
        self.now_us = now_us
        self.events: list[ev.Event] = []
        self.size = self.kept = 0
        self.asked: dict[str, None] = {}
        self.extra: list[Command] = []
        self.contents: dict[str, Content] = {}

    @property
    def full(self) -> bool:
        """Whether the rest has to wait for the next step."""
        return len(self.events) >= BUDGET or self.size >= BUDGET_BYTES or self.kept >= BUDGET_CONTENTS

    def emit(self, path: str = "", attempt: int = 0, time_us: int = 0, **kind: Any) -> None:
        """Append one event and apply it."""
        event = ev.Event()  # filled field by field: twice as fast as by its constructor, and there are very many
        event.seq = self.state.header.revision + 1
        event.time_us = time_us or self.now_us
        if path:
            event.path = path
        if attempt:
            event.attempt = attempt
        for name, message in kind.items():
            one = getattr(event, name)
            one.SetInParent()
            one.CopyFrom(message)
        self.events.append(event)
        self.size += event.ByteSize()
        apply(self.state, event)

    def stored(self, subject: str, bag: Bag) -> Bag:
        """The bag with its large values by reference. Raises TaskProblem where one is too large; `subject` is in its sentence."""
        large: dict[str, str | ValueRef] = {}
        for name, text in bag.texts():
            if isinstance(text, str) and is_large(text):
                large[name] = self.keep(f"{subject} '{name}'", stored_text(run_root(self.state), text), text)
        return bag.with_texts(large) if large else bag

    def keep(self, subject: str, ref: ValueRef, content: Content) -> ValueRef:
        """Have the content stored before this step's events. Raises TaskProblem where it is too large."""
        try:
            check_size(ref.size, self.state.plan.max_value_bytes)
        except ValueProblem as problem:
            raise TaskProblem("InputResolution", f"{subject} {problem.sentence}") from None
        self.contents[ref.uri] = content
        self.kept += ref.size if isinstance(content, str) else 0
        return ref

    def enter(self, row: Row, stage: Stage) -> Row:
        """Put an execution into a stage whose command the step returns."""
        own = self.state.edit(row.path)
        own.stage = stage
        self.asked[row.path] = None
        return own

    @property
    def stopping(self) -> bool:
        """Whether the run is being cancelled, or is over its deadline."""
        header = self.state.header
        return header.state == ev.RUN_CANCELING or header.expired

    def stops(self, row: Row) -> bool:
        """Whether nothing of an execution may start any more; exit tasks, and what is in them, may be allowed to."""
        return self.stopping and not (self.exiting and _in_exit_task(self.state, row))

    @property
    def exiting(self) -> bool:
        """Whether the run is being cancelled, but exit tasks of the groups that are open still run."""
        header = self.state.header
        return header.exit_tasks and header.state == ev.RUN_CANCELING


def _in_exit_task(state: RunState, row: Row) -> bool:
    """Whether an execution is, or is inside, a task that runs whatever became of those before it."""
    at = row
    while at.spec is not None:
        if at.spec.on_completion:
            return True
        at = state.known(at.parent)
    return False
