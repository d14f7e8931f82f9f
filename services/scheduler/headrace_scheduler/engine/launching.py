"""Preparing a task that runs user code: templates filled, resources parsed; and one attempt's Launch.

Pure; everything here is a function of plan, recorded inputs and run, so that it is made again after a load. What the cache
makes a key of is in ingredients.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import quote

from headrace_ir.references import Held, ValueRef
from headrace_ir.values import ParameterType, Value, ValueProblem, decode, encode
from headrace_protos.lifecycle import child_path, parent_path, part_of, span_id, trace_id
from headrace_protos.v1 import plan_pb2
from headrace_scheduler.engine.bags import Bag
from headrace_scheduler.engine.indexing import TaskSpec
from headrace_scheduler.engine.placeholders import (
    PlaceholderProblem,
    Scope,
    expand_argv,
    late_constants,
    late_texts,
    substitute,
    substitute_value,
    template,
)
from headrace_scheduler.engine.platform_settings import Around, resolve_settings, timeout_s
from headrace_scheduler.engine.problems import TaskProblem
from headrace_scheduler.engine.quantities import kubernetes_resources, quantity
from headrace_scheduler.engine.resolving import platform, resource_name, run_root, runtime_artifacts, scope_parameter
from headrace_scheduler.engine.rows import Row
from headrace_scheduler.engine.state import RunState
from headrace_scheduler.engine.task_config import pass_through
from headrace_scheduler.executors.accelerators import ANNOTATION
from headrace_scheduler.executors.port import AttemptId, Launch, Request, Template
from headrace_scheduler.executors.task_settings import CLAIM_OPERATIONS, WORKSPACE, TaskSettings

ATTEMPT_PHASE = "attempt"
NO_SETTINGS = TaskSettings()
NO_REQUEST = Request()
IN_WORKSPACE = "_kfp_workspace"  # metadata of an artifact that lies in the workspace


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all attempts of a task have in common."""

    inputs: Bag
    parameters: Mapping[str, str]
    references: Mapping[str, ValueRef]
    late_parameters: Mapping[str, Template]
    image: str
    command: Sequence[Template]
    args: Sequence[Template]
    env: Mapping[str, Template]
    request: Request
    timeout_s: float
    settings: TaskSettings


def prepare(state: RunState, row: Row, inputs: Bag) -> Prepared:
    """Fill the container's templates with the task's inputs. Raises TaskProblem."""
    try:
        return _prepare(state, row, inputs)
    except (PlaceholderProblem, ValueProblem) as problem:
        raise TaskProblem("InputResolution", f"task '{row.task.key}': {problem.sentence}") from None


def _prepare(state: RunState, row: Row, inputs: Bag) -> Prepared:
    spec = row.task
    container = spec.template.container
    scope = _scope(state, row, spec, inputs)
    settings = _settings(state, row, scope)
    env: Sequence[plan_pb2.EnvVar] = container.env
    names = [name for name, declared in spec.declarations.items() if declared.type is ParameterType.TASK_CONFIG]
    if spec.passthroughs and names:
        variables = tuple((one.name, one.value) for one in container.env)
        passed = pass_through(
            spec.passthroughs, lambda: tuple((name, substitute(text, scope)) for name, text in variables), settings
        )
        settings, env = passed.settings, env if passed.env else ()
        inputs = Bag(dict(inputs.parameters()) | dict.fromkeys(names, passed.value), inputs.artifacts)
        scope = replace(scope, parameters={**scope.parameters, **dict.fromkeys(names, passed.value)})
    # To a claim's task a setting that was not given is not the one that its component has as a default (kfp-semantics 6.7).
    of_claim = container.image in CLAIM_OPERATIONS
    left_out = set(spec.declarations) - {one.name for one in spec.parameters} if of_claim else ()
    return Prepared(
        inputs=inputs,
        parameters={name: text for name, text in inputs.texts() if isinstance(text, str) and name not in left_out},
        references={name: text for name, text in inputs.texts() if isinstance(text, ValueRef)},
        late_parameters=late_constants(scope.parameters, _constants(spec), scope.platform),
        image=substitute(container.image, scope),
        command=expand_argv(container.command, scope),
        args=expand_argv(container.args, scope),
        env={one.name: template(one.value, scope) for one in env},
        request=_request(settings.resources, settings.annotations) if settings.resources else NO_REQUEST,
        timeout_s=timeout_s(spec.template.platform_json),
        settings=settings,
    )


