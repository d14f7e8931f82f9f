"""Preparing a task that runs user code: templates filled, resources parsed, the cache's ingredients; and one attempt's
Launch. Pure; everything here is a function of plan, recorded inputs and run, so that it is made again after a load.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from headrace_ir.values import Value, ValueProblem, decode, encode
from headrace_protos.lifecycle import parent_path, span_id, trace_id
from headrace_protos.v1 import cache_pb2, plan_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.bags import Bag
from headrace_scheduler.engine.indexing import TaskSpec
from headrace_scheduler.engine.placeholders import (
    PlaceholderProblem,
    Scope,
    expand_argv,
    late_constants,
    substitute,
    substitute_value,
    template,
)
from headrace_scheduler.engine.problems import TaskProblem
from headrace_scheduler.engine.quantities import quantity
from headrace_scheduler.engine.resolving import platform, run_root, runtime_artifacts
from headrace_scheduler.engine.rows import Row
from headrace_scheduler.engine.state import RunState
from headrace_scheduler.executors.port import AttemptId, Launch, Request, Template

LATE_PLATFORM = frozenset({"workspace_path"})
ATTEMPT_PHASE = "attempt"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all attempts of a task have in common."""

    inputs: Bag
    parameters: Mapping[str, str]
    image: str
    command: Sequence[Template]
    args: Sequence[Template]
    env: Mapping[str, Template]
    request: Request
    timeout_s: float


def prepare(state: RunState, row: Row, inputs: Bag) -> Prepared:
    """Fill the container's templates with the task's inputs. Raises TaskProblem."""
    spec = row.task
    container = spec.template.container
    try:
        scope = _scope(state, row, spec, inputs)
        return Prepared(
            inputs=inputs,
            parameters={name: encode(value) for name, value in inputs.parameters() if value is not None},
            image=substitute(container.image, scope),
            command=expand_argv(container.command, scope),
            args=expand_argv(container.args, scope),
            env={one.name: template(one.value, scope) for one in container.env},
            request=_request(container.resources, scope),
            timeout_s=_timeout(spec.template.platform_json),
        )
    except (PlaceholderProblem, ValueProblem) as problem:
        raise TaskProblem("InputResolution", f"task '{spec.key}': {problem.sentence}") from None


def import_request(state: RunState, row: Row, inputs: Bag) -> tuple[str, str]:
    """An importer's URI and metadata (JSON text). Raises TaskProblem."""
    spec = row.task
    importer = spec.template.importer
    try:
        scope = _scope(state, row, spec, inputs)
        if importer.WhichOneof("uri") == "constant":
            uri = substitute(importer.constant, scope)
        else:
            given = inputs.parameter(importer.input_parameter)
            uri = given if isinstance(given, str) else ""
        metadata = _metadata(importer.metadata_json, scope)
    except (PlaceholderProblem, ValueProblem) as problem:
        raise TaskProblem("InputResolution", f"importer '{spec.key}': {problem.sentence}") from None
    if not uri:
        raise TaskProblem("InputResolution", f"importer '{spec.key}': its URI is empty")
    return uri, metadata


def launch(state: RunState, row: Row, prepared: Prepared) -> Launch:
    """One attempt: the row's newest."""
    spec = row.task
    header = state.header
    span = span_id(header.run_id, row.path, row.attempts, ATTEMPT_PHASE)
    return Launch(
        attempt=AttemptId(header.run_id, row.path, row.attempts),
        namespace=header.namespace,
        pipeline_name=state.plan.pipeline_name,
        run_name=header.name,
        task_key=spec.key,
        image=prepared.image,
        command=prepared.command,
        args=prepared.args,
        env=prepared.env,
        parameters=prepared.parameters,
        inputs=prepared.inputs.artifacts,
        output_parameters=spec.output_types,
        output_artifacts=spec.output_artifacts,
        optional_outputs=spec.optional_outputs,
        task_root=f"{run_root(state)}/{folder(row.path)}/{row.attempts}",
        request=prepared.request,
        timeout_s=prepared.timeout_s,
        traceparent=f"00-{trace_id(header.run_id)}-{span}-01",
        platform_json=spec.template.platform_json,
    )


