"""Turns: a retry of the run may open more iterations of a loop again than may run at a time. Then only the first ones go on, and
the next one each time that one of them ends.

`Header.turns` has the last iteration that may go on, by the path of the loop; loops within their limit are not there, which are
all of them but after a retry. Volatile, a function of the rows. Called by folding and loading; asked by stepping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace_protos.lifecycle import TASK_FINAL, iteration_path
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.rows import GROUPS, Row

if TYPE_CHECKING:
    from headrace_scheduler.engine.state import RunState


def held_by(state: RunState, row: Row) -> Row | None:
    """The loop around an execution in which it is not its iteration's turn yet."""
    turns, at = state.header.turns, row
    while turns and at.spec is not None:
        if at.iteration > turns.get(at.parent, at.iteration):
            return state.known(at.parent)
        at = state.known(at.parent)
    return None


def count_turns(state: RunState, loop: Row, reopened: Row | None = None) -> None:
    """After a load, or when an iteration was opened again: who may go on."""
    if loop.kind != ev.LOOP or loop.state != ev.TASK_RUNNING:
        return
    limit, found = loop.task.loop.limit, 0
    if not limit or loop.open <= limit:
        return
    if reopened is not None and reopened.iteration > state.header.turns.get(loop.path, loop.created):
        return
    for number in range(loop.created):
        found += _is_open(state, loop, number)
        if found == limit:
            state.header.turns[loop.path] = number
            return


def next_turn(state: RunState, loop: Row, ended: Row) -> None:
    """When an iteration has ended: whoever is next is looked at, with all that is open inside it."""
    turn = state.header.turns.get(loop.path)
    if turn is None or ended.iteration > turn:
        return
    following = next((one for one in range(turn + 1, loop.created) if _is_open(state, loop, one)), -1)
    if following < 0 or loop.open <= loop.task.loop.limit:
        del state.header.turns[loop.path]
    else:
        state.header.turns[loop.path] = following
    if following >= 0:
        _push_inside(state, iteration_path(loop.path, following))


def _is_open(state: RunState, loop: Row, number: int) -> bool:
    row = state.row(iteration_path(loop.path, number))
    return row is not None and row.state not in TASK_FINAL


def _push_inside(state: RunState, path: str) -> None:
    waiting = [path]
    while waiting:
        row = state.row(waiting.pop())
        if row is None or row.state in TASK_FINAL:
            continue
        state.push(row.path)
        if row.kind in GROUPS:
            waiting.extend(state.children(row))
