"""One step of a run: facts in, events and commands out. Pure: the state given is not changed.

Facts are applied one by one; then whatever they set going is looked at, first come, first served, until nothing is left
or the step is as large as one append may be: then `left` and `more` say so, and the next step goes on. Called by drives.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headrace_protos.lifecycle import RUN_FINAL, TASK_FINAL
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import attempting, beginning, importing
from headrace_scheduler.engine.cancelling import cancel, expands, stop, terminate
from headrace_scheduler.engine.commanding import commands_of
from headrace_scheduler.engine.commands import Command, WakeAt
from headrace_scheduler.engine.contents import Content
from headrace_scheduler.engine.drafting import Draft
from headrace_scheduler.engine.expanding import go_on
from headrace_scheduler.engine.facts import (
    Admitted,
    AttemptEnded,
    AttemptHeld,
    AttemptLaunched,
    CacheAnswered,
    CacheSettled,
    Clock,
    Fact,
    Imported,
    Queued,
    RetryRequested,
    TerminateRequested,
    Unplaceable,
    ValuesRead,
)
from headrace_scheduler.engine.indexing import PlanIndex
from headrace_scheduler.engine.problems import NeedsValues
from headrace_scheduler.engine.retrying import reset, retry
from headrace_scheduler.engine.rows import GROUPS, Row, Stage
from headrace_scheduler.engine.state import RunState
from headrace_scheduler.engine.turns import held_by

EXPANSION = 1800  # of a step's events: creating children comes before everything else, but not instead of it


@dataclass(frozen=True, slots=True)
class Step:
    """`state` is an overlay: call its `settle()` when the events are durable, or drop it. `more`: step again at once;
    `left`: the last of the facts, which were too many for one step, are to be given to the next one.

    `contents`, by URI, are to be in the store before the events are, or before the state is settled where there are none.
    """

    state: RunState
    events: tuple[ev.Event, ...]
    commands: tuple[Command, ...]
    more: bool = False
    contents: Mapping[str, Content] = field(default_factory=dict)
    left: tuple[Fact, ...] = ()
    size: int = 0  # bytes of the events


def step(plan: PlanIndex, state: RunState, facts: Sequence[Fact]) -> Step:
    """Apply FACTS, the first of which is a Clock."""
    clock = facts[0] if facts else None
    if not isinstance(clock, Clock):
        raise ValueError("the first fact of a step is a Clock")
    draft = Draft(state.overlay(), clock.now_us)
    draft.state.header.clock_us = clock.now_us
    _ring(draft)
    _expand(draft)
    applied = 1
    while applied < len(facts) and not draft.full:
        _apply(draft, facts[applied])
        applied += 1
    _work(draft)
    commands: list[Command] = list(draft.extra)
    for path in draft.asked:
        row = draft.state.row(path)
        if row is not None:
            commands.extend(commands_of(draft.state, row))
    deadline = draft.state.deadline_us()
    if deadline and deadline != state.deadline_us():
        commands.append(WakeAt(deadline))
    left = tuple(facts[applied:])
    return Step(
        draft.state, tuple(draft.events), tuple(commands), draft.state.has_work, draft.contents, left, draft.size
    )


def _apply(draft: Draft, fact: Fact) -> None:
    match fact:
        case AttemptEnded():
            attempting.ended(draft, fact)
        case AttemptLaunched():
            attempting.launched(draft, fact)
        case AttemptHeld():
            attempting.held(draft, fact)
        case Admitted():
            admitted = draft.state.row(fact.path)
            if admitted is not None and not draft.stops(admitted):
                beginning.admitted(draft, fact.path)
        case Queued() | Unplaceable():
            beginning.not_admitted(draft, fact)
        case CacheAnswered() | CacheSettled():
            beginning.cache_said(draft, fact)
        case Imported():
            importing.imported(draft, fact)
        case ValuesRead():
            beginning.values_read(draft, fact)
        case TerminateRequested():
            terminate(draft, exit_tasks=fact.run_exit_tasks)
        case RetryRequested():
            retry(draft)
        case Clock():
            raise ValueError("a step has one Clock")


def _work(draft: Draft) -> None:
    """Look at what is on the agenda until it is empty or the step is full; what is left stays on it."""
    header = draft.state.header
    if header.resetting:
        reset(draft)
        if header.resetting:
            draft.state.push("")
            return
    while not draft.full:
        soon = header.expanding if len(draft.events) < EXPANSION else None
        waiting = header.agenda or soon or header.later or header.expanding
        if not waiting:
            break
        _turn_to(draft, waiting.pop())
    if header.state in RUN_FINAL:
        draft.state.forget_work()


def _expand(draft: Draft) -> None:
    """Groups whose children do not all exist come first, with most of a step: a loop's items are to be seen soon."""
    expanding = draft.state.header.expanding
    while expanding and not draft.state.header.resetting and len(draft.events) < EXPANSION and not draft.full:
        _turn_to(draft, expanding.pop())


def _turn_to(draft: Draft, path: str) -> None:
    try:
        _look(draft, path)
    except NeedsValues as needed:
        beginning.ask_values(draft, needed)


def _look(draft: Draft, path: str) -> None:
    """Do whatever is next for one execution, if there is anything; looking twice does no harm."""
    row = draft.state.row(path)
    if row is None or row.state in TASK_FINAL:
        return
    if draft.stops(row):
        if draft.exiting and expands(draft.state, row):
            go_on(draft, row)
        else:
            cancel(draft, row)
    elif not path and draft.state.header.state == ev.RUN_PENDING:
        beginning.begin_run(draft)
    elif row.state == ev.TASK_RUNNING:
        if row.kind in GROUPS:
            go_on(draft, row)
        elif not row.in_flight:
            if attempting.due(draft, row):
                (importing if row.kind == ev.IMPORTER else attempting).again(draft, row)
        elif row.stage is Stage.LAUNCH:
            draft.asked[path] = None
    elif row.unmet == 0 and _rested(draft, row) and draft.state.known(row.parent).state == ev.TASK_RUNNING:
        _begin_in_turn(draft, row)  # a retry may have put its group back: then that comes first


def _begin_in_turn(draft: Draft, row: Row) -> None:
    loop = held_by(draft.state, row)
    if loop is None:
        beginning.begin(draft, row)
    else:
        limit = loop.task.loop.limit
        beginning.wait(draft, row, ev.PARALLELISM, f"at most {limit} iterations of '{loop.path}' run at a time")


def _rested(draft: Draft, row: Row) -> bool:
    """Whether an execution waits for no answer, or has waited long enough to ask the cache again."""
    if row.stage is Stage.HELD:
        return draft.state.timer(row.path) <= draft.now_us
    return row.stage is Stage.IDLE


# ---- time


def _ring(draft: Draft) -> None:
    """Put what is due on the agenda."""
    header = draft.state.header
    if header.next_timer_us and header.next_timer_us <= draft.now_us:
        timers = draft.state.timers()
        header.next_timer_us = 0
        for path, at in timers.items():
            if at <= draft.now_us:
                draft.state.push(path)
                draft.state.set_timer(path, 0)
            else:
                draft.state.set_timer(path, at)
    if 0 < draft.state.deadline_us() <= draft.now_us:
        header.expired = True
        stop(draft)
