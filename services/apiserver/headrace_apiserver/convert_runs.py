"""Our runs and tasks to KFP's Run and PipelineTaskDetail.

Pure. Called by handlers.runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from google.protobuf.json_format import ParseDict
from google.rpc import code_pb2, status_pb2

from headrace_apiserver.convert import struct_of, timestamp
from headrace_protos import lifecycle
from headrace_protos.kfp.v2beta1 import run_pb2
from headrace_protos.v1 import events_pb2, run_query_pb2
from headrace_protos.v1.run_store_pb2 import StorageState

SERVICE_ACCOUNT: Final = "pipeline-runner"  # what KFP shows where none was given
# lifecycle.REASONS → google.rpc.Code, as far as one fits; the rest is UNKNOWN.
_CODES: Final = {
    "Canceled": code_pb2.CANCELLED,
    "TimedOut": code_pb2.DEADLINE_EXCEEDED,
    "DeadlineExceeded": code_pb2.DEADLINE_EXCEEDED,
    "OutOfMemory": code_pb2.RESOURCE_EXHAUSTED,
    "Resources": code_pb2.RESOURCE_EXHAUSTED,
    "Lost": code_pb2.UNAVAILABLE,
    "Internal": code_pb2.INTERNAL,
}
# The last attempt of a round → how the task ended in it.
_ROUND_ENDS: Final = {
    events_pb2.ATTEMPT_SUCCEEDED: run_pb2.SUCCEEDED,
    events_pb2.ATTEMPT_FAILED: run_pb2.FAILED,
    events_pb2.ATTEMPT_LOST: run_pb2.FAILED,
    events_pb2.ATTEMPT_CANCELED: run_pb2.CANCELED,
}


def run(found: run_query_pb2.Run, spec_json: str = "", tasks: Sequence[run_query_pb2.Task] = ()) -> run_pb2.Run:
    """A run's answer. SPEC_JSON is given for a run from an inline spec only; lists have neither spec nor tasks."""
    archived = found.storage_state == StorageState.ARCHIVED
    converted = run_pb2.Run(
        experiment_id=found.experiment_id,
        run_id=found.run_id,
        display_name=found.display_name,
        storage_state=run_pb2.Run.ARCHIVED if archived else run_pb2.Run.AVAILABLE,
        description=found.description,
        service_account=found.service_account or SERVICE_ACCOUNT,
        created_at=timestamp(found.created_at_us),
        scheduled_at=timestamp(found.scheduled_at_us or found.created_at_us),
        finished_at=timestamp(found.finished_at_us),
        state=run_state(found.state),
        recurring_run_id=found.recurring_run_id,
    )
    _add_source(converted, found, spec_json)
    _add_runtime_config(converted, found)
    if found.HasField("error"):
        converted.error.CopyFrom(status(found.error))
    for change in found.history:
        entry = converted.state_history.add(update_time=timestamp(change.time_us), state=run_state(change.state))
        if change.HasField("error"):
            entry.error.CopyFrom(status(change.error))
    if tasks:
        converted.run_details.task_details.extend(task_details(found.run_id, tasks, _retries(found)))
    return converted


def run_state(state: events_pb2.RunState.ValueType) -> run_pb2.RuntimeState.ValueType:
    """KFP's name for a run's state."""
    return run_pb2.RuntimeState.Value(lifecycle.KFP_RUN_STATE.get(state, "RUNTIME_STATE_UNSPECIFIED"))


def task_state(state: events_pb2.TaskState.ValueType) -> run_pb2.RuntimeState.ValueType:
    """KFP's name for a task's state."""
    return run_pb2.RuntimeState.Value(lifecycle.KFP_TASK_STATE.get(state, "RUNTIME_STATE_UNSPECIFIED"))


def shown_task_state(task: run_query_pb2.Task) -> run_pb2.RuntimeState.ValueType:
    """A task whose first attempt exists but cannot run yet (no node, the image) is PENDING for KFP's clients, as its Pod is."""
    waits = task.state == events_pb2.TASK_RUNNING and task.waiting_on.cause == events_pb2.LAUNCH
    return run_pb2.PENDING if waits and len(task.attempts) == 1 else task_state(task.state)


def status(error: events_pb2.Error) -> status_pb2.Status:
    """What failed, with the last lines of its log."""
    message = ": ".join(part for part in (error.reason, error.message) if part)
    if error.log_tail:
        message += f"\n{error.log_tail}"
    return status_pb2.Status(code=_CODES.get(error.reason, code_pb2.UNKNOWN), message=message)


def _retries(found: run_query_pb2.Run) -> list[int]:
    """When the run was retried."""
    changes = zip(found.history, found.history[1:], strict=False)
    return [after.time_us for before, after in changes if before.state in lifecycle.RUN_FINAL]


