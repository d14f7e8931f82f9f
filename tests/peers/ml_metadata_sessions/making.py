"""Short ways to write types and nodes, for the sessions."""

from __future__ import annotations

from typing import Any

from google.protobuf import struct_pb2
from ml_metadata.proto import metadata_store_pb2 as ms

CLASSES = {
    "artifact": (ms.Artifact, ms.ArtifactType),
    "execution": (ms.Execution, ms.ExecutionType),
    "context": (ms.Context, ms.ContextType),
}


def type_of(
    kind: str, name: str, *, version: str = "", external_id: str = "", base: Any = None, **properties: Any
) -> Any:
    made = CLASSES[kind][1](name=name)
    if version:
        made.version = version
    if external_id:
        made.external_id = external_id
    if base is not None:
        made.base_type = base
    for key, value in properties.items():
        made.properties[key] = value
    return made


def node(kind: str, type_id: Any, **fields: Any) -> Any:
    """Fields, `properties` and `custom` as plain values."""
    properties, custom = fields.pop("properties", {}), fields.pop("custom", {})
    made = CLASSES[kind][0](**fields)
    if type_id is not None:
        made.type_id = type_id
    for holder, values in ((made.properties, properties), (made.custom_properties, custom)):
        for name, value in values.items():
            put(holder[name], value)
    return made


def put(into: ms.Value, value: Any) -> None:
    if isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int):
        into.int_value = value
    elif isinstance(value, float):
        into.double_value = value
    elif isinstance(value, str):
        into.string_value = value
    elif isinstance(value, dict):
        into.struct_value.CopyFrom(struct_pb2.Struct())
        into.struct_value.update(value)
    else:
        into.proto_value.Pack(value)


def event(execution: int | None, artifact: int | None, type_: Any, *path: Any, at: int | None = None) -> ms.Event:
    made = ms.Event(type=type_)
    if execution is not None:
        made.execution_id = execution
    if artifact is not None:
        made.artifact_id = artifact
    if at is not None:
        made.milliseconds_since_epoch = at
    for step in path:
        made.path.steps.add(**({"index": step} if isinstance(step, int) else {"key": step}))
    return made
