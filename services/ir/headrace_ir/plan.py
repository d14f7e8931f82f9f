"""Compiling a validated pipeline to the Plan: the one message that the engine reads, stored with every run.

What is decided here: the order of tasks, all effective dependencies, defaults of policies, canonical JSON text of every
value. What is not: anything that needs a value of a run. Called by the apiserver once for each run (and for each
version, to answer quickly); `plan.proto` is the contract. Problems are `validating`'s: a Plan of an invalid pipeline is
not made.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from headrace_ir.advice import advice
from headrace_ir.checks.policies import parse_items
from headrace_ir.checks.scopes import Scope, dependencies, final_status_producer
from headrace_ir.checks.tasks import output_type
from headrace_ir.model import (
    MISSING,
    Artifact,
    ArtifactType,
    Component,
    Container,
    Executor,
    Importer,
    Input,
    Loop,
    Parameter,
    Retry,
    Returned,
    Selector,
    Source,
    Spec,
    Task,
)
from headrace_ir.reading import Package
from headrace_ir.validating import ensure_valid
from headrace_ir.values import decode, encode
from headrace_protos.v1 import plan_pb2 as pb

_T = TypeVar("_T")

VERSION = 1
DEFAULT_BACKOFF_FACTOR = 2.0
DEFAULT_MAX_BACKOFF = 3600.0
"""Seconds, the cap of each wait that the SDK documents; both stand where the spec says nothing."""


def compile_plan(package: Package) -> pb.Plan:
    """The Plan of a pipeline. Raises `SpecError` with every problem if it is not valid."""
    ensure_valid(package)
    return _compile(package.spec)


@dataclass(slots=True)
class _Compilation:
    """What grows while components are visited: indexes of DAGs and executors, in the order of their discovery."""

    spec: Spec
    plan: pb.Plan
    dags: dict[str, int] = field(default_factory=dict)
    executors: dict[tuple[str, str], int] = field(default_factory=dict)
    waiting: list[Component] = field(default_factory=list)
    interfaces: dict[str, pb.PlanTask] = field(default_factory=dict)
    """For each component a task with its declared interface and target, merged into every task that uses it."""

    def dag_index(self, component: Component) -> int:
        if component.name not in self.dags:
            self.dags[component.name] = len(self.dags)
            self.waiting.append(component)
        return self.dags[component.name]

    def executor_index(self, component: Component) -> int:
        executor = self.spec.executors[component.executor]
        output = next(iter(component.output_artifacts), "") if executor.importer is not None else ""
        key = (executor.label, output)
        if key not in self.executors:
            self.executors[key] = len(self.executors)
            self.plan.executors.append(_executor(executor, output))
        return self.executors[key]

    def interface(self, component: Component) -> pb.PlanTask:
        if component.name not in self.interfaces:
            self.interfaces[component.name] = self._interface(component)
        return self.interfaces[component.name]

    def _interface(self, component: Component) -> pb.PlanTask:
        is_dag = component.dag is not None
        made = pb.PlanTask(
            component=component.name,
            parameters=_parameters(component.inputs, group=is_dag),
            artifacts=_artifacts(component.input_artifacts, group=is_dag),
            output_parameters=_output_parameters(self.spec, component),
            output_artifacts=_artifacts(component.output_artifacts),
            task_config_passthroughs=[
                pb.Passthrough(field=one.field, apply_to_task=one.apply_to_task) for one in component.passthroughs
            ],
        )
        if is_dag:
            made.dag = self.dag_index(component)
        else:
            made.executor = self.executor_index(component)
        return made


def _compile(spec: Spec) -> pb.Plan:
    assert spec.root is not None, "a validated spec has a root"
    plan = pb.Plan(
        version=VERSION,
        pipeline_name=spec.name,
        display_name=spec.display_name,
        default_pipeline_root=spec.default_pipeline_root,
        config=_config(spec),
    )
    work = _Compilation(spec, plan)
    work.dag_index(spec.root)
    while work.waiting:
        component = work.waiting.pop(0)
        assert component.dag is not None
        plan.dags.append(_dag(work, Scope(spec, component, component.dag), is_root=component is spec.root))
    plan.warnings.extend(advice(spec))
    return plan


def _dag(work: _Compilation, scope: Scope, *, is_root: bool) -> pb.DagTemplate:
    edges = {name: dependencies(scope.spec, task) for name, task in scope.dag.tasks.items()}
    order = _topological(edges)
    index = {name: number for number, name in enumerate(order)}
    template = pb.DagTemplate(
        component=scope.component.name,
        parameters=_parameters(scope.component.inputs, group=not is_root),
        artifacts=_artifacts(scope.component.input_artifacts, group=not is_root),
        tasks=[_task(work, scope.dag.tasks[name], edges[name], index) for name in order],
    )
    _outputs(template, scope, index)
    return template


def _topological(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """Tasks after what they depend on; among those that could come next, by key."""
    missing = {name: len(set(needed)) for name, needed in edges.items()}
    followers: dict[str, list[str]] = {name: [] for name in edges}
    for name, needed in edges.items():
        for producer in set(needed):
            followers[producer].append(name)
    ready = [name for name, count in missing.items() if count == 0]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        name = heapq.heappop(ready)
        order.append(name)
        for follower in followers[name]:
            missing[follower] -= 1
            if missing[follower] == 0:
                heapq.heappush(ready, follower)
    return order


def _task(work: _Compilation, task: Task, needed: Iterable[str], index: Mapping[str, int]) -> pb.PlanTask:
    made = pb.PlanTask()
    made.CopyFrom(work.interface(work.spec.components[task.component]))
    made.key = task.name
    made.display_name = task.display_name
    made.dependencies.extend(sorted(index[name] for name in needed))
    made.strategy = pb.ALL_COMPLETED if task.on_completion else pb.ALL_SUCCEEDED
    made.condition = task.condition
    made.parameter_bindings.extend(_binding(task, name, given, index) for name, given in _by_name(task.parameters))
    made.artifact_bindings.extend(_artifact_binding(name, given, index) for name, given in _by_name(task.artifacts))
    if task.loop is not None:
        made.iterator.CopyFrom(_iterator(task.loop, task.parallelism))
    if task.retry is not None:
        made.retry.CopyFrom(_retry(task.retry))
    ages = work.spec.own.cache_max_ages
    label = work.spec.components[task.component].executor
    made.cache.CopyFrom(pb.CachePolicy(enabled=task.cache, key=task.cache_key, max_age_s=ages.get(label, 0.0)))
    has_status = any(given.source is Source.FINAL_STATUS for given in task.parameters.values())
    made.is_exit_task = task.on_completion and has_status
    return made


def _binding(task: Task, name: str, given: Input, index: Mapping[str, int]) -> pb.ParameterBinding:
    made = pb.ParameterBinding(name=name, selector=given.selector)
    if given.source is Source.DAG_INPUT:
        made.component_input = given.name
    elif given.source is Source.TASK_OUTPUT:
        made.task_output.CopyFrom(pb.OutputSelector(task=index[given.task], key=given.name))
    elif given.source is Source.FINAL_STATUS:
        made.final_status_of = index[final_status_producer(task, given)]
    else:
        made.constant_json = encode(given.value)
    return made


def _artifact_binding(name: str, given: Input, index: Mapping[str, int]) -> pb.ArtifactBinding:
    if given.source is Source.DAG_INPUT:
        return pb.ArtifactBinding(name=name, component_input=given.name)
    return pb.ArtifactBinding(name=name, task_output=pb.OutputSelector(task=index[given.task], key=given.name))


def _iterator(loop: Loop, limit: int) -> pb.Iterator:
    made = pb.Iterator(item_input=loop.item, parallelism_limit=limit)
    if loop.raw is not None:
        made.raw_json = encode(parse_items(loop.raw))
    elif loop.artifact:
        made.input_artifact = loop.artifact
    else:
        made.input_parameter = loop.parameter
    return made


def _retry(retry: Retry) -> pb.RetryPolicy:
    return pb.RetryPolicy(
        max_retries=retry.count,
        backoff_seconds=retry.duration or 0.0,
        backoff_factor=retry.factor or DEFAULT_BACKOFF_FACTOR,
        max_backoff_seconds=DEFAULT_MAX_BACKOFF if retry.max_duration is None else retry.max_duration,
    )


def _outputs(template: pb.DagTemplate, scope: Scope, index: Mapping[str, int]) -> None:
    for name, returned in _by_name(scope.dag.parameters):
        kind = _type(_returned_type(scope, name, returned))
        template.outputs.append(pb.DagOutput(name=name, type=kind, selectors=_selectors(returned.selectors, index)))
    for name, returned in _by_name(scope.dag.artifacts):
        is_list = scope.component.output_artifacts[name].is_list
        selectors = _selectors(returned.selectors, index)
        template.outputs.append(pb.DagOutput(name=name, is_artifact=True, is_list=is_list, selectors=selectors))


def _selectors(selectors: Iterable[Selector], index: Mapping[str, int]) -> list[pb.OutputSelector]:
    return [pb.OutputSelector(task=index[selector.task], key=selector.key) for selector in selectors]


def _returned_type(scope: Scope, name: str, returned: Returned) -> str:
    """The type of one DAG execution's output. The SDK declares outputs inside loops as the LIST of all iterations, which
    is not what one iteration gives: then the producers' type, or none where they differ.
    """
    declared = scope.component.outputs[name].type
    if declared != "LIST":
        return declared
    produced = {output_type(scope, selector.task, selector.key) for selector in returned.selectors}
    return produced.pop() if len(produced) == 1 else ""


def _output_parameters(spec: Spec, component: Component) -> list[pb.ParameterDef]:
    if component.dag is None:
        return _parameters(component.outputs)
    scope = Scope(spec, component, component.dag)
    return [
        pb.ParameterDef(name=name, type=_type(_returned_type(scope, name, component.dag.parameters[name])))
        for name in sorted(component.outputs)
    ]


def _by_name(entries: Mapping[str, _T]) -> list[tuple[str, _T]]:
    """The maps of the IR have no order (a gRPC client sends them in any), and a Plan must not depend on one."""
    return sorted(entries.items())


def _settings(document: Mapping[str, Any]) -> str:
    """Platform settings as JSON text, for the same reason by name at every depth; "" where there are none."""
    if not document:
        return ""
    return json.dumps(decode(encode(dict(document))), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _parameters(parameters: Mapping[str, Parameter], *, group: bool = False) -> list[pb.ParameterDef]:
    """Declared parameters. Inputs of groups are optional always: a null that passes through is judged where it is used.
    Those of type TASK_CONFIG are given by the engine.
    """
    made = []
    for name, parameter in _by_name(parameters):
        definition = pb.ParameterDef(
            name=name,
            type=_type(parameter.type),
            optional=group or parameter.optional or parameter.default is None or parameter.type == "TASK_CONFIG",
            literals_json=[encode(literal) for literal in parameter.literals],
        )
        if parameter.default is not MISSING and parameter.default is not None:
            definition.default_json = encode(parameter.default)
        made.append(definition)
    return made


def _artifacts(artifacts: Mapping[str, Artifact], *, group: bool = False) -> list[pb.ArtifactDef]:
    made = []
    for name, artifact in _by_name(artifacts):
        definition = _artifact_type(name, artifact.type)
        definition.is_list = artifact.is_list
        definition.optional = group or artifact.optional
        definition.metadata_json = encode(dict(artifact.metadata)) if artifact.metadata else ""
        made.append(definition)
    return made


def _artifact_type(name: str, kind: ArtifactType) -> pb.ArtifactDef:
    return pb.ArtifactDef(
        name=name,
        schema_title=kind.title,
        schema_version=kind.version,
        instance_schema=kind.instance,
        schema_uri=kind.uri,
    )


def _type(name: str) -> pb.ParameterType.ValueType:
    return pb.ParameterType.Value(name) if name else pb.PARAMETER_TYPE_UNSPECIFIED


def _executor(executor: Executor, output: str) -> pb.ExecutorTemplate:
    made = pb.ExecutorTemplate(label=executor.label)
    if executor.container is not None:
        made.container.CopyFrom(_container(executor.container))
    elif executor.importer is not None:
        made.importer.CopyFrom(_importer(executor.importer, output))
    made.platform_json = _settings(executor.kubernetes)
    return made


def _container(container: Container) -> pb.Container:
    resources = container.resources
    return pb.Container(
        image=container.image,
        command=container.command,
        args=container.args,
        env=[pb.EnvVar(name=name, value=value) for name, value in container.env],
        resources=pb.Resources(
            cpu_request=resources.cpu_request,
            cpu_limit=resources.cpu_limit,
            memory_request=resources.memory_request,
            memory_limit=resources.memory_limit,
            accelerator_type=resources.accelerator_type,
            accelerator_count=resources.accelerator_count,
        ),
    )


def _importer(importer: Importer, output: str) -> pb.Importer:
    made = pb.Importer(
        type=_artifact_type(output, importer.type),
        metadata_json=encode(dict(importer.metadata)) if importer.metadata else "",
        reimport=importer.reimport,
        download_to_workspace=importer.to_workspace,
    )
    if importer.uri is MISSING:
        made.input_parameter = importer.uri_input
    else:
        made.constant = importer.uri
    return made


def _config(spec: Spec) -> pb.PipelineConfig:
    settings: Mapping[str, Any] = spec.pipeline_config
    return pb.PipelineConfig(
        active_deadline_seconds=settings.get("active_deadline_seconds", 0),
        platform_json=_settings(spec.pipeline_config_document),
        cache_max_age_s=spec.own.cache_max_age,
    )
