"""Resolving a task's inputs: from its DAG's inputs, its siblings' outputs, constants and final statuses (kfp-semantics 2).

Absent and null are one thing: a default where there is one, else null where the input is optional, else the task's
failure. A large value passes as its reference; where its content decides, NeedsValues says so. Pure reading of the state;
called by beginning.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from headrace_ir.conditions import ConditionProblem, decide, select, variables
from headrace_ir.parameters import Declaration, resolve_input
from headrace_ir.references import Held, ValueRef, passes
from headrace_ir.values import Value, ValueProblem, decode, describe, text_of
from headrace_protos.lifecycle import FINAL_STATUS, child_path, task_id
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.bags import Bag
from headrace_scheduler.engine.facts import Missing
from headrace_scheduler.engine.indexing import Binding, TaskSpec
from headrace_scheduler.engine.placeholders import PlaceholderProblem, Scope, constant
from headrace_scheduler.engine.problems import NeedsValues, TaskProblem
from headrace_scheduler.engine.rows import Row
from headrace_scheduler.engine.state import RunState

PROTO_NAMES = {
    "schemaTitle": "schema_title",
    "schemaVersion": "schema_version",
    "instanceSchema": "instance_schema",
    "schemaUri": "schema_uri",
    "customPath": "custom_path",
}
CANCELLED_CODE, UNKNOWN_CODE = 1, 2  # of google.rpc.Code: where no exit code is known


class Inputs:
    """The inputs of one task that is about to begin, resolved as they are asked for."""

    __slots__ = ("_raw", "bindings", "group", "row", "spec", "state")

    def __init__(self, state: RunState, row: Row) -> None:
        self.state = state
        self.row = row
        self.spec: TaskSpec = row.task
        self.group = state.known(row.parent)
        self.bindings = {one.name: one for one in self.spec.parameters}
        self._raw: dict[str, Held] = {}

    def bag(self) -> Bag:
        """All inputs, checked. Raises TaskProblem."""
        items = self.spec.items
        item = items.item_input if items is not None else None
        later = {item} if items is None else {item, *items.constants}
        values: dict[str, Held] = {}
        for name in self.names():
            if name not in later and (value := self.value(name)) is not None:
                values[name] = value
        return Bag(values, self.artifacts(item))

    def value(self, name: str, scope: Scope | None = None) -> Held:
        """One input as its component takes it; `scope`: what its constant is filled with. Raises TaskProblem."""
        try:
            return taken(self.row, self.spec.declarations.get(name), self._filled(name, scope))
        except (ValueProblem, PlaceholderProblem) as problem:
            raise TaskProblem("InputResolution", f"task '{self.spec.key}': {problem.sentence}") from None
        except ConditionProblem as problem:
            raise TaskProblem("InputResolution", f"task '{self.spec.key}': input '{name}': {problem}") from None

    def artifacts(self, item: str | None = None) -> dict[str, ev.ArtifactList]:
        """All input artifacts. Raises TaskProblem where one is missing that is not optional."""
        found: dict[str, ev.ArtifactList] = {}
        for binding in self.spec.artifacts:
            if (artifacts := self.artifact(binding)) is not None:
                found[binding.name] = artifacts
        for name, optional in self.spec.input_artifacts.items():
            if name not in found and not optional and name != item:
                raise TaskProblem(
                    "InputResolution",
                    f"task '{self.spec.key}': input artifact '{name}' is missing: its source gave none",
                )
        return found

    def artifact(self, binding: Binding) -> ev.ArtifactList | None:
        """The artifacts that one binding gives; None: none."""
        if binding.output is not None:
            return self._sibling(binding.output.task).outputs.artifacts.get(binding.output.key)
        return scope_artifact(self.state, self.group, binding.component_input)

    def condition(self) -> bool:
        """The task's condition; only the inputs that it mentions are resolved. Raises TaskProblem."""
        condition = self.spec.condition
        assert condition is not None, "asked only where there is one"
        names: Iterable[str] = condition.parameters
        if condition.all_parameters:
            names = self.names()
        values = {n: self.value(n) for n in names if n in self.bindings or n in self.spec.declarations}
        bound = {one.name: one for one in self.spec.artifacts}
        artifacts = {
            name: runtime_artifacts(self.artifact(bound[name]) if name in bound else None)
            for name in dict.fromkeys((*bound, *self.spec.input_artifacts))
            if condition.all_artifacts or name in condition.artifacts
        }
        return judged(self.row, values, artifacts)

    def _filled(self, name: str, scope: Scope | None = None) -> Held:
        """The source's value with placeholders of constants filled (3.3)."""
        binding = self.bindings.get(name)
        value = self._source(name)
        if binding is None or not binding.has_placeholders:
            return value
        if scope is None:
            values = {one: self._or_default(one) for one in self.names()}
            scope = Scope(Contents(self.row, values), platform=platform(self.state, self.row))
        return constant(content(self.row, value), scope)

    def _or_default(self, name: str) -> Held:
        value = self._source(name)
        declaration = self.spec.declarations.get(name)
        return declaration.default if value is None and declaration is not None else value

    def names(self) -> Mapping[str, None]:
        """All inputs: those that the task gives and those that its component declares, in order."""
        return dict.fromkeys((*self.bindings, *self.spec.declarations))

    def _source(self, name: str) -> Held:
        if name not in self._raw:
            binding = self.bindings.get(name)
            value = None if binding is None else self._read(binding)
            if binding is not None and binding.selector is not None and value is not None:
                value = select(binding.selector, content(self.row, value))
            self._raw[name] = value
        return self._raw[name]

    def _read(self, binding: Binding) -> Held:
        if binding.component_input:
            return scope_parameter(self.state, self.group, binding.component_input)
        if binding.output is not None:
            return self._sibling(binding.output.task).outputs.parameter(binding.output.key)
        if binding.status_of >= 0:
            return final_status(self.state, self._sibling(binding.status_of))
        return binding.constant

    def _sibling(self, index: int) -> Row:
        return self.state.known(child_path(self.row.parent, self.state.plan.dags[self.spec.dag].tasks[index].key))


