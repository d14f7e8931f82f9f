"""From a Launch to what a companion is told: the message that a Pod's gets, and the value that it means. Pure.

The process executor works with the same value, made of the Launch without the way over the message.
"""

from __future__ import annotations

from headrace_companion.assignment import Assignment, OutputArtifact
from headrace_companion.wire import artifact, metadata_of, type_of
from headrace_ir.values import MAX_VALUE_BYTES, decode
from headrace_protos.lifecycle import attempt_path
from headrace_protos.v1 import assignments_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.task_settings import GRACE, WORKSPACE


def message_of(
    launch: port.Launch, max_value_bytes: int, grace_s: float, packages: str = "", pod: tuple[str, str] = ("", "")
) -> assignments_pb2.Assignment:
    """What a Pod's companion is told. POD: its name and UID. Of a variable's values that of the Pod itself (of secrets and the
    like) is taken before the component's, and that before ours.
    """
    taken = {one.name for one in launch.settings.env}
    message = assignments_pb2.Assignment(
        attempt=attempt_path(launch.attempt.path, launch.attempt.number),
        prefix=launch.task_root,
        argv=[_template(one) for one in (*launch.command, *launch.args)],
        parameters=launch.parameters,
        output_parameters=launch.output_parameters,
        output_artifacts=[_output(one) for one in launch.output_artifacts],
        optional_outputs=sorted(launch.optional_outputs),
        optional_inputs=sorted(launch.optional_inputs),
        max_value_bytes=max_value_bytes,
        timeout_s=launch.timeout_s,
        grace_s=_grace_s(launch, grace_s),
        traceparent=launch.traceparent,
        image=launch.image,
        workspace=WORKSPACE if launch.settings.workspace_claim else "",
        packages=packages,
        own_home="HOME" in {*taken, *launch.env},
    )
    for name, parts in {**_told(launch, *pod), **launch.env}.items():
        if name not in taken:
            message.env[name].CopyFrom(_template(parts))
    for name, parts in launch.late_parameters.items():
        message.late_parameters[name].CopyFrom(_template(parts))
    for name, held in launch.inputs.items():
        message.inputs[name].CopyFrom(held)
    for name, ref in launch.references.items():
        message.references[name].CopyFrom(
            assignments_pb2.Reference(uri=ref.uri, size=ref.size, digest=ref.digest, type=ref.type)
        )
    return message


def _told(launch: port.Launch, pod_name: str, pod_uid: str) -> dict[str, port.Template]:
    """What KFP's users find in their environment, and output of Python's as soon as it is written."""
    named = {"KFP_POD_NAME": pod_name, "KFP_POD_UID": pod_uid, "KFP_RUN_ID": launch.attempt.run_id}
    return {"PYTHONUNBUFFERED": "1", **{name: text for name, text in named.items() if text}}


def _grace_s(launch: port.Launch, otherwise: float) -> float:
    text = launch.settings.annotations.get(GRACE, "")
    return float(text) if text.isdecimal() else otherwise


def assignment_of(launch: port.Launch, max_value_bytes: int = MAX_VALUE_BYTES) -> Assignment:
    """What the companion needs of a Launch."""
    return Assignment(
        attempt=attempt_path(launch.attempt.path, launch.attempt.number),
        prefix=launch.task_root,
        argv=(*launch.command, *launch.args),
        env=launch.env,
        parameters={name: decode(text) for name, text in launch.parameters.items()},
        input_artifacts={name: [artifact(one) for one in held.artifacts] for name, held in launch.inputs.items()},
        output_parameters=launch.output_parameters,
        output_artifacts={
            one.name: OutputArtifact(type_of(made), metadata_of(made), one.is_list)
            for one, made in ((one, _output(one)) for one in launch.output_artifacts)
        },
        optional_outputs=launch.optional_outputs,
        optional_inputs=launch.optional_inputs,
        references=launch.references,
        late_parameters=launch.late_parameters,
        max_value_bytes=max_value_bytes,
    )


def _template(parts: port.Template) -> assignments_pb2.Template:
    return assignments_pb2.Template(parts=[_part(one) for one in ((parts,) if isinstance(parts, str) else parts)])


def _part(part: dict[str, str] | str) -> assignments_pb2.Part:
    if isinstance(part, str):
        return assignments_pb2.Part(text=part.encode("utf-8", "surrogatepass"))
    if "p" in part:
        return assignments_pb2.Part(place=part["p"], in_json="in" in part)
    return assignments_pb2.Part(text=part["t"].encode("utf-8", "surrogatepass"))


def _output(declared: port.OutputArtifact) -> assignments_pb2.OutputArtifact:
    return assignments_pb2.OutputArtifact(
        name=declared.name,
        schema_title=declared.schema_title,
        schema_version=declared.schema_version,
        instance_schema=declared.instance_schema,
        schema_uri=declared.schema_uri,
        is_list=declared.is_list,
        metadata_json=declared.metadata_json,
    )
