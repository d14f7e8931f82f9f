"""Retrying a run: what failed or was cancelled, and everything after it, goes back to PENDING inside the same executions;
groups that had been opened are opened again (kfp-semantics 8.4). Attempt numbers go on, budgets start afresh. A group before
which something runs again begins anew, with other inputs, and all that is in it with it.

More resets than one append may carry come in several steps, in which nothing else happens; what is left of them follows from
the state, so that another replica goes on with it. Called by stepping.py.
"""

from __future__ import annotations

from headrace_protos.lifecycle import TASK_FINAL
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1.run_store_pb2 import TaskSnapshot
from headrace_scheduler.engine.drafting import BUDGET, Draft
from headrace_scheduler.engine.rows import GROUPS, Reset, Row
from headrace_scheduler.engine.state import RunState

ENDED_BADLY = frozenset({ev.TASK_FAILED, ev.TASK_CANCELED})


def retry(draft: Draft) -> None:
    """A user retries the run; where its state forbids that, nothing happens."""
    header = draft.state.header
    if header.state not in (ev.RUN_FAILED, ev.RUN_CANCELED):
        return
    header.resets = _resets(draft.state)
    draft.emit(run_retried=ev.RunRetried(more=len(header.resets) > BUDGET))
    reset(draft)


def reset(draft: Draft) -> None:
    """As many resets as the step takes; the last step of several says that they are complete."""
    header = draft.state.header
    left = _resets(draft.state) if header.resets is None else header.resets
    room = BUDGET - len(draft.events) if header.resetting else len(left)
    for path, reopen, known in left[:room]:
        draft.emit(path, task_reset=_event(draft.state, path, reopen, known))
    header.resets = left[room:]
    if header.resets:
        return
    header.resets = None
    header.inside = {}
    if header.resetting:
        draft.emit(run_retried=ev.RunRetried())


def _event(state: RunState, path: str, reopen: bool, known: TaskSnapshot | None) -> ev.TaskReset:
    if known is None:
        return ev.TaskReset(reopen=reopen)
    task = state.plan.dags[known.dag].tasks[known.task]
    created = ev.TaskCreated(
        kind=known.kind, display_name=task.display_name, dag=known.dag, task=known.task, iteration=known.iteration
    )
    return ev.TaskReset(created=created, attempts=known.attempts)


def _resets(state: RunState) -> list[Reset]:
    """What to reset, groups before what is in them. Some of it may have been reset already."""
    found: list[Reset] = []
    groups = [(state.known(""), False)]
    while groups:
        group, whole = groups.pop()
        for row, anew in _in_group(state, group, whole):
            if row.state in TASK_FINAL:
                reopen = row.kind in GROUPS and row.started_at_us > 0 and not anew
                found.append((row.path, reopen, _known(row) if whole else None))
            if row.kind not in GROUPS:
                continue
            groups.append((row, anew))
            if anew:
                _add_unknown(state, row.path, found)
    return found


def _in_group(state: RunState, group: Row, whole: bool) -> list[tuple[Row, bool]]:
    """What of a group is to run again, in topological order, and which groups of it anew: something before them runs again, or
    they were put back before and did not open. Between two steps of a retry, only what it has reset is open.
    """
    children = [row for path in state.children(group) if (row := state.row(path)) is not None]
    if whole:
        return [(row, True) for row in children]
    if group.kind == ev.LOOP:
        return [(row, not row.started_at_us) for row in children if _runs_again(row)]
    again: set[int] = set()
    found: list[tuple[Row, bool]] = []
    for row in children:
        follows = any(needed in again for needed in row.task.dependencies)
        if follows or _runs_again(row):
            again.add(row.task.index)
            found.append((row, follows or not row.started_at_us))
    return found


def _known(row: Row) -> TaskSnapshot:
    """What is known of a task in a group that begins anew: the group's reset makes the engine forget it."""
    return TaskSnapshot(
        path=row.path,
        kind=ev.TaskKind.ValueType(row.kind),
        dag=row.task.dag,
        task=row.task.index,
        iteration=row.iteration,
        attempts=row.attempts,
    )


def _add_unknown(state: RunState, group: str, found: list[Reset]) -> None:
    """What is inside a group that ended well, or was put back, has no row: all of it begins anew."""
    waiting = [group]
    while waiting:
        for task in state.header.inside.get(waiting.pop(), ()):
            if state.row(task.path) is None:
                found.append((task.path, False, task))
            waiting.append(task.path)


def _runs_again(row: Row) -> bool:
    return row.state in ENDED_BADLY or row.state not in TASK_FINAL