class Contents(Mapping[str, Value]):
    """Inputs for the constants of ROW's task: large ones are asked for only where a constant names them."""

    def __init__(self, row: Row, values: Mapping[str, Held]) -> None:
        self._row = row
        self._values = values

    def __getitem__(self, name: str) -> Value:
        return content(self._row, self._values[name])

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def taken(row: Row, declaration: Declaration | None, value: Held) -> Held:
    """A value as a declared input takes it; a reference stays one where its kind says enough. Raises ValueProblem."""
    if declaration is None:
        return value
    if isinstance(value, ValueRef):
        if passes(f"input '{declaration.name}'", declaration.type, value, declaration.literals):
            return value
        value = content(row, value)
    return resolve_input(declaration, value)


def content(row: Row, value: Held) -> Value:
    """The value itself. Raises NeedsValues where ROW has not fetched it from the store, TaskProblem where it is gone."""
    if not isinstance(value, ValueRef):
        return value
    found = None if row.fetched is None else row.fetched.get(value.uri)
    if found is None:
        raise NeedsValues(row.path, (value,))
    if isinstance(found, Missing):
        whose = "the run" if row.spec is None else f"task '{row.spec.key}'"
        raise TaskProblem("MissingInput", f"{whose}: {found.sentence}")
    return found


def judged(row: Row, values: Mapping[str, Held], artifacts: dict[str, Any]) -> bool:
    """The condition of ROW's task with these inputs. Raises TaskProblem."""
    spec = row.task
    assert spec.condition is not None, "asked only where there is one"
    known = {name: _compared(spec.declarations.get(name), content(row, value)) for name, value in values.items()}
    try:
        shown = {name: {"artifacts": [_in_proto_names(each) for each in one]} for name, one in artifacts.items()}
        return decide(spec.condition, variables(known, shown))
    except ConditionProblem as problem:
        raise TaskProblem(
            "ConditionFailed", f"task '{spec.key}': its condition `{spec.condition.text}` cannot be decided: {problem}"
        ) from None


