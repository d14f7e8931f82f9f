"""Retrying a run: what failed or was cancelled, and everything after it, goes back to PENDING inside the same executions;
groups that had been opened are opened again (kfp-semantics 8.4). Attempt numbers go on, budgets start afresh.

More resets than one append may carry come in several steps, in which nothing else happens; what is left of them follows from
the state, so that another replica goes on with it. Called by stepping.py.
"""

from __future__ import annotations

from headrace_protos.lifecycle import TASK_FINAL, child_path
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.drafting import BUDGET, Draft
from headrace_scheduler.engine.rows import GROUPS, Row
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
    for path, reopen in left[:room]:
        draft.emit(path, task_reset=ev.TaskReset(reopen=reopen))
    header.resets = left[room:]
    if header.resets:
        return
    header.resets = None
    if header.resetting:
        draft.emit(run_retried=ev.RunRetried())


def _resets(state: RunState) -> list[tuple[str, bool]]:
    """Paths to reset, groups before what is in them, and whether they are reopened. Some may have been reset already."""
    found: list[tuple[str, bool]] = []
    groups = [state.known("")]
    while groups:
        group = groups.pop()
        for row in _in_group(state, group):
            if row.state in TASK_FINAL:
                found.append((row.path, row.kind in GROUPS and row.started_at_us > 0))
            if row.kind in GROUPS and row.created:
                groups.append(row)
    return found


def _in_group(state: RunState, group: Row) -> list[Row]:
    """What of a group is to run again, in topological order; between two steps of a retry, only what it has reset is open."""
    children = [row for path in state.children(group) if (row := state.row(path)) is not None]
    if group.kind == ev.LOOP:
        return [row for row in children if _runs_again(row)]
    tasks = state.plan.dags[group.dag].tasks
    again: set[int] = set()
    for row in children:
        if _runs_again(row) or any(needed in again for needed in row.task.dependencies):
            again.add(row.task.index)
    rows = [state.row(child_path(group.path, tasks[index].key)) for index in sorted(again)]
    # what is inside a group that ended well is not known any more, and stands
    return [row for row in rows if row is not None and not _stands(row)]


def _runs_again(row: Row) -> bool:
    return row.state in ENDED_BADLY or row.state not in TASK_FINAL


def _stands(row: Row) -> bool:
    return row.kind in GROUPS and row.started_at_us > 0 and row.state in TASK_FINAL and row.state not in ENDED_BADLY
