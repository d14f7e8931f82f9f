"""Retrying a run: what failed or was cancelled, and everything after it, goes back to PENDING inside the same executions;
groups that had been opened are opened again (kfp-semantics 8.4). Attempt numbers go on, budgets start afresh.
"""

from __future__ import annotations

from headrace_protos.lifecycle import child_path
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.drafting import Draft
from headrace_scheduler.engine.rows import GROUPS, Row
from headrace_scheduler.engine.state import RunState

ENDED_BADLY = frozenset({ev.TASK_FAILED, ev.TASK_CANCELED})


def retry(draft: Draft) -> None:
    """A user retries the run; where its state forbids that, nothing happens. All resets come in one step."""
    if draft.state.header.state not in (ev.RUN_FAILED, ev.RUN_CANCELED):
        return
    resets = list(_resets(draft.state))
    draft.emit(run_retried=ev.RunRetried())
    for path, reopen in resets:
        draft.emit(path, task_reset=ev.TaskReset(reopen=reopen))


def _resets(state: RunState) -> list[tuple[str, bool]]:
    """Paths to reset, groups before what is in them, and whether they are reopened."""
    found: list[tuple[str, bool]] = []
    groups = [state.known("")]
    while groups:
        group = groups.pop()
        for row in _in_group(state, group):
            reopen = row.kind in GROUPS and row.started_at_us > 0
            found.append((row.path, reopen))
            if reopen:
                groups.append(row)
    return found


def _in_group(state: RunState, group: Row) -> list[Row]:
    children = [row for path in state.children(group) if (row := state.row(path)) is not None]
    if group.kind == ev.LOOP:
        return [row for row in children if row.state in ENDED_BADLY]
    tasks = state.plan.dags[group.dag].tasks
    again: set[int] = set()
    for row in children:  # in topological order
        if row.state in ENDED_BADLY or any(needed in again for needed in row.task.dependencies):
            again.add(row.task.index)
    rows = [state.row(child_path(group.path, tasks[index].key)) for index in sorted(again)]
    # what is inside a group that ended well is not known any more, and stands
    return [row for row in rows if row is not None and not _stands(row)]


def _stands(row: Row) -> bool:
    return row.kind in GROUPS and row.started_at_us > 0 and row.state not in ENDED_BADLY