def _settings(state: RunState, row: Row, scope: Scope) -> TaskSettings:
    """Platform settings, resources and the workspace. Most tasks have none, and there are many of them."""
    template = row.task.template
    settings = NO_SETTINGS
    if template.platform_json:
        settings = resolve_settings(template.platform_json, scope, _around(state, row))
    if template.container.resources.ByteSize():
        resources = kubernetes_resources(template.container.resources, lambda one: substitute(one, scope))
        settings = replace(settings, resources=resources) if resources else settings
    if _uses_workspace(scope, template.container):
        claim = f"{resource_name(state)}-kfp-workspace"
        settings = replace(settings, workspace_claim=claim, workspace_spec=state.plan.workspace_spec)
    return settings


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
            if isinstance(given, ValueRef):
                raise ValueProblem(f"its URI is a {given.shown}")
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
    part = part_of(row.path, lambda loop: state.known(loop).iteration_count)
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
        references=prepared.references,
        late_parameters=prepared.late_parameters,
        inputs=prepared.inputs.artifacts,
        output_parameters=spec.output_types,
        output_artifacts=spec.output_artifacts,
        optional_outputs=spec.optional_outputs,
        optional_inputs=frozenset(name for name, optional in spec.input_artifacts.items() if optional),
        task_root=f"{run_root(state)}/{folder(row.path)}/{row.attempts}",
        request=prepared.request,
        timeout_s=prepared.timeout_s,
        traceparent=f"00-{trace_id(header.run_id, part)}-{span}-01",
        settings=prepared.settings,
    )


def folder(path: str) -> str:
    """A task's path as part of a URI: `for-loop-1[3]/train` → `for-loop-1/3/train`; no two tasks share one."""
    parts: list[str] = []
    while path:
        parent = parent_path(path)
        rest = path[len(parent) :]
        parts.append(rest[1:-1] if path.endswith("]") else _quoted(rest.lstrip("/")))
        path = parent
    return "/".join(reversed(parts))


@lru_cache(maxsize=4096)
def _quoted(key: str) -> str:
    return quote(key, safe="")


def _scope(state: RunState, row: Row, spec: TaskSpec, inputs: Bag) -> Scope:
    values: dict[str, Held] = dict.fromkeys((*spec.declarations, *(one.name for one in spec.parameters)))
    values.update(inputs.parameters())
    texts = platform(state, row)
    scope = Scope(
        parameters=values,
        artifacts={
            name: runtime_artifacts(inputs.artifacts.get(name))
            for name in dict.fromkeys((*spec.input_artifacts, *inputs.artifacts))
        },
        platform=texts,
        output_parameters=frozenset(spec.output_types),
        output_artifacts=frozenset(one.name for one in spec.output_artifacts),
    )
    constants = _constants(spec)
    if not constants:
        return scope
    late = late_constants(values, constants, texts)
    return replace(scope, late_parameters=late_texts(late, constants, scope)) if late else scope


def _constants(spec: TaskSpec) -> dict[str, Value]:
    return {one.name: one.constant for one in spec.parameters if one.has_placeholders}


def _around(state: RunState, row: Row) -> Around:
    """What settings of a task may refer to: the DAG that holds it, also where it is an iteration itself."""
    dag = state.known(row.parent)
    if row.iteration >= 0:
        dag = state.known(dag.parent)

    def output(task: str, key: str) -> Value:
        sibling = state.row(child_path(dag.path, task))
        return None if sibling is None else _small(key, sibling.outputs.parameter(key))

    return Around(lambda name: _small(name, scope_parameter(state, dag, name)), output)


def _small(name: str, value: Held) -> Value:
    """What settings are made of: names and the like, never what lies in the store."""
    if isinstance(value, ValueRef):
        raise ValueProblem(f"a setting is given by '{name}', which is a {value.shown}")
    return value


def _uses_workspace(scope: Scope, container: plan_pb2.Container) -> bool:
    """Whether the task's inputs or its templates name the run's workspace, or an input lies in it."""
    if any(entries and IN_WORKSPACE in entries[0].get("metadata", {}) for entries in scope.artifacts.values()):
        return True
    templates = (container.command, container.args, (one.value for one in container.env))
    if any("$.workspace_path" in text or WORKSPACE in text for texts in templates for text in texts):
        return True
    return _name((scope.platform["workspace_path"], WORKSPACE), scope.parameters.values())


def _name(paths: tuple[str, str], values: Iterable[Held]) -> bool:
    """Whether a text in the values, at any depth, holds one of the paths."""
    for value in values:
        if isinstance(value, str):
            if any(path in value for path in paths):
                return True
        elif isinstance(value, (list, dict)) and _name(paths, value.values() if isinstance(value, dict) else value):
            return True
    return False


def _request(resources: Mapping[str, Mapping[str, str]], annotations: Mapping[str, str]) -> Request:
    """What admission counts: what is requested, else the limit; and the first accelerator, with what is said of it."""
    limits, requests = resources.get("limits", {}), resources.get("requests", {})

    def amount(name: str) -> float:
        text = requests.get(name) or limits.get(name)
        return float(quantity(text)) if text else 0.0

    kind = next((name for name in limits if name not in ("cpu", "memory")), "")
    count = int(amount(kind)) if kind else 0
    wanted = " ".join(one for one in (kind, annotations.get(ANNOTATION, "")) if one)
    return Request(amount("cpu"), int(amount("memory")), count, wanted if count else "")


def _metadata(metadata_json: str, scope: Scope) -> str:
    if not metadata_json:
        return ""
    return encode(substitute_value(decode(metadata_json), scope, keep_type=True))