def _compared(declaration: Declaration | None, value: Value) -> Value:
    """A value as conditions see it. The SDK writes them for texts where an item's type is open (untyped_items)."""
    is_open = declaration is not None and declaration.type is None
    return text_of(value) if is_open and value is not None else value


def _in_proto_names(artifact: dict[str, Any]) -> dict[str, Any]:
    """A RuntimeArtifact as a condition sees it: fields in snake_case, as everything of ExecutorInput there."""
    renamed = {PROTO_NAMES.get(key, key): value for key, value in artifact.items()}
    return renamed | {"type": {PROTO_NAMES[key]: value for key, value in artifact["type"].items()}}


def scope_parameter(state: RunState, group: Row, name: str) -> Held:
    """An input of a DAG execution; an iteration sees its own item and the inputs of its loop."""
    value = group.inputs.parameter(name)
    if value is None and group.iteration >= 0 and not _is_item(group, name):
        return state.known(group.parent).inputs.parameter(name)
    return value


def scope_artifact(state: RunState, group: Row, name: str) -> ev.ArtifactList | None:
    """The same for artifacts."""
    found = group.inputs.artifacts.get(name)
    if found is None and group.iteration >= 0 and not _is_item(group, name):
        return state.known(group.parent).inputs.artifacts.get(name)
    return found


def effective_inputs(state: RunState, row: Row, own: Bag) -> Bag:
    """All inputs of an execution: of an iteration its item over its loop's inputs, which are recorded once."""
    if row.iteration < 0:
        return own
    return own.over(state.known(row.parent).inputs, row.task.loop.item_input)


def _is_item(group: Row, name: str) -> bool:
    return group.spec is not None and group.spec.items is not None and group.spec.items.item_input == name


# ---- loops


def loop_items(loop: Row, inputs: Bag) -> tuple[Value, ...] | ev.ArtifactList:
    """What a loop goes over, from its own inputs. Raises TaskProblem."""
    spec = loop.task
    items = spec.loop
    if items.raw is not None:
        return items.raw
    if items.artifact:
        return inputs.artifacts.get(items.artifact) or ev.ArtifactList()
    value = content(loop, inputs.parameter(items.parameter))
    if isinstance(value, str):
        try:
            value = decode(value)
        except ValueProblem as problem:
            raise TaskProblem(
                "InputResolution", f"loop '{spec.key}': the text in '{items.parameter}' {problem.sentence}"
            ) from None
    if not isinstance(value, list):
        shown = "nothing" if value is None else describe(value)
        raise TaskProblem("InputResolution", f"loop '{spec.key}': '{items.parameter}' must be a list, it is {shown}")
    return tuple(value)


def iteration_bag(state: RunState, row: Row, found: tuple[Value, ...] | ev.ArtifactList) -> Bag:
    """What an iteration has of its own: its item, and the constants that name it. Raises TaskProblem."""
    own = _item_bag(row.task, found, row.iteration)
    if not row.task.loop.constants:
        return own
    inputs = Inputs(state, state.known(row.parent))
    seen = dict.fromkeys((*inputs.bindings, *row.task.declarations)) | dict(
        effective_inputs(state, row, own).parameters()
    )
    scope = Scope(Contents(row, seen), platform=platform(state, row))
    filled = {name: inputs.value(name, scope) for name in row.task.loop.constants}
    return Bag(dict(own.parameters()) | {k: v for k, v in filled.items() if v is not None}, own.artifacts)


def _item_bag(spec: TaskSpec, found: tuple[Value, ...] | ev.ArtifactList, number: int) -> Bag:
    items = spec.loop
    if isinstance(found, ev.ArtifactList):
        return Bag({}, {items.item_input: ev.ArtifactList(artifacts=[found.artifacts[number]])})
    declaration = spec.declarations.get(items.item_input)
    item = found[number]
    try:
        value = item if declaration is None else resolve_input(declaration, item, null_is_value=True)
    except ValueProblem as problem:
        raise TaskProblem("InputResolution", f"item {number} of loop '{spec.key}': {problem.sentence}") from None
    return Bag({} if value is None else {items.item_input: value}, {})


