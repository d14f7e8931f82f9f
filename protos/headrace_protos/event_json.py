"""One event as a JSON object, the same in server-sent events and on the command line: docs/reference/watch.md. Pure.

Called by the apiserver's gateway and by the SDK.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf import json_format

from headrace_protos.v1 import events_pb2, run_query_pb2

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def event_objects(answer: run_query_pb2.WatchResponse) -> list[dict[str, Any]]:
    """The events of one answer of a watch."""
    sequences = answer.sequences or [event.seq for event in answer.events]
    return [_object(answer.run_id, event, at) for event, at in zip(answer.events, sequences, strict=True)]


def _object(run_id: str, event: events_pb2.Event, sequence: int) -> dict[str, Any]:
    kind = event.WhichOneof("kind") or ""  # "": of a release that is newer than this one
    inner = getattr(event, kind) if kind else None
    time = EPOCH + timedelta(microseconds=event.time_us)
    return {
        "sequence": sequence,
        "run_id": run_id,
        "seq": event.seq,
        "kind": kind,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "path": event.path,
        "attempt": event.attempt,
        "data": json_format.MessageToDict(inner, preserving_proto_field_name=True) if inner is not None else {},
    }
