"""What an attempt came to as the message that drives its run. Pure; called by the process executor and by a Pod's companion."""

from __future__ import annotations

import json
import uuid
from typing import Final, Protocol

from headrace_companion.results import AttemptResult, PublishedArtifact, Reason
from headrace_ir.references import write_reference
from headrace_protos.lifecycle import task_id
from headrace_protos.v1 import attempts_pb2, events_pb2

TAIL_BYTES: Final = 4096
CLASSES: Final = {
    Reason.TIMED_OUT: events_pb2.TIMEOUT,
    Reason.OUT_OF_MEMORY: events_pb2.OUT_OF_MEMORY,
    Reason.LOST: events_pb2.PREEMPTED,
    Reason.LAUNCH: events_pb2.INFRASTRUCTURE,
    Reason.INTERNAL: events_pb2.INFRASTRUCTURE,
}
STATES: Final = {Reason.LOST: events_pb2.ATTEMPT_LOST, Reason.CANCELED: events_pb2.ATTEMPT_CANCELED}


class Attempted(Protocol):
    """What names an attempt: the port's AttemptId, or the companion's own."""

    @property
    def run_id(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def number(self) -> int: ...


def report(attempt: Attempted, result: AttemptResult) -> attempts_pb2.AttemptResult:
    """The message that drives the run."""
    message = attempts_pb2.AttemptResult(log_uri=result.log_uri, warnings=result.warnings)
    for field, seconds in (
        ("admitted_us", result.times.admitted),
        ("scheduled_us", result.times.admitted),
        ("image_ready_us", result.times.environment_ready),
        ("staged_us", result.times.staged),
        ("started_us", result.times.started),
        ("ended_us", result.times.ended),
        ("published_us", result.times.published),
    ):
        setattr(message.times, field, int(seconds * 1_000_000))
    if result.failure is not None:
        message.state = STATES.get(result.failure.reason, events_pb2.ATTEMPT_FAILED)
        message.error.CopyFrom(_error(result))
        return message
    message.state = events_pb2.ATTEMPT_SUCCEEDED
    for name, text in result.parameters.items():
        message.outputs.parameters[name].json = text
    for name, ref in result.references.items():
        write_reference(message.outputs.parameters[name], ref)
    for name, published in result.artifacts.items():
        message.outputs.artifacts[name].SetInParent()
        for index, one in enumerate(published):
            message.outputs.artifacts[name].artifacts.append(_artifact(attempt, name, index, one))
    return message


def _error(result: AttemptResult) -> events_pb2.Error:
    assert result.failure is not None
    failure = result.failure
    failure_class = CLASSES.get(failure.reason, events_pb2.USER)
    if failure.temporary:
        failure_class = events_pb2.INFRASTRUCTURE
    return events_pb2.Error(
        reason=failure.reason,
        message=failure.message,
        failure_class=failure_class,
        exit_code=exit_code(result),
        log_tail=failure.log_tail.encode()[-TAIL_BYTES:].decode("utf-8", "ignore"),
    )


def exit_code(result: AttemptResult) -> int:
    """The exit code as shells show it: 128 + signal for a process that a signal ended."""
    if result.signal is not None:
        return 128 + result.signal
    return result.exit_code or 0


def artifact_id(attempt: Attempted, output: str, index: int) -> str:
    """A function of run, path, attempt, output and index, so that a repeated report gives the same."""
    return str(uuid.uuid5(uuid.UUID(task_id(attempt.run_id, attempt.path)), f"{attempt.number}/{output}/{index}"))


def _artifact(attempt: Attempted, output: str, index: int, one: PublishedArtifact) -> events_pb2.Artifact:
    text = {key: str(one.type.get(key, "")) for key in ("schemaTitle", "schemaUri", "schemaVersion", "instanceSchema")}
    return events_pb2.Artifact(
        artifact_id=one.artifact_id or artifact_id(attempt, output, index),
        name=one.name,
        schema_title=text["schemaTitle"],
        schema_version=text["schemaVersion"],
        instance_schema=text["instanceSchema"],
        schema_uri=text["schemaUri"],
        uri=one.uri,
        metadata_json=json.dumps(one.metadata, separators=(",", ":"), ensure_ascii=False) if one.metadata else "",
        digest=one.digest or "",
        size=one.size or 0,
    )
