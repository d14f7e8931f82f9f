"""The Plan as the engine reads it: plain slotted values, made once for a run from the protobuf message.

Everything that does not depend on a run's values is worked out here: declarations, parsed conditions, who depends on
whom, which outputs are flattened by `Collected`. Nothing here knows a run. Called by whoever loads a run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from headrace_ir.conditions import Expression, parse
from headrace_ir.parameters import Declaration, declaration_of
from headrace_ir.values import Value, decode
from headrace_protos.v1 import events_pb2, plan_pb2
from headrace_scheduler.executors.port import OutputArtifact


@dataclass(frozen=True, slots=True)
class Selector:
    """An output of a sibling task: its index in the DAG, and the output's name."""

    task: int
    key: str


@dataclass(frozen=True, slots=True)
class Binding:
    """Where an input comes from; exactly one of `component_input`, `output`, `status_of`, else the constant."""

    name: str
    component_input: str = ""
    output: Selector | None = None
    status_of: int = -1
    constant: Value = None
    has_placeholders: bool = False
    selector: Expression | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """What a loop goes over: `raw` items, or the list in one of its own inputs."""

    raw: tuple[Value, ...] | None
    parameter: str
    artifact: str
    item_input: str
    limit: int
    condition_per_item: bool


@dataclass(frozen=True, slots=True)
class DagOutput:
    """An output of a DAG: the first selector whose producer SUCCEEDED gives the value."""

    name: str
    is_artifact: bool
    selectors: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task of a DAG template."""

    key: str
    display_name: str
    component: str
    dag: int  # the template that holds it
    index: int
    target_dag: int  # -1: an executor
    executor: plan_pb2.ExecutorTemplate | None
    declarations: dict[str, Declaration]
    input_artifacts: dict[str, bool]  # name → optional
    output_types: dict[str, int]  # name → ParameterType
    optional_outputs: frozenset[str]
    output_artifacts: tuple[OutputArtifact, ...]
    dependencies: tuple[int, ...]
    upstream: tuple[str, ...]
    on_completion: bool
    condition: Expression | None
    parameters: tuple[Binding, ...]
    artifacts: tuple[Binding, ...]
    items: Items | None
    retry: plan_pb2.RetryPolicy | None
    cache: bool
    cache_key: str
    dependents: list[int] = field(default_factory=list)
    flat_outputs: set[str] = field(default_factory=set)  # of its body: values that are lists of iterations already

    @property
    def loop(self) -> Items:
        """What it goes over; asked only of loops."""
        assert self.items is not None, f"{self.key} is no loop"
        return self.items

    @property
    def template(self) -> plan_pb2.ExecutorTemplate:
        """Its executor; asked only of what is no DAG."""
        assert self.executor is not None, f"{self.key} is a DAG"
        return self.executor

    @property
    def kind(self) -> events_pb2.TaskKind.ValueType:
        """What the task is as one execution; its iterations have `body_kind`."""
        return events_pb2.LOOP if self.items is not None else self.body_kind

    @property
    def body_kind(self) -> events_pb2.TaskKind.ValueType:
        """What an execution of its component is."""
        if self.target_dag >= 0:
            return events_pb2.LOOP_ITERATION if self.items is not None else events_pb2.DAG
        return events_pb2.IMPORTER if self.template.WhichOneof("kind") == "importer" else events_pb2.RUNTIME


@dataclass(frozen=True, slots=True)
class DagSpec:
    """One DAG template."""

    index: int
    component: str
    declarations: dict[str, Declaration]
    tasks: tuple[TaskSpec, ...]
    outputs: tuple[DagOutput, ...]


class PlanIndex:
    """A Plan, indexed; immutable once made and shared by all states of a run."""

    __slots__ = ("dags", "deadline_us", "default_root", "pipeline_name")

    def __init__(self, plan: plan_pb2.Plan, default_root: str = "") -> None:
        """`default_root`: where runs publish that neither name a pipeline root nor have one in their spec."""
        self.pipeline_name: str = plan.pipeline_name
        self.default_root: str = plan.default_pipeline_root or default_root
        self.deadline_us: int = plan.config.active_deadline_seconds * 1_000_000
        self.dags: tuple[DagSpec, ...] = tuple(_dag(plan, number) for number in range(len(plan.dags)))
        for dag in self.dags:
            for task in dag.tasks:
                for needed in task.dependencies:
                    dag.tasks[needed].dependents.append(task.index)
        self._flatten()

    def _flatten(self) -> None:
        """Mark DAG outputs that come, through any depth of DAGs, from a loop: an enclosing loop joins their lists."""
        changed = True
        while changed:
            changed = False
            for dag in self.dags:
                for task in dag.tasks:
                    if task.target_dag < 0:
                        continue
                    body = self.dags[task.target_dag]
                    for output in body.outputs:
                        if output.name not in task.flat_outputs and any(
                            body.tasks[s.task].items is not None or s.key in body.tasks[s.task].flat_outputs
                            for s in output.selectors
                        ):
                            task.flat_outputs.add(output.name)
                            changed = True


def _dag(plan: plan_pb2.Plan, number: int) -> DagSpec:
    template = plan.dags[number]
    keys = [task.key for task in template.tasks]
    return DagSpec(
        number,
        template.component,
        {one.name: declaration_of(one) for one in template.parameters},
        tuple(_task(plan, number, index, keys) for index in range(len(keys))),
        tuple(
            DagOutput(one.name, one.is_artifact, tuple(Selector(s.task, s.key) for s in one.selectors))
            for one in template.outputs
        ),
    )


def _task(plan: plan_pb2.Plan, dag: int, index: int, keys: list[str]) -> TaskSpec:
    task = plan.dags[dag].tasks[index]
    is_dag = task.WhichOneof("target") == "dag"
    condition = parse(task.condition) if task.condition else None
    return TaskSpec(
        key=task.key,
        display_name=task.display_name or task.key,
        component=task.component,
        dag=dag,
        index=index,
        target_dag=task.dag if is_dag else -1,
        executor=None if is_dag else plan.executors[task.executor],
        declarations={one.name: declaration_of(one) for one in task.parameters},
        input_artifacts={one.name: one.optional or is_dag for one in task.artifacts},
        output_types={one.name: one.type for one in task.output_parameters},
        optional_outputs=frozenset(one.name for one in task.output_parameters if one.optional),
        output_artifacts=tuple(_output_artifact(one) for one in task.output_artifacts),
        dependencies=tuple(task.dependencies),
        upstream=tuple(keys[needed] for needed in task.dependencies),
        on_completion=task.strategy == plan_pb2.ALL_COMPLETED,
        condition=condition,
        parameters=tuple(_parameter(one) for one in task.parameter_bindings),
        artifacts=tuple(_artifact(one) for one in task.artifact_bindings),
        items=_items(task.iterator, condition) if task.HasField("iterator") else None,
        retry=task.retry if task.HasField("retry") else None,
        cache=task.cache.enabled,
        cache_key=task.cache.key,
    )


def _output_artifact(one: plan_pb2.ArtifactDef) -> OutputArtifact:
    title = one.schema_title or ("" if one.instance_schema else "system.Artifact")
    return OutputArtifact(one.name, title, one.schema_version, one.instance_schema, one.is_list, one.metadata_json)


def _parameter(one: plan_pb2.ParameterBinding) -> Binding:
    selector = parse(one.selector) if one.selector else None
    match one.WhichOneof("source"):
        case "component_input":
            return Binding(one.name, component_input=one.component_input, selector=selector)
        case "task_output":
            return Binding(one.name, output=Selector(one.task_output.task, one.task_output.key), selector=selector)
        case "final_status_of":
            return Binding(one.name, status_of=one.final_status_of, selector=selector)
        case _:
            value = decode(one.constant_json or "null")
            return Binding(one.name, constant=value, has_placeholders="{{$" in one.constant_json, selector=selector)


def _artifact(one: plan_pb2.ArtifactBinding) -> Binding:
    if one.WhichOneof("source") == "task_output":
        return Binding(one.name, output=Selector(one.task_output.task, one.task_output.key))
    return Binding(one.name, component_input=one.component_input)


def _items(iterator: plan_pb2.Iterator, condition: Expression | None) -> Items:
    raw = None
    if iterator.WhichOneof("items") == "raw_json":
        decoded = decode(iterator.raw_json)
        assert isinstance(decoded, list), "validation lets only arrays through"
        raw = tuple(decoded)
    mentioned = condition is not None and (
        iterator.item_input in condition.parameters
        or iterator.item_input in condition.artifacts
        or condition.all_parameters
        or condition.all_artifacts
    )
    return Items(
        raw,
        iterator.input_parameter,
        iterator.input_artifact,
        iterator.item_input,
        iterator.parallelism_limit,
        mentioned,
    )
