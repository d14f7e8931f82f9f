"""One run in the hands of this replica: its plan, its state, and the facts that wait for the next tick. No I/O.

`advance` turns the waiting facts into events and commands; admission is asked on the way, so that a task which finds its
slots at once costs one append and not two. Called by driving.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace_protos.v1 import events_pb2
from headrace_scheduler.engine import Step, step
from headrace_scheduler.engine.commands import Admit, Command
from headrace_scheduler.engine.contents import Content
from headrace_scheduler.engine.facts import Clock, Fact

Admitter = Callable[[str, Sequence[Admit]], Sequence[Fact]]


@dataclass(slots=True)
class Drive:
    """A loaded run. `plan` is the engine's index of it; `consumed` are inbox items that the next append uses up; while
    `storing` its last step waits for the store, and no other is taken.
    """

    plan: Any
    state: Any
    facts: list[Fact] = field(default_factory=list)
    consumed: list[int] = field(default_factory=list)
    deleting: bool = False
    storing: bool = False

    @property
    def run_id(self) -> str:
        """The run's UUID as text."""
        return str(self.state.run_id)


@dataclass(frozen=True, slots=True)
class Advance:
    """What one tick makes of one run; `state` is settled only when the events have been committed.

    `consumed` are the inbox items whose facts are in it; `contents` is to be stored before anything else is done.
    """

    state: Any
    events: tuple[events_pb2.Event, ...]
    commands: tuple[Command, ...]
    more: bool
    consumed: tuple[int, ...] = ()
    contents: Mapping[str, Content] = field(default_factory=dict)


def advance(drive: Drive, facts: Sequence[Fact], now_us: int, admit: Admitter) -> Advance:
    """Apply FACTS; Admit commands are answered by ADMIT at once and their answers applied in the same tick."""
    state = drive.state
    events: list[events_pb2.Event] = []
    commands: list[Command] = []
    contents: dict[str, Content] = {}
    more = False
    pending: Sequence[Fact] = facts
    while True:
        taken: Step = step(drive.plan, state, (Clock(now_us), *pending))
        state = taken.state
        events.extend(taken.events)
        contents.update(taken.contents)
        asked = [command for command in taken.commands if isinstance(command, Admit)]
        commands.extend(command for command in taken.commands if not isinstance(command, Admit))
        more = more or taken.more
        pending = admit(drive.run_id, asked) if asked else ()
        if not pending:
            return Advance(state, tuple(events), tuple(commands), more, tuple(drive.consumed), contents)
