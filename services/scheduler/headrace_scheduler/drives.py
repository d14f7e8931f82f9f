"""One run in the hands of this replica: its plan, its state, and the facts that wait for the next tick. No I/O.

`advance` turns the waiting facts into events and commands; admission is asked on the way, so that a task which finds its
slots at once costs one append and not two. Called by driving.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace_metrics.definitions import STEP_SECONDS
from headrace_protos.v1 import events_pb2, run_store_pb2
from headrace_scheduler.engine import Step, step
from headrace_scheduler.engine.commands import Admit, Command
from headrace_scheduler.engine.contents import Content
from headrace_scheduler.engine.drafting import BUDGET, BUDGET_BYTES
from headrace_scheduler.engine.facts import Clock, Fact

Admitter = Callable[[str, Sequence[Admit]], Sequence[Fact]]


@dataclass(slots=True)
class Drive:
    """A loaded run. `plan` is the engine's index of it; `state` is what is durable, `ahead` the state of the last step that
    is not yet; while `storing` its last step waits for the store, and no other is taken.
    """

    plan: Any
    state: Any
    ahead: Any = None
    facts: list[Fact] = field(default_factory=list)
    inbox: list[tuple[int, int]] = field(default_factory=list)  # items that an append is to use up, see `deliver`
    claimed: int = 0  # of them, the first ones: steps that are not durable yet use them up
    applied: int = 0  # facts, since the run was loaded
    deleting: bool = False
    keeps_cache: bool = True  # of one that is deleted: all who asked for it say so
    storing: bool = False

    @property
    def run_id(self) -> str:
        """The run's UUID as text."""
        return str(self.state.run_id)

    @property
    def newest(self) -> Any:
        """The state that the next step is taken from."""
        return self.state if self.ahead is None else self.ahead

    @property
    def waits(self) -> bool:
        """Whether there is anything for a step to apply or use up."""
        return bool(self.facts) or len(self.inbox) > self.claimed

    def deliver(self, inbox_id: int, fact: Fact | None) -> None:
        """An inbox item: an append uses it up once its fact, and with it all that came before, is applied."""
        if fact is not None:
            self.facts.append(fact)
        self.inbox.append((self.applied + len(self.facts), inbox_id))

    def note(self, request: run_store_pb2.DeliverRequest) -> None:
        """A request for the run's deletion is no fact."""
        if request.WhichOneof("item") == "delete":
            self.deleting = True
            self.keeps_cache &= request.delete.keep_cache

    def take(self) -> list[Fact]:
        """Facts for one step, no more than it may apply."""
        taken = self.facts[:BUDGET]
        del self.facts[:BUDGET]
        self.applied += len(taken)
        return taken

    def give_back(self, left: Sequence[Fact]) -> None:
        """These were not applied: they come first in the next step."""
        self.facts[:0] = left
        self.applied -= len(left)

    def claim(self) -> tuple[int, ...]:
        """The inbox items whose facts are applied by now, oldest first, for the step that is being taken."""
        claimed = tuple(inbox_id for after, inbox_id in self.inbox[self.claimed :] if after <= self.applied)
        self.claimed += len(claimed)
        return claimed

    def commit(self, step: Advance) -> None:
        """The step, the first of those that were not, is durable."""
        self.state = step.state.settle()
        if self.ahead is step.state:
            self.ahead = None
        del self.inbox[: len(step.consumed)]
        self.claimed -= len(step.consumed)


@dataclass(frozen=True, slots=True)
class Advance:
    """What one tick makes of one run; `state` is settled only when the events have been committed. `more`: facts that it
    had are left, or the state has more to do.

    `consumed` are the inbox items whose facts are in it; `contents` is to be stored before anything else is done.
    """

    state: Any
    events: tuple[events_pb2.Event, ...]
    commands: tuple[Command, ...]
    more: bool
    consumed: tuple[int, ...] = ()
    contents: Mapping[str, Content] = field(default_factory=dict)
    size: int = 0  # bytes of the events


def advance(drive: Drive, now_us: int, admit: Admitter) -> Advance:
    """Apply the facts that wait; Admit commands are answered by ADMIT at once and their answers applied in the same tick,
    where it has room for them.
    """
    state = drive.newest
    events: list[events_pb2.Event] = []
    commands: list[Command] = []
    contents: dict[str, Content] = {}
    left: tuple[Fact, ...] = ()
    more = False
    size = 0
    pending: Sequence[Fact] = drive.take()
    while True:
        with STEP_SECONDS.time():
            taken: Step = step(drive.plan, state, (Clock(now_us), *pending))
        state = taken.state
        events.extend(taken.events)
        contents.update(taken.contents)
        size += taken.size
        asked = [command for command in taken.commands if isinstance(command, Admit)]
        commands.extend(command for command in taken.commands if not isinstance(command, Admit))
        more = more or taken.more
        left = (*taken.left, *left)
        pending = admit(drive.run_id, asked) if asked else ()
        if not pending or len(events) >= BUDGET or size >= BUDGET_BYTES:
            drive.give_back((*pending, *left))
            more = more or bool(drive.facts)
            return Advance(state, tuple(events), tuple(commands), more, drive.claim(), contents, size)
