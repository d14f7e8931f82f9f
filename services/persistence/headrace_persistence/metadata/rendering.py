"""What runs made, in the names that KFP's tools know: custom properties of their artifacts, executions and contexts. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from google.protobuf import json_format, struct_pb2

from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import plan_pb2

Properties = dict[str, ms.Value]
RUN_KEYS: Final = frozenset({"pipeline_root", "store_session_info", "namespace", "resource_name"})
# What an execution may be given by its run, now or later: people cannot take these names.
TASK_KEYS: Final = frozenset(
    {
        "display_name",
        "task_name",
        "inputs",
        "outputs",
        "total_dag_tasks",
        "parent_dag_id",
        "iteration_index",
        "iteration_count",
        "image",
        "pod_name",
        "pod_uid",
        "namespace",
        "cache_fingerprint",
        "cached_execution_id",
        "parameter_producer_task",
        "artifact_producer_task",
        "output_artifacts",
    }
)
LONGEST_NAME: Final = 200  # characters of names that runs give and an index holds
DEEPEST: Final = 25  # levels of a struct; clients read 100 levels of messages, and one of JSON is up to three
UNTITLED: Final = "system.Artifact"


@dataclass(frozen=True, slots=True)
class Task:
    """A task's row and what others say of it."""

    path: str
    kind: int
    definition: ev.TaskCreated
    inputs: ev.Values
    outputs: ev.Values
    parent: int
    iteration_count: int
    namespace: str
    handle: str = ""
    cache_key: str = ""
    cached: int = 0  # the execution whose results were taken, 0 where it is gone


def type_name(artifact: ev.Artifact) -> str:
    """The type that an artifact has in ML Metadata: its schema's title."""
    return (artifact.schema_title or _title(artifact.instance_schema) or UNTITLED).replace("\0", "")[:LONGEST_NAME]


def _title(schema: str) -> str:
    """The title of a schema in YAML, as far as a line says it."""
    for line in schema.splitlines():
        key, colon, title = line.partition(":")
        if colon and key == "title":
            return title.strip().strip("'\"")
    return ""


def artifact(of: ev.Artifact) -> Properties:
    """An artifact's metadata, and its name."""
    held = {name: value(one) for name, one in metadata(of).items()}
    held.setdefault("display_name", ms.Value(string_value=_clean(of.name)))
    return {name: one for name, one in held.items() if one is not None}


def metadata(of: ev.Artifact) -> Mapping[str, Any]:
    """An artifact's metadata but what only its run needed."""
    held = _loaded(of.metadata_json or "{}")
    return (
        {_clean(name): one for name, one in held.items() if name != "_kfp_workspace"} if isinstance(held, dict) else {}
    )


def value(held: Any) -> ms.Value | None:
    """A JSON value as KFP writes it: numbers are doubles, booleans integers; None has none."""
    if held is None:
        return None
    if isinstance(held, bool):
        return ms.Value(int_value=int(held))
    if isinstance(held, (int, float)):
        return ms.Value(double_value=_double(held))
    if isinstance(held, str):
        return ms.Value(string_value=_clean(held))
    made = ms.Value()
    made.struct_value.fields["list" if isinstance(held, list) else "struct"].CopyFrom(_struct_value(held))
    return made


def task(of: Task, plan: plan_pb2.Plan | None) -> Properties:
    """An execution's properties; without its PLAN it has no image and tells no producers."""
    key = of.path.rpartition("/")[2]
    made = {
        "display_name": _text(of.definition.display_name or key),
        "task_name": _text(key.rpartition("[")[0] if key.endswith("]") else key),
        "parent_dag_id": ms.Value(int_value=of.parent),
        "inputs": _parameters(of.inputs),
        "outputs": _parameters(of.outputs),
    }
    if key.endswith("]"):
        made["iteration_index"] = ms.Value(int_value=of.definition.iteration)
    if of.kind == ev.LOOP:
        made["iteration_count"] = ms.Value(int_value=of.iteration_count)
    if of.kind in (ev.DAG, ev.LOOP, ev.LOOP_ITERATION):
        made |= _group(of, plan)
    if of.kind == ev.RUNTIME:
        made |= _container(of, plan)
    return made


def _container(of: Task, plan: plan_pb2.Plan | None) -> Properties:
    pod = of.handle.split("/") if of.handle.count("/") == 2 else ["", "", ""]  # namespace, name and uid of a Pod
    made = {
        "pod_name": _text(pod[1]),
        "pod_uid": _text(pod[2]),
        "namespace": _text(of.namespace),
        "image": _text(_image(of, plan)),
    }
    if of.cache_key:
        made["cache_fingerprint"] = _text(of.cache_key)
    if of.cached:
        made["cached_execution_id"] = _text(str(of.cached))
    return made


