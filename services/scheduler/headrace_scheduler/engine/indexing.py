"""The Plan as the engine reads it: plain slotted values, made once for a run from the protobuf message.

Everything that does not depend on a run's values is worked out here: declarations, parsed conditions, who depends on
whom, which outputs are flattened by `Collected`. Nothing here knows a run. Called by whoever loads a run.

A task is read when it is first asked for: loading a run costs in proportion to the tasks that it touches, and a run of
a thousand tasks starts at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from headrace_ir.conditions import Expression, parse
from headrace_ir.parameters import Declaration, declaration_of
from headrace_ir.values import MAX_VALUE_BYTES, Value, decode
from headrace_protos.v1 import events_pb2, plan_pb2
from headrace_scheduler.engine.platform_settings import workspace_spec
from headrace_scheduler.executors.port import OutputArtifact
from headrace_scheduler.executors.task_settings import WORKSPACE


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
    constants: frozenset[str] = frozenset()  # inputs whose text names the item: filled for each iteration


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
    cache_max_age_s: float  # 0: not said
    passthroughs: Mapping[str, bool]  # settings that its TASK_CONFIG input gets → whether they apply to itself as well
    dependents: Sequence[int] = ()
    flat_outputs: frozenset[str] = frozenset()  # of its body: values that are lists of iterations already

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
    tasks: Sequence[TaskSpec]
    outputs: tuple[DagOutput, ...]


class PlanIndex:
    """A Plan, indexed; the same to everyone who asks, and shared by all states of a run."""

    __slots__ = (
        "_workspaces",
        "cache_max_age_s",
        "dags",
        "deadline_us",
        "default_root",
        "max_value_bytes",
        "pipeline_name",
        "workspace_spec",
    )

    def __init__(
        self,
        plan: plan_pb2.Plan,
        default_root: str = "",
        workspaces: str = "",
        *,
        max_value_bytes: int = MAX_VALUE_BYTES,
    ) -> None:
        """`default_root`: where runs publish that neither name a pipeline root nor have one in their spec. `workspaces`:
        the executor's folder of runs' workspaces.
        """
        self.max_value_bytes = max_value_bytes
        self.pipeline_name: str = plan.pipeline_name
        self.default_root: str = plan.default_pipeline_root or default_root
        self.cache_max_age_s: float = plan.config.cache_max_age_s
        self.deadline_us: int = plan.config.active_deadline_seconds * 1_000_000
        self.workspace_spec = workspace_spec(plan.config.platform_json)
        self._workspaces = workspaces
        reader = _Reader(plan)
        self.dags: tuple[DagSpec, ...] = tuple(reader.dag(number) for number in range(len(plan.dags)))

    def workspace(self, run_id: str) -> str:
        """Where user code finds the workspace of a run."""
        return f"{self._workspaces}/{run_id}" if self._workspaces else WORKSPACE


class _Tasks(Sequence[TaskSpec]):
    """The tasks of one DAG, each made at its first use."""

    __slots__ = ("_dependents", "_made", "_number", "_reader")

    def __init__(self, reader: _Reader, number: int, count: int) -> None:
        self._reader = reader
        self._number = number
        self._made: list[TaskSpec | None] = [None] * count
        self._dependents: list[list[int]] | None = None

    def __len__(self) -> int:
        return len(self._made)

    @overload
    def __getitem__(self, index: int) -> TaskSpec: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[TaskSpec, ...]: ...

    def __getitem__(self, index: int | slice) -> TaskSpec | tuple[TaskSpec, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self._made))))
        made = self._made[index]
        if made is None:
            number = index if index >= 0 else len(self._made) + index
            if self._dependents is None:
                self._dependents = self._reader.dependents(self._number)
            made = self._made[number] = self._reader.task(self._number, number, self._dependents[number])
        return made

    def __iter__(self) -> Iterator[TaskSpec]:
        return (self[number] for number in range(len(self._made)))


@dataclass(frozen=True, slots=True)
class _Interface:
    """What all tasks of one component have in common."""

    declarations: dict[str, Declaration]
    input_artifacts: dict[str, bool]
    output_types: dict[str, int]
    optional_outputs: frozenset[str]
    output_artifacts: tuple[OutputArtifact, ...]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads parts of a Plan; what several tasks share (interfaces, expressions) is read once."""

    plan: plan_pb2.Plan
    interfaces: dict[str, _Interface] = field(default_factory=dict)
    expressions: dict[str, Expression] = field(default_factory=dict)
    flat: dict[int, frozenset[str]] = field(default_factory=dict)

    def dag(self, number: int) -> DagSpec:
        template = self.plan.dags[number]
        return DagSpec(
            number,
            template.component,
            {one.name: declaration_of(one) for one in template.parameters},
            _Tasks(self, number, len(template.tasks)),
            tuple(
                DagOutput(one.name, one.is_artifact, tuple(Selector(s.task, s.key) for s in one.selectors))
                for one in template.outputs
            ),
        )

    def dependents(self, number: int) -> list[list[int]]:
        """For each task of a DAG the tasks that wait for it."""
        tasks = self.plan.dags[number].tasks
        found: list[list[int]] = [[] for _ in tasks]
        for index, task in enumerate(tasks):
            for needed in task.dependencies:
                found[needed].append(index)
        return found

    def flat_outputs(self, number: int) -> frozenset[str]:
        """The outputs of a DAG that come, through any depth of DAGs, from a loop: an enclosing loop joins their lists."""
        known = self.flat.get(number)
        if known is None:
            body = self.plan.dags[number]
            known = self.flat[number] = frozenset(
                one.name for one in body.outputs if any(self._is_flat(body.tasks[s.task], s.key) for s in one.selectors)
            )
        return known

    def _is_flat(self, task: plan_pb2.PlanTask, output: str) -> bool:
        if task.HasField("iterator"):
            return True
        return task.WhichOneof("target") == "dag" and output in self.flat_outputs(task.dag)

    def expression(self, text: str) -> Expression | None:
        if not text:
            return None
        if text not in self.expressions:
            self.expressions[text] = parse(text)
        return self.expressions[text]

    def interface(self, task: plan_pb2.PlanTask) -> _Interface:
        known = self.interfaces.get(task.component)
        if known is None:
            is_dag = task.WhichOneof("target") == "dag"
            known = self.interfaces[task.component] = _Interface(
                {one.name: declaration_of(one) for one in task.parameters},
                {one.name: one.optional or is_dag for one in task.artifacts},
                {one.name: one.type for one in task.output_parameters},
                frozenset(one.name for one in task.output_parameters if one.optional),
                tuple(_output_artifact(one) for one in task.output_artifacts),
            )
        return known

    def task(self, dag: int, index: int, dependents: Sequence[int]) -> TaskSpec:
        siblings = self.plan.dags[dag].tasks
        task = siblings[index]
        is_dag = task.WhichOneof("target") == "dag"
        condition = self.expression(task.condition)
        shared = self.interface(task)
        dependencies = tuple(task.dependencies)
        return TaskSpec(
            key=task.key,
            display_name=task.display_name or task.key,
            component=task.component,
            dag=dag,
            index=index,
            target_dag=task.dag if is_dag else -1,
            executor=None if is_dag else self.plan.executors[task.executor],
            declarations=shared.declarations,
            input_artifacts=shared.input_artifacts,
            output_types=shared.output_types,
            optional_outputs=shared.optional_outputs,
            output_artifacts=shared.output_artifacts,
            dependencies=dependencies,
            upstream=tuple(siblings[needed].key for needed in dependencies),
            on_completion=task.strategy == plan_pb2.ALL_COMPLETED,
            condition=condition,
            parameters=tuple(self.parameter(one) for one in task.parameter_bindings),
            artifacts=tuple(_artifact(one) for one in task.artifact_bindings),
            items=_items(task, condition) if task.HasField("iterator") else None,
            retry=task.retry if task.HasField("retry") else None,
            cache=task.cache.enabled,
            cache_max_age_s=task.cache.max_age_s,
            cache_key=task.cache.key,
            passthroughs={one.field: one.apply_to_task for one in task.task_config_passthroughs},
            dependents=dependents,
            flat_outputs=self.flat_outputs(task.dag) if is_dag else frozenset(),
        )

    def parameter(self, one: plan_pb2.ParameterBinding) -> Binding:
        selector = self.expression(one.selector)
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


def _output_artifact(one: plan_pb2.ArtifactDef) -> OutputArtifact:
    title = one.schema_title or ("" if one.instance_schema or one.schema_uri else "system.Artifact")
    return OutputArtifact(
        one.name, title, one.schema_version, one.instance_schema, one.is_list, one.metadata_json, one.schema_uri
    )


def _artifact(one: plan_pb2.ArtifactBinding) -> Binding:
    if one.WhichOneof("source") == "task_output":
        return Binding(one.name, output=Selector(one.task_output.task, one.task_output.key))
    return Binding(one.name, component_input=one.component_input)


def _items(task: plan_pb2.PlanTask, condition: Expression | None) -> Items:
    iterator, raw = task.iterator, None
    if iterator.WhichOneof("items") == "raw_json":
        decoded = decode(iterator.raw_json)
        assert isinstance(decoded, list), "validation lets only arrays through"
        raw = tuple(decoded)
    item = f"{{{{$.inputs.parameters['{iterator.item_input}']}}}}"
    constants = frozenset(one.name for one in task.parameter_bindings if item in one.constant_json)
    mentioned = condition is not None and (
        not {iterator.item_input, *constants}.isdisjoint(condition.parameters)
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
        constants,
    )
