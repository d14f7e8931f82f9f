"""headrace.v1 messages to the SDK's values. Pure. Used by api.calls and folding."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from headrace.errors import Problem
from headrace.models import (
    Artifact,
    Attempt,
    CacheAnswer,
    Failure,
    Run,
    Task,
    Validation,
    ValueReference,
    WaitingOn,
)
from headrace_protos.v1 import events_pb2, run_query_pb2, run_store_pb2, runs_pb2

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time(us: int) -> datetime | None:
    """Microseconds since the epoch; 0 = never."""
    return EPOCH + timedelta(microseconds=us) if us else None


def run_state(number: int) -> str:
    return events_pb2.RunState.Name(number).removeprefix("RUN_")  # type: ignore[arg-type]


def task_state(number: int) -> str:
    return events_pb2.TaskState.Name(number).removeprefix("TASK_")  # type: ignore[arg-type]


def attempt_state(number: int) -> str:
    return events_pb2.AttemptState.Name(number).removeprefix("ATTEMPT_")  # type: ignore[arg-type]


def failure(error: events_pb2.Error) -> Failure | None:
    """None where there is no error."""
    if not error.reason and not error.message:
        return None
    return Failure(error.reason, error.message, error.exit_code, error.log_tail)


def waiting_on(message: events_pb2.WaitingOn) -> WaitingOn | None:
    """None where it waits for nothing."""
    if not message.cause:
        return None
    return WaitingOn(
        events_pb2.WaitCause.Name(message.cause),
        message.detail,
        tuple(message.tasks),
        time(message.since_us),
        time(message.until_us),
    )


def parameters(values: events_pb2.Values) -> dict[str, Any]:
    """The parameters as JSON values; one that is kept by reference gives a ValueReference."""
    # sorted: a map has no order on the wire
    return {name: _value(one) for name, one in sorted(values.parameters.items())}


def _value(one: events_pb2.Value) -> Any:
    return ValueReference(one.uri, one.size, one.digest, one.type) if one.uri else json.loads(one.json or "null")


def artifacts(values: events_pb2.Values, path: str) -> dict[str, tuple[Artifact, ...]]:
    return {
        name: tuple(artifact(one, path, name, index) for index, one in enumerate(many.artifacts))
        for name, many in sorted(values.artifacts.items())
    }


def artifact(message: events_pb2.Artifact, path: str, name: str = "", index: int = 0) -> Artifact:
    """NAME and INDEX say where in the task's outputs it is; what an artifact calls itself may be another task's word."""
    return Artifact(
        task=path,
        name=name or message.name,
        index=index,
        type=message.schema_title,
        uri=message.uri,
        artifact_id=message.artifact_id,
        metadata=json.loads(message.metadata_json or "{}"),
        size=message.size,
        digest=message.digest,
    )


def outputs(values: events_pb2.Values) -> dict[str, Any]:
    """A run's outputs: parameters as values, an artifact as its URI, a list of artifacts as a list."""
    uris: dict[str, list[str]] = {
        name: [one.uri for one in many.artifacts] for name, many in sorted(values.artifacts.items())
    }
    return {**parameters(values), **{name: many[0] if len(many) == 1 else many for name, many in uris.items()}}


def cache_answer(message: runs_pb2.ExplainCacheResponse) -> CacheAnswer:
    return CacheAnswer(
        outcome=message.outcome,
        reason=message.reason,
        key=message.key,
        origin=message.origin,
        origin_created_at=time(message.origin_created_at_us),
        first_difference=message.first_difference,
        ours=message.ours,
        theirs=message.theirs,
        fields=tuple(message.fields),
    )


def run(message: run_query_pb2.Run) -> Run:
    return Run(
        run_id=message.run_id,
        state=run_state(message.state),
        display_name=message.display_name,
        description=message.description,
        pipeline_name=message.pipeline_name,
        pipeline_id=message.pipeline_id,
        pipeline_version_id=message.pipeline_version_id,
        experiment_id=message.experiment_id,
        archived=message.storage_state == run_store_pb2.ARCHIVED,
        pinned=message.pinned,
        error=failure(message.error),
        parameters=json.loads(message.parameters_json or "{}"),
        outputs=outputs(message.outputs),
        artifacts=artifacts(message.outputs, ""),
        revision=message.revision,
        tasks_total=message.tasks_total,
        task_counts=dict(message.task_counts),
        resumed_from=message.resumed_from,
        created_at=time(message.created_at_us),
        started_at=time(message.started_at_us),
        finished_at=time(message.finished_at_us),
    )


def attempt(message: run_query_pb2.Attempt) -> Attempt:
    return Attempt(
        number=message.number,
        state=attempt_state(message.state),
        error=failure(message.error),
        warnings=tuple(message.warnings),
        log_uri=message.log_uri,
        created_at=time(message.created_at_us),
        finished_at=time(message.finished_at_us),
    )


def task(message: run_query_pb2.Task) -> Task:
    return Task(
        path=message.path,
        state=task_state(message.state),
        parent=message.parent,
        key=message.key,
        display_name=message.display_name,
        kind=events_pb2.TaskKind.Name(message.kind),
        iteration=message.iteration,
        cached=message.cached,
        cached_from=message.cached_from,
        linked_from=message.linked_from,
        waiting_on=waiting_on(message.waiting_on),
        error=failure(message.error),
        skip_reason=message.skip_reason,
        attempts=tuple(attempt(one) for one in message.attempts),
        iteration_count=message.iteration_count,
        inputs=parameters(message.inputs),
        outputs=parameters(message.outputs),
        artifacts=artifacts(message.outputs, message.path),
        input_artifacts=artifacts(message.inputs, message.path),
        created_at=time(message.created_at_us),
        started_at=time(message.started_at_us),
        finished_at=time(message.finished_at_us),
    )


def validation(message: runs_pb2.ValidateResponse) -> Validation:
    return Validation(
        tuple(Problem(one.path, one.message) for one in message.problems),
        tuple(message.warnings),
        message.pipeline_name,
        message.tasks,
    )