def task_details(
    run_id: str, tasks: Sequence[run_query_pb2.Task], retries: Sequence[int] = ()
) -> Iterable[run_pb2.PipelineTaskDetail]:
    """One for each task instance, groups and iterations included, in order of creation. RETRIES: when the run was retried."""
    ids = {task.path: task.task_id for task in tasks}
    children: dict[str, list[str]] = {}
    for task in tasks:
        if task.path:
            children.setdefault(task.parent, []).append(task.task_id)
    for task in tasks:
        detail = _task_detail(run_id, task, ids, children.get(task.path, ()) if task.path else ())
        _add_history(detail, task, retries)
        yield detail


def _task_detail(
    run_id: str, task: run_query_pb2.Task, ids: Mapping[str, str], children: Sequence[str]
) -> run_pb2.PipelineTaskDetail:
    state = shown_task_state(task)
    detail = run_pb2.PipelineTaskDetail(
        run_id=run_id,
        task_id=task.task_id,
        display_name=_display_name(task),
        create_time=timestamp(task.created_at_us),
        start_time=timestamp(0 if state == run_pb2.PENDING else task.started_at_us),
        end_time=timestamp(task.finished_at_us),
        state=state,
        execution_id=task.id,
        parent_task_id=ids.get(task.parent, "") if task.path else "",
        inputs=_artifact_lists(task.inputs),
        outputs=_artifact_lists(task.outputs),
        child_tasks=[run_pb2.PipelineTaskDetail.ChildTask(task_id=child) for child in children],
    )
    if task.attempts:
        failed = (events_pb2.ATTEMPT_FAILED, events_pb2.ATTEMPT_LOST)
        detail.executor_detail.main_job = lifecycle.attempt_path(task.path, task.attempts[-1].number)
        detail.executor_detail.failed_main_jobs.extend(
            lifecycle.attempt_path(task.path, attempt.number) for attempt in task.attempts if attempt.state in failed
        )
    if task.HasField("error"):
        detail.error.CopyFrom(status(task.error))
    return detail


def _display_name(task: run_query_pb2.Task) -> str:
    """Iterations of a loop share the loop's name; the index tells them apart."""
    name = task.display_name or task.key
    return f"{name}[{task.iteration}]" if task.path.endswith("]") and not name.endswith("]") else name


def _add_history(detail: run_pb2.PipelineTaskDetail, task: run_query_pb2.Task, retries: Sequence[int]) -> None:
    """Every turn of a task that ran user code, by its attempts; of another one that a retry has reset, the last round."""
    detail.state_history.add(update_time=timestamp(task.created_at_us), state=run_pb2.PENDING)
    for round_, retried_us in _earlier_rounds(task, retries):
        last = round_[-1]
        detail.state_history.add(update_time=timestamp(round_[0].created_at_us), state=run_pb2.RUNNING)
        ended = detail.state_history.add(update_time=timestamp(last.finished_at_us), state=_ROUND_ENDS[last.state])
        if last.HasField("error"):
            ended.error.CopyFrom(status(last.error))
        detail.state_history.add(update_time=timestamp(retried_us), state=run_pb2.PENDING)
    if task.started_at_us and shown_task_state(task) != run_pb2.PENDING:
        detail.state_history.add(update_time=timestamp(task.started_at_us), state=run_pb2.RUNNING)
    if task.finished_at_us:
        final = detail.state_history.add(update_time=timestamp(task.finished_at_us), state=task_state(task.state))
        if task.HasField("error"):
            final.error.CopyFrom(status(task.error))


def _earlier_rounds(
    task: run_query_pb2.Task, retries: Sequence[int]
) -> Iterable[tuple[Sequence[run_query_pb2.Attempt], int]]:
    """The attempts of each round that a retry has ended, with its time."""
    attempts = list(task.attempts)
    for retried_us in retries:
        before = [one for one in attempts if one.created_at_us < retried_us]
        if before and (task.started_at_us >= retried_us or not task.started_at_us):
            yield before, retried_us
            attempts = attempts[len(before) :]


def _artifact_lists(values: events_pb2.Values) -> dict[str, run_pb2.ArtifactList]:
    return {
        name: run_pb2.ArtifactList(artifact_ids=[artifact.id for artifact in found.artifacts if artifact.id])
        for name, found in values.artifacts.items()
    }


def _add_source(converted: run_pb2.Run, found: run_query_pb2.Run, spec_json: str) -> None:
    if found.pipeline_version_id or found.pipeline_id:
        converted.pipeline_version_reference.pipeline_id = found.pipeline_id
        converted.pipeline_version_reference.pipeline_version_id = found.pipeline_version_id
    elif spec_json:
        converted.pipeline_spec.CopyFrom(struct_of(spec_json))


def _add_runtime_config(converted: run_pb2.Run, found: run_query_pb2.Run) -> None:
    """Left out where none was given."""
    if found.parameters_json:
        ParseDict({"parameters": json.loads(found.parameters_json)}, converted.runtime_config)
        converted.runtime_config.SetInParent()
    if found.pipeline_root:
        converted.runtime_config.pipeline_root = found.pipeline_root