def folder(path: str) -> str:
    """A task's path as part of a URI: `for-loop-1[3]/train` → `for-loop-1/3/train`; no two tasks share one."""
    parts: list[str] = []
    while path:
        parent = parent_path(path)
        rest = path[len(parent) :]
        parts.append(rest[1:-1] if path.endswith("]") else quote(rest.lstrip("/"), safe=""))
        path = parent
    return "/".join(reversed(parts))


def ingredients(state: RunState, row: Row, prepared: Prepared) -> cache_pb2.Ingredients:
    """What the cache makes the task's key of."""
    spec = row.task
    container = spec.template.container
    made = cache_pb2.Ingredients(
        namespace=state.namespace,
        pipeline_name=state.plan.pipeline_name,
        component=spec.component,
        custom_key=spec.cache_key,
        image=prepared.image,
        command=container.command,
        args=container.args,
        env={one.name: one.value for one in container.env},
        parameters=prepared.parameters,
        output_parameters={
            name: plan_pb2.ParameterType.Name(plan_pb2.ParameterType.ValueType(kind))
            for name, kind in spec.output_types.items()
        },
        output_artifacts={
            one.name: f"{one.schema_title or one.instance_schema or one.schema_uri}@{one.schema_version}"
            for one in spec.output_artifacts
        },
    )
    for name, group in prepared.inputs.artifacts.items():
        made.artifacts[name].contents.extend(_content(one) for one in group.artifacts)
    return made


def _content(one: ev.Artifact) -> str:
    return one.digest or f"{one.uri}\n{one.metadata_json}"


def _scope(state: RunState, row: Row, spec: TaskSpec, inputs: Bag) -> Scope:
    values: dict[str, Value] = dict.fromkeys((*spec.declarations, *(one.name for one in spec.parameters)))
    values.update(inputs.parameters())
    texts = platform(state, row)
    constants = [one.name for one in spec.parameters if one.has_placeholders]
    return Scope(
        parameters=values,
        artifacts={
            name: runtime_artifacts(inputs.artifacts.get(name))
            for name in dict.fromkeys((*spec.input_artifacts, *inputs.artifacts))
        },
        platform=texts,
        output_parameters=frozenset(spec.output_types),
        output_artifacts=frozenset(one.name for one in spec.output_artifacts),
        late_platform=LATE_PLATFORM,
        late_parameters=late_constants(values, constants, texts, LATE_PLATFORM) if constants else {},
    )


def _request(resources: plan_pb2.Resources, scope: Scope) -> Request:
    cpu = _amount("CPU", resources.cpu_request or resources.cpu_limit, scope)
    memory = _amount("memory", resources.memory_request or resources.memory_limit, scope)
    kind = substitute(resources.accelerator_type, scope)
    count = _amount("accelerators", resources.accelerator_count, scope) if kind else 0.0
    return Request(cpu, int(memory), int(count), kind if count else "")


def _amount(what: str, text: str, scope: Scope) -> float:
    text = substitute(text, scope) if text else ""
    if not text:
        return 0.0
    try:
        return float(quantity(text))
    except ValueError as problem:
        raise TaskProblem("Resources", f"the request for {what}: {problem}") from None


def _timeout(platform_json: str) -> float:
    if "ctiveDeadlineSeconds" not in platform_json and "active_deadline_seconds" not in platform_json:
        return 0.0
    settings: dict[str, Any] = json.loads(platform_json)
    return float(settings.get("activeDeadlineSeconds") or settings.get("active_deadline_seconds") or 0)


def _metadata(metadata_json: str, scope: Scope) -> str:
    if not metadata_json:
        return ""
    return encode(substitute_value(decode(metadata_json), scope, keep_type=True))
