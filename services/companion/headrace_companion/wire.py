"""The message by which a Pod's companion is told its attempt, as an Assignment. Pure; the scheduler makes the message."""

from __future__ import annotations

import json

from headrace_companion.assignment import ArtifactValue, Assignment, OutputArtifact, Template
from headrace_companion.templates import Part, json_part, late_part, text_part
from headrace_ir.references import ValueRef
from headrace_ir.values import MAX_VALUE_BYTES, Value, decode
from headrace_protos.v1 import assignments_pb2, events_pb2


def assignment(message: assignments_pb2.Assignment) -> Assignment:
    """The value of the message."""
    limit = message.max_value_bytes or MAX_VALUE_BYTES
    return Assignment(
        attempt=message.attempt,
        prefix=message.prefix,
        argv=[template(one) for one in message.argv],
        env={name: template(one) for name, one in message.env.items()},
        parameters={name: decode(text, limit) for name, text in message.parameters.items()},
        input_artifacts={name: [artifact(one) for one in held.artifacts] for name, held in message.inputs.items()},
        output_parameters=dict(message.output_parameters),
        output_artifacts={
            one.name: OutputArtifact(type_of(one), metadata_of(one), one.is_list) for one in message.output_artifacts
        },
        optional_outputs=frozenset(message.optional_outputs),
        optional_inputs=frozenset(message.optional_inputs),
        references={
            name: ValueRef(one.uri, one.size, one.digest, one.type) for name, one in message.references.items()
        },
        late_parameters={name: template(one) for name, one in message.late_parameters.items()},
        max_value_bytes=limit,
    )


def template(message: assignments_pb2.Template) -> Template:
    """The parts that a companion joins."""
    return [_part(one) for one in message.parts]


def _part(message: assignments_pb2.Part) -> Part:
    if message.WhichOneof("kind") == "place":
        return json_part(message.place) if message.in_json else late_part(message.place)
    return text_part(message.text.decode("utf-8", "surrogatepass"))


def artifact(one: events_pb2.Artifact) -> ArtifactValue:
    """An input artifact."""
    return ArtifactValue(one.name, one.uri, type_of(one), metadata_of(one), one.artifact_id)


def type_of(of: events_pb2.Artifact | assignments_pb2.OutputArtifact) -> dict[str, Value]:
    """An artifact's type as the IR has it: one form of schema, and its version."""
    kind: dict[str, Value]
    if of.instance_schema:
        kind = {"instanceSchema": of.instance_schema}
    else:
        kind = {"schemaUri": of.schema_uri} if of.schema_uri else {"schemaTitle": of.schema_title}
    return kind | {"schemaVersion": of.schema_version} if of.schema_version else kind


def metadata_of(of: events_pb2.Artifact | assignments_pb2.OutputArtifact) -> dict[str, Value]:
    """Its metadata."""
    held: dict[str, Value] = json.loads(of.metadata_json) if of.metadata_json else {}
    return held