def root(inputs: ev.Values, outputs: ev.Values, name: str) -> Properties:
    """The properties of a run's root execution: the one whose task name is empty."""
    return {
        "display_name": _text(name),
        "task_name": _text(""),
        "inputs": _parameters(inputs),
        "outputs": _parameters(outputs),
    }


def published(run_id: str, pipeline: str, pipeline_root: str, uri: str) -> str:
    """Where a run publishes: as it was told, else as one of its artifacts at URI shows; '' before there is one."""
    if pipeline_root:
        return f"{pipeline_root.partition('?')[0].rstrip('/')}/{quote(pipeline, safe='')}/{run_id}"
    before, found, _ = uri.partition(f"/{run_id}/")
    return f"{before}/{run_id}" if found else ""


def run(run_id: str, pipeline: str, namespace: str, place: str) -> Properties:
    """The properties of a run's context, which publishes at PLACE."""
    return {
        "pipeline_root": _text(place),
        "store_session_info": _text(""),
        "namespace": _text(namespace),
        "resource_name": _text(f"{pipeline}-{run_id}"),
    }


def _plan_task(of: Task, plan: plan_pb2.Plan | None) -> plan_pb2.PlanTask | None:
    if (
        plan is None
        or of.definition.dag >= len(plan.dags)
        or of.definition.task >= len(plan.dags[of.definition.dag].tasks)
    ):
        return None
    return plan.dags[of.definition.dag].tasks[of.definition.task]


def _image(of: Task, plan: plan_pb2.Plan | None) -> str:
    planned = _plan_task(of, plan)
    if plan is None or planned is None or planned.WhichOneof("target") != "executor":
        return ""
    return plan.executors[planned.executor].container.image


def _group(of: Task, plan: plan_pb2.Plan | None) -> Properties:
    """How many tasks a group is made of, and which of them give its outputs, as KFP's driver leaves it for later tasks."""
    planned = _plan_task(of, plan)
    if plan is None or planned is None or planned.WhichOneof("target") != "dag":
        return {}
    total = ms.Value(int_value=len(plan.dags[planned.dag].tasks))
    if of.kind == ev.LOOP:
        return {"total_dag_tasks": total}
    keys = [task.key for task in plan.dags[planned.dag].tasks]
    parameters, artifacts = struct_pb2.Struct(), {}
    for output in plan.dags[planned.dag].outputs:
        told = [(keys[selector.task], selector.key) for selector in output.selectors]
        if output.is_artifact:
            selectors = [{"producer_subtask": task, "output_artifact_key": key} for task, key in told]
            artifacts[output.name] = {"artifact_selectors": selectors}
        elif len(told) == 1:
            of_one = {"producerSubtask": told[0][0], "outputParameterKey": told[0][1]}
            parameters[output.name] = json.dumps({"valueFromParameter": of_one})
    made: Properties = {"total_dag_tasks": total}
    if parameters.fields:
        made["parameter_producer_task"] = ms.Value(struct_value=parameters)
    if artifacts:
        made["artifact_producer_task"] = _text(json.dumps(artifacts))
    return made


def _parameters(values: ev.Values) -> ms.Value:
    """Parameters as one struct; of those that lie in the artifact store, where they lie."""
    made = struct_pb2.Struct()
    for name, one in values.parameters.items():
        held = _loaded(one.json) if one.WhichOneof("kind") == "json" else one.uri
        made.fields[_clean(name)].CopyFrom(_struct_value(held))
    return ms.Value(struct_value=made)


def _struct_value(held: Any) -> struct_pb2.Value:
    made = struct_pb2.Value()
    json_format.ParseDict(_plain(held), made)
    return made


def _loaded(text: str) -> Any:
    """JSON with all numbers as doubles, of whatever length; what cannot be read is nothing."""
    try:
        return json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        return None


def _plain(held: Any, level: int = 0) -> Any:
    """JSON that a struct can hold and clients can read: numbers as doubles, texts that are UTF-8, not too deep."""
    if isinstance(held, (dict, list)) and level == DEEPEST:
        return "…"
    if isinstance(held, dict):
        return {_clean(name): _plain(one, level + 1) for name, one in held.items()}
    if isinstance(held, list):
        return [_plain(one, level + 1) for one in held]
    if isinstance(held, str):
        return _clean(held)
    if isinstance(held, (int, float)) and not isinstance(held, bool):
        number = _double(held)
        return number if math.isfinite(number) else str(held)
    return held


def _double(held: float) -> float:
    try:
        return float(held)
    except OverflowError:
        return math.inf if held > 0 else -math.inf


def _text(text: str) -> ms.Value:
    return ms.Value(string_value=text)


def _clean(text: str) -> str:
    """TEXT without what a message cannot hold: halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()
