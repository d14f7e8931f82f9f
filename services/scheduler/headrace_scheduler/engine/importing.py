"""Importers: what they ask for, what their answers mean, and trying again (kfp-semantics 6.2, 6.4). Called by stepping.py.

An importer runs nowhere, so it has no attempts; only where one fails that is to be tried again are its tries recorded as
attempts, because their number has to outlive this process.
"""

from __future__ import annotations

from headrace_protos.lifecycle import Budget
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.attempting import paused, rest
from headrace_scheduler.engine.bags import Bag
from headrace_scheduler.engine.drafting import Draft
from headrace_scheduler.engine.ending import end
from headrace_scheduler.engine.facts import Imported
from headrace_scheduler.engine.launching import import_request
from headrace_scheduler.engine.problems import TaskProblem
from headrace_scheduler.engine.rows import Row, Stage

EXECUTOR = "importer"


def imported(draft: Draft, fact: Imported) -> None:
    """An importer's outcome."""
    row = draft.state.row(fact.path)
    if row is None or row.stage is not Stage.IMPORT or fact.number != row.attempts + 1:
        return
    inputs: Bag = row.prepared[0]
    if fact.artifact is None:
        _failed(draft, row, inputs, fact.problem or "the importer gave no artifact")
        return
    if row.attempts:
        _note_try(draft, row, inputs, ev.AttemptFinished(state=ev.ATTEMPT_SUCCEEDED))
    finished = ev.TaskFinished(state=ev.TASK_SUCCEEDED, inputs=inputs.message())
    for output in row.task.output_artifacts:
        finished.outputs.artifacts[output.name].artifacts.append(fact.artifact)
    draft.emit(fact.path, task_finished=finished)


def again(draft: Draft, row: Row) -> None:
    """An importer between two tries, its pause being over."""
    if row.stage is Stage.IMPORT:
        return
    try:
        request = import_request(draft.state, row, row.inputs)
    except TaskProblem as problem:
        end(draft, row, ev.TASK_FAILED, problem.error())
        return
    draft.enter(row, Stage.IMPORT).prepared = (row.inputs, *request)


def _failed(draft: Draft, row: Row, inputs: Bag, message: str) -> None:
    error = ev.Error(reason="Import", message=message, failure_class=ev.USER)
    pause = paused(draft.state, row)
    if pause is None and not row.attempts:
        finished = ev.TaskFinished(state=ev.TASK_FAILED, inputs=inputs.message(), error=error)
        draft.emit(row.path, task_finished=finished)
        return
    retry_at = 0 if pause is None or draft.stops(row) else draft.now_us + int(pause * 1e6)
    _note_try(draft, row, inputs, ev.AttemptFinished(state=ev.ATTEMPT_FAILED, error=error, retry_at_us=retry_at))
    own = draft.state.known(row.path)
    if not retry_at:
        end(draft, own, ev.TASK_FAILED, error)
    elif retry_at > draft.now_us:
        rest(draft, own, Budget.USER, message)


def _note_try(draft: Draft, row: Row, inputs: Bag, finished: ev.AttemptFinished) -> None:
    if row.state != ev.TASK_RUNNING:
        draft.emit(row.path, task_started=ev.TaskStarted(inputs=inputs.message()))
    number = row.attempts + 1
    draft.emit(row.path, number, attempt_started=ev.AttemptStarted(executor=EXECUTOR))
    draft.emit(row.path, number, attempt_finished=finished)
