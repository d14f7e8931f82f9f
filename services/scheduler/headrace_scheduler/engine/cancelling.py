"""Cancelling: what terminating a run, or its deadline, does to what is open (kfp-semantics 5.5, 8.4). Called by stepping.py.

Where exit tasks are wanted, the tasks that run whatever became of those before them (ALL_UPSTREAM_TASKS_COMPLETED), with all
that is inside them, go on in the groups that were open; everything else ends CANCELED, also what comes after an exit task.
"""

from __future__ import annotations

from headrace_protos.lifecycle import TASK_FINAL
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.beginning import begin_run
from headrace_scheduler.engine.drafting import Draft
from headrace_scheduler.engine.ending import end, end_group, stop_error, total
from headrace_scheduler.engine.rows import Row, Stage
from headrace_scheduler.engine.state import RunState


def terminate(draft: Draft, *, exit_tasks: bool) -> None:
    """A user ends the run; a second time, without exit tasks, also those that the first one let run."""
    state = draft.state.header.state
    again = draft.exiting and not exit_tasks
    if state not in (ev.RUN_PENDING, ev.RUN_RUNNING) and not again:
        return
    if state == ev.RUN_PENDING:
        begin_run(draft)  # its inputs are recorded, with their defaults, for a retry
        if draft.state.is_terminal:
            return
    # of a run that was PENDING no group is open
    terminating = ev.RunTerminating(run_exit_tasks=exit_tasks and state == ev.RUN_RUNNING)
    draft.emit(run_terminating=terminating)
    stop(draft)


def stop(draft: Draft) -> None:
    """Look at everything that is open: it is to end. Groups come before what is in them, and end after it."""
    for row in list(draft.state.rows()):
        if row.state not in TASK_FINAL:
            draft.state.push(row.path)


def expands(state: RunState, row: Row) -> bool:
    """Whether an open group has exit tasks that have not been created yet."""
    if not row.is_open_group or row.kind == ev.LOOP or row.created >= total(state, row):
        return False
    return any(task.on_completion for task in state.plan.dags[row.dag].tasks[row.created :])


def cancel(draft: Draft, row: Row) -> None:
    """End an open execution, or have its attempt ended; groups end when the last of their children has."""
    if row.state in TASK_FINAL:
        return
    if row.in_flight:
        if row.stage is not Stage.CANCEL:
            draft.enter(row, Stage.CANCEL)
        return
    if row.is_open_group:
        if row.open == 0:
            end_group(draft, row)
        return
    end(draft, row, ev.TASK_CANCELED, stop_error(draft))