# ---- values that the platform makes


def final_status(state: RunState, row: Row) -> Value:
    """What a task with a final-status input is told of its upstream task (2.8)."""
    error: dict[str, Value] = {}
    if row.state in (ev.TASK_FAILED, ev.TASK_CANCELED):
        code = UNKNOWN_CODE if row.state == ev.TASK_FAILED else CANCELLED_CODE
        error = {"code": row.error.exit_code or code, "message": row.error.message}
    return {
        "state": FINAL_STATUS[ev.TaskState.ValueType(row.state)],
        "error": error,
        "pipelineJobResourceName": resource_name(state),
        "pipelineTaskName": row.spec.key if row.spec is not None else "",
    }


def platform(state: RunState, row: Row) -> Mapping[str, str]:
    """The texts of the platform's placeholders for one task, each made when it is asked for: most tasks use none."""
    return _Platform(state, row)


class _Platform(Mapping[str, str]):
    __slots__ = ("_row", "_state")

    def __init__(self, state: RunState, row: Row) -> None:
        self._state, self._row = state, row

    def __getitem__(self, name: str) -> str:
        return _PLATFORM[name](self._state, self._row)

    def __iter__(self) -> Iterator[str]:
        return iter(_PLATFORM)

    def __len__(self) -> int:
        return len(_PLATFORM)


_PLATFORM: Mapping[str, Callable[[RunState, Row], str]] = {
    "pipeline_job_name": lambda state, _: state.header.name,
    "pipeline_job_resource_name": lambda state, _: resource_name(state),
    "pipeline_job_uuid": lambda state, _: state.run_id,
    "pipeline_task_name": lambda _, row: row.spec.key if row.spec is not None else "",
    "pipeline_task_uuid": lambda state, row: task_id(state.run_id, row.path),
    "pipeline_job_create_time_utc": lambda state, _: _utc(state.header.created_at_us),
    "pipeline_job_schedule_time_utc": lambda state, _: _utc(state.header.scheduled_at_us or state.header.created_at_us),
    "pipeline_root": lambda state, _: run_root(state),
    "workspace_path": lambda state, _: state.plan.workspace(state.run_id),
}


def resource_name(state: RunState) -> str:
    """What KFP calls the run's resource: the pipeline's name and what makes it one of a kind."""
    return f"{state.plan.pipeline_name}-{state.run_id}"


def run_root(state: RunState) -> str:
    """Where the run publishes: `<pipeline root>/<pipeline name>/<run id>`; a query of the root is left out."""
    return _run_root(state.header.pipeline_root or state.plan.default_root, state.plan.pipeline_name, state.run_id)


@lru_cache(maxsize=1024)
def _run_root(root: str, pipeline_name: str, run_id: str) -> str:
    return f"{root.partition('?')[0].rstrip('/')}/{quote(pipeline_name, safe='')}/{run_id}"


def runtime_artifacts(artifacts: ev.ArtifactList | None) -> list[dict[str, Any]]:
    """Artifacts as templates and conditions see them: RuntimeArtifact structs."""
    return [] if artifacts is None else [_runtime_artifact(one) for one in artifacts.artifacts]


def _runtime_artifact(one: ev.Artifact) -> dict[str, Any]:
    kind = {
        "schemaTitle": one.schema_title,
        "schemaUri": one.schema_uri,
        "instanceSchema": one.instance_schema,
        "schemaVersion": one.schema_version,
    }
    made: dict[str, Any] = {
        "name": one.name,
        "uri": one.uri,
        "metadata": decode(one.metadata_json) if one.metadata_json else {},
        "type": {key: value for key, value in kind.items() if value},
    }
    if one.custom_path:
        made["customPath"] = one.custom_path
    return made


def _utc(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
