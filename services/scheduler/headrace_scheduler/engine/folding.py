"""Folding: what each event means for a run's state. The only code that changes recorded fields, for a step's own events
and for those read back alike; so that a state is the same whether it was lived, folded or loaded.

Nothing is decided here: events are applied as they are. What an event may set going is put on the agenda.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from headrace_protos.lifecycle import TASK_FINAL, Budget, budget_of, child_path
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2
from headrace_scheduler.engine.bags import EMPTY, Bag
from headrace_scheduler.engine.indexing import PlanIndex
from headrace_scheduler.engine.rows import GROUPS, NO_ERROR, Row, Stage
from headrace_scheduler.engine.state import ENDED_WELL, RunState, keep_little, new_row, note_failure
from headrace_scheduler.engine.turns import count_turns, next_turn


def fold(plan: PlanIndex, start: run_store_pb2.RunSnapshot | RunState, events: Iterable[ev.Event]) -> RunState:
    """The state after EVENTS; `start` may be the snapshot of a run at any revision, or a settled state (which is used up)."""
    state = start if isinstance(start, RunState) else RunState.load(plan, start)
    overlay = state.overlay()
    for event in events:
        apply(overlay, event)
    settled = overlay.settle()
    refresh(settled)
    return settled


def refresh(state: RunState) -> None:
    """Forget everything volatile of a settled state and derive it again, as a load does."""
    header = state.header
    state.forget_work()
    header.resets = None
    header.next_timer_us = 0
    header.turns.clear()
    for path in state.timers():
        state._timers.pop(path)
    for row in state.rows():
        row.stage = Stage.IDLE
        row.prepared = row.items = row.fetched = None
        state.restage(row)


def apply(state: RunState, event: ev.Event) -> None:
    """Change the overlay STATE by EVENT, which is the next one of the run."""
    header = state.header
    kind = event.WhichOneof("kind")
    if event.seq != header.revision + 1 or kind is None:
        raise ValueError(f"event {event.seq} ({kind}) cannot follow revision {header.revision}")
    header.revision = event.seq
    _APPLY[kind](state, event)


# ---- the run


def _run_created(state: RunState, event: ev.Event) -> None:
    state.header.state = ev.RUN_PENDING


def _run_started(state: RunState, event: ev.Event) -> None:
    state.header.state = ev.RUN_RUNNING
    state.header.started_at_us = event.time_us
    root = state.edit("")
    root.state = ev.TASK_RUNNING
    root.inputs = Bag.of_message(event.run_started.inputs)
    state.push("")


def _run_terminating(state: RunState, event: ev.Event) -> None:
    header = state.header
    header.state = ev.RUN_CANCELING
    header.exit_tasks = event.run_terminating.run_exit_tasks
    header.resetting = False
    state.edit("").state = ev.TASK_RUNNING


def _run_retried(state: RunState, event: ev.Event) -> None:
    header = state.header
    header.state = ev.RUN_RUNNING
    header.retried_at_us = event.time_us
    header.expired = header.exit_tasks = False
    header.resetting = event.run_retried.more
    root = state.edit("")
    root.state = ev.TASK_RUNNING
    root.outputs, root.error, root.finished_at_us = EMPTY, NO_ERROR, 0
    state.push("")


def _run_finished(state: RunState, event: ev.Event) -> None:
    finished = event.run_finished
    state.header.state = finished.state
    root = state.edit("")
    root.state = {
        ev.RUN_SUCCEEDED: ev.TASK_SUCCEEDED,
        ev.RUN_FAILED: ev.TASK_FAILED,
        ev.RUN_CANCELED: ev.TASK_CANCELED,
    }[finished.state]
    root.error = finished.error
    root.outputs = Bag.of_message(finished.outputs)
    root.finished_at_us = event.time_us


# ---- tasks


def _task_created(state: RunState, event: ev.Event) -> None:
    row = _add_child(state, event.path, event.task_created)
    if row.unmet == 0:
        _eligible(state, row)


def _add_child(state: RunState, path: str, created: ev.TaskCreated) -> Row:
    spec = state.plan.dags[created.dag].tasks[created.task]
    parent = state.edit(_parent(path, created.iteration))
    row = new_row(path, parent.path, spec, created.kind, created.iteration)
    row.unmet = state.unmet(row)
    state.add(row)
    parent.created += 1
    parent.open += 1
    return row


def _task_waiting(state: RunState, event: ev.Event) -> None:
    row = state.edit(event.path)
    waiting = event.task_waiting.waiting_on
    row.waiting_on = waiting if waiting.cause else None
    if row.state == ev.TASK_PENDING:
        row.state = ev.TASK_READY


def _task_started(state: RunState, event: ev.Event) -> None:
    row, started = state.edit(event.path), event.task_started
    row.state = ev.TASK_RUNNING
    row.inputs = Bag.of_message(started.inputs)
    row.iteration_count = started.iteration_count
    row.cache_key, row.cache_token = started.cache_key, started.cache_token
    row.started_at_us = event.time_us
    row.waiting_on = row.fetched = None
    if row.kind in GROUPS:
        state.push(event.path)
        if row.created:
            _open_again(state, row)


def _task_finished(state: RunState, event: ev.Event) -> None:
    row, finished = state.edit(event.path), event.task_finished
    row.state = finished.state
    row.error = finished.error if finished.HasField("error") else NO_ERROR
    row.outputs = Bag.of_message(finished.outputs) if finished.HasField("outputs") else EMPTY
    if finished.HasField("inputs"):
        row.inputs = Bag.of_message(finished.inputs)
    if finished.cache_key:
        row.cache_key = finished.cache_key
    row.cached = bool(finished.cached_from)
    row.linked = bool(finished.linked_from)
    row.finished_at_us = event.time_us
    row.waiting_on, row.retry_at_us = None, 0
    row.stage, row.prepared, row.items, row.fetched = Stage.IDLE, None, None, None
    state.set_active(event.path, on=False)
    if row.cache_token and not row.cached:
        row.stage = Stage.SETTLE
        state.set_settling(event.path, on=True)
    _tell_parent(state, row, 1)
    _tell_dependents(state, row, -1)
    if row.kind in GROUPS and finished.state in ENDED_WELL:
        state.drop_inside(row)
        keep_little(row)


def _task_reset(state: RunState, event: ev.Event) -> None:
    if state.row(event.path) is None:
        _know_again(state, event)
        return
    row = state.edit(event.path)
    if row.kind in GROUPS and not event.task_reset.reopen:
        state.drop_inside(row)  # what is in it is reset too, and known again then
        row.created = row.open = row.failed = row.canceled = row.skipped = row.failed_at_us = 0
    _tell_parent(state, row, -1)
    _tell_dependents(state, row, 1)
    row.outputs, row.error, row.waiting_on = EMPTY, NO_ERROR, None
    row.cached = row.linked = False
    row.finished_at_us = row.retry_at_us = 0
    row.user_failures = row.infrastructure_failures = row.preemptions = 0
    row.stage = Stage.IDLE
    if event.task_reset.HasField("created"):
        row.attempt_state, row.handle, row.node = 0, "", ""  # as for whoever had forgotten it
    state.set_settling(event.path, on=False)
    if event.task_reset.reopen:
        row.state = ev.TASK_RUNNING
        state.push(event.path)
    else:
        _back_to_pending(state, row)
    if row.iteration >= 0:
        count_turns(state, state.known(row.parent), row)


def _know_again(state: RunState, event: ev.Event) -> None:
    """What is inside a group that runs again from its start."""
    reset = event.task_reset
    row = _add_child(state, event.path, reset.created)
    row.attempts = reset.attempts
    if row.unmet == 0:
        _eligible(state, row)


def _open_again(state: RunState, row: Row) -> None:
    """A group that a retry had put back has started: what is in it goes on."""
    count_turns(state, row)
    for path in state.children(row):
        child = state.row(path)
        if child is not None and child.state not in TASK_FINAL and child.unmet == 0:
            state.push(path)


def _back_to_pending(state: RunState, row: Row) -> None:
    row.state = ev.TASK_PENDING
    row.inputs, row.iteration_count, row.started_at_us = EMPTY, 0, 0
    row.cache_key = row.cache_token = ""
    row.unmet = state.unmet(row)
    if row.unmet == 0:
        _eligible(state, row)


# ---- attempts


def _attempt_started(state: RunState, event: ev.Event) -> None:
    row = state.edit(event.path)
    row.attempts = event.attempt
    row.attempt_state = ev.ATTEMPT_STARTING
    row.handle, row.node, row.retry_at_us, row.waiting_on = "", "", 0, None
    row.image_digest = ""
    row.stage = Stage.LAUNCH


def _attempt_launched(state: RunState, event: ev.Event) -> None:
    row = state.edit(event.path)
    row.attempt_state = ev.ATTEMPT_RUNNING
    row.handle, row.node = event.attempt_launched.handle, event.attempt_launched.node
    row.image_digest = event.attempt_launched.image_digest
    if row.stage is Stage.LAUNCH:
        row.stage = Stage.FLIGHT


def _attempt_finished(state: RunState, event: ev.Event) -> None:
    row, finished = state.edit(event.path), event.attempt_finished
    row.attempt_state = finished.state
    row.retry_at_us = finished.retry_at_us
    row.stage = Stage.IDLE
    budget = budget_of(finished.state, finished.error.failure_class)
    row.user_failures += budget is Budget.USER
    row.preemptions += budget is Budget.PREEMPTION
    row.infrastructure_failures += budget is Budget.INFRASTRUCTURE
    if finished.retry_at_us:
        state.push(event.path)


# ---- what follows for others


def _eligible(state: RunState, row: Row) -> None:
    if row.kind not in GROUPS:
        state.set_active(row.path, on=True)
    if row.iteration >= 0:
        state.push_later(row.path)
    else:
        state.push(row.path)


def _tell_parent(state: RunState, row: Row, sign: int) -> None:
    """A child has ended (1), or is open again (-1)."""
    parent = state.edit(row.parent)
    parent.open -= sign
    if row.state == ev.TASK_FAILED:
        parent.failed += sign
        note_failure(parent, row)
    elif row.state == ev.TASK_CANCELED:
        parent.canceled += sign
    elif row.state == ev.TASK_SKIPPED:
        parent.skipped += sign
    if sign > 0 and (parent.open == 0 or (parent.kind == ev.LOOP and parent.task.loop.limit)):
        state.push(row.parent)
        if parent.path in state.header.turns:
            next_turn(state, parent, row)


def _tell_dependents(state: RunState, row: Row, change: int) -> None:
    if row.iteration >= 0 or row.spec is None or not row.spec.dependents:
        return
    tasks = state.plan.dags[row.spec.dag].tasks
    for index in row.spec.dependents:
        path = child_path(row.parent, tasks[index].key)
        if state.row(path) is None:
            continue
        dependent = state.edit(path)
        dependent.unmet += change
        if dependent.unmet == 0 and dependent.state not in TASK_FINAL:
            _eligible(state, dependent)


def _parent(path: str, iteration: int) -> str:
    return path[: path.rindex("[")] if iteration >= 0 else path.rpartition("/")[0]


_APPLY: dict[str, Callable[[RunState, ev.Event], None]] = {
    "run_created": _run_created,
    "run_started": _run_started,
    "run_terminating": _run_terminating,
    "run_retried": _run_retried,
    "run_finished": _run_finished,
    "task_created": _task_created,
    "task_waiting": _task_waiting,
    "task_started": _task_started,
    "task_finished": _task_finished,
    "task_reset": _task_reset,
    "attempt_started": _attempt_started,
    "attempt_launched": _attempt_launched,
    "attempt_finished": _attempt_finished,
}
