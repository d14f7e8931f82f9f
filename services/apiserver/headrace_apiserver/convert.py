"""Our messages to KFP's: times, structs, experiments, pipelines and versions.

Pure. Called by the handlers; runs are in convert_runs.
"""

from __future__ import annotations

import json
from typing import Any, Final

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from headrace_protos.kfp.v2beta1 import experiment_pb2, pipeline_pb2
from headrace_protos.v1 import catalog_pb2
from headrace_protos.v1.run_store_pb2 import StorageState
from headrace_servicekit.errors import Reason, ServiceError

MICROSECONDS: Final = 1_000_000


def timestamp(time_us: int) -> Timestamp:
    """KFP keeps whole seconds, and writes "never" as the epoch."""
    return Timestamp(seconds=time_us // MICROSECONDS)


def time_us(given: Timestamp) -> int:
    """0 where no time was given; Go clients send year 1 for that."""
    return max(given.seconds, 0) * MICROSECONDS + (given.nanos // 1000 if given.seconds > 0 else 0)


def struct_of(text: str) -> Struct:
    """A JSON object as a Struct."""
    struct = Struct()
    if text:
        try:
            ParseDict(json.loads(text), struct)
        except (ParseError, RecursionError, OverflowError) as fault:
            raise ServiceError(
                Reason.INVALID_SPEC, f"the stored spec cannot be shown as protobuf's Struct: {fault}"
            ) from None
    return struct


def plain(struct: Struct) -> dict[str, Any]:
    """A Struct as plain values: integral numbers as ints. Raises INVALID_INPUT for what JSON cannot hold."""
    try:
        tree: dict[str, Any] = MessageToDict(struct)
    except (ValueError, RecursionError) as wrong:
        raise ServiceError(Reason.INVALID_INPUT, f"a value cannot be expressed in JSON: {wrong}") from None
    return tree


def experiment(found: catalog_pb2.Experiment) -> experiment_pb2.Experiment:
    """The namespace stays empty: single-user mode shows none."""
    archived = found.storage_state == StorageState.ARCHIVED
    return experiment_pb2.Experiment(
        experiment_id=found.experiment_id,
        display_name=found.display_name,
        description=found.description,
        created_at=timestamp(found.created_at_us),
        storage_state=experiment_pb2.Experiment.ARCHIVED if archived else experiment_pb2.Experiment.AVAILABLE,
        last_run_created_at=timestamp(found.last_run_created_at_us),
    )


def pipeline(found: catalog_pb2.Pipeline) -> pipeline_pb2.Pipeline:
    """Without its versions, as KFP shows it."""
    return pipeline_pb2.Pipeline(
        pipeline_id=found.pipeline_id,
        display_name=found.display_name or found.name,
        name=found.name,
        description=found.description,
        created_at=timestamp(found.created_at_us),
        tags=dict(found.tags),
    )


def version(found: catalog_pb2.PipelineVersion) -> pipeline_pb2.PipelineVersion:
    """With its spec where persistence gave it (not in lists)."""
    converted = pipeline_pb2.PipelineVersion(
        pipeline_id=found.pipeline_id,
        pipeline_version_id=found.pipeline_version_id,
        display_name=found.display_name or found.name,
        name=found.name,
        description=found.description,
        created_at=timestamp(found.created_at_us),
        code_source_url=found.code_source_url,
        tags=dict(found.tags),
    )
    if found.package_url:
        converted.package_url.pipeline_url = found.package_url
    if found.spec_json:
        converted.pipeline_spec.CopyFrom(struct_of(found.spec_json))
    return converted
