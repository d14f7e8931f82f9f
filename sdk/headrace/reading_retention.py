"""Messages about retention → the SDK's records. Pure; called by api.retention and api.provenance."""

from __future__ import annotations

from datetime import timedelta

from headrace import reading
from headrace.retention import Erased, Erasure, Going, Kept, Policy, RetentionPlan
from headrace_protos.v1 import retention_pb2


def policy(message: retention_pb2.RetentionPolicy) -> Policy:
    return Policy(
        kind=message.kind,
        namespace=message.namespace,
        pipeline=message.pipeline_name,
        max_age=timedelta(seconds=message.max_age_s) if message.HasField("max_age_s") else None,
        max_count=message.max_count if message.HasField("max_count") else None,
        version=message.version,
        declared=message.declared,
        changed_at=reading.time(message.changed_at_us),
    )


def plan(message: retention_pb2.RetentionPlan) -> RetentionPlan:
    return RetentionPlan(
        going=tuple(
            Going(
                kind=one.kind,
                name=one.name,
                namespace=one.namespace,
                pipeline=one.pipeline_name,
                why=one.why,
                size=one.size,
                created_at=reading.time(one.created_at_us),
            )
            for one in message.actions
        ),
        kept=tuple(Kept(one.kind, one.name, one.why) for one in message.kept),
        problems=tuple(message.problems),
        more=message.more,
    )


def erasure(message: retention_pb2.Erasure) -> Erasure:
    return Erasure(
        number=message.id,
        artifact_id=message.artifact_id,
        derived=message.derived,
        asked_by=message.asked_by,
        reason=message.reason,
        asked_at=reading.time(message.asked_at_us),
        finished_at=reading.time(message.finished_at_us),
        artifacts=tuple(Erased(one.id, one.artifact_id, one.type, one.uri) for one in message.artifacts),
        objects=tuple(message.objects),
        runs=tuple(message.runs),
        not_erased=tuple(message.not_erased),
    )
