"""Resuming: what of a run's origin stands in the new run, decided task by task when each is about to begin (kfp-semantics 8.4).

A leaf is linked if it SUCCEEDED in the origin at the same path, is defined alike, has equal inputs, was not asked to run again,
and everything before it (its siblings, and those of the groups around it) is unchanged. A group is linked when it ends with
nothing in it changed. Pure; called by beginning.py and ending.py.
"""

from __future__ import annotations

import json
from functools import lru_cache

from headrace_ir.values import decode
from headrace_protos.lifecycle import child_path
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.bags import Bag
from headrace_scheduler.engine.indexing import TaskSpec
from headrace_scheduler.engine.origins import Done, Origin, names
from headrace_scheduler.engine.rows import Row
from headrace_scheduler.engine.state import RunState

RESOURCE = "pipelineJobResourceName"  # of a final status: names the run, not what became of the task


def linked(state: RunState, row: Row, inputs: Bag) -> ev.TaskFinished | None:
    """How a leaf ends that the origin has done already; None: it runs."""
    origin = state.header.origin
    done = origin.tasks.get(row.path) if origin is not None else None
    if origin is None or done is None or done.state != ev.TASK_SUCCEEDED or done.kind != row.kind:
        return None
    theirs = origin.spec(row.path)
    if theirs is None or origin.runs_again(row.path) or not origin.same_task(row.task, theirs):
        return None
    own = inputs.message()
    if not _same_inputs(row.task, own, done.inputs) or not _same_settings(state, origin, row):
        return None
    if not _unchanged_before(state, row):
        return None
    return ev.TaskFinished(state=ev.TASK_SUCCEEDED, inputs=own, outputs=done.outputs, linked_from=done.made_by)


def asked_again(state: RunState, row: Row) -> bool:
    """Whether a user wants the task to run, whatever the origin or the cache has of it."""
    origin = state.header.origin
    return names(state.header.refresh, row.path) or (origin is not None and origin.runs_again(row.path))


def group_origin(state: RunState, row: Row) -> str:
    """Of a group that ends well: whose results it has, if nothing in it has changed; "" = its own."""
    origin = state.header.origin
    done = origin.tasks.get(row.path) if origin is not None else None
    if origin is None or done is None or done.state != ev.TASK_SUCCEEDED or done.kind != row.kind:
        return ""
    if row.kind == ev.LOOP:
        if row.iteration_count != done.iteration_count:
            return ""
    elif (theirs := origin.spec(row.path)) is None or not origin.same_group(state.plan.dags[row.dag], theirs):
        return ""
    if origin.runs_again(row.path):
        return ""
    children = list(state.children(row))
    if row.kind == ev.LOOP:
        del children[row.iteration_count :]  # what a retry left without an item
    return done.made_by if all(_unchanged(state, state.known(path)) for path in children) else ""


def _unchanged_before(state: RunState, row: Row) -> bool:
    """Whether whatever the task depends on is as it was in the origin."""
    at = row
    while at.spec is not None:
        if at.iteration < 0:
            for key in at.spec.upstream:
                if not _unchanged(state, state.known(child_path(at.parent, key))):
                    return False
        at = state.known(at.parent)
    return True


def _unchanged(state: RunState, row: Row) -> bool:
    """Whether a task that has ended did so as it did in the origin: with the same results, or skipped as it was there."""
    if row.linked:
        return True
    origin = state.header.origin
    done: Done | None = origin.tasks.get(row.path) if origin is not None else None
    return done is not None and row.state == done.state == ev.TASK_SKIPPED


def _same_inputs(spec: TaskSpec, ours: ev.Values, theirs: ev.Values) -> bool:
    if set(ours.parameters) != set(theirs.parameters) or set(ours.artifacts) != set(theirs.artifacts):
        return False
    statuses = {one.name for one in spec.parameters if one.status_of >= 0}
    return all(
        _same_value(value, theirs.parameters[name], status=name in statuses) for name, value in ours.parameters.items()
    ) and all(_same_artifacts(group, theirs.artifacts[name]) for name, group in ours.artifacts.items())


def _same_settings(state: RunState, origin: Origin, row: Row) -> bool:
    """Whether what the platform settings take from the DAG around the task is the same."""
    for name in _inputs_around(row.task.executor.platform_json if row.task.executor is not None else ""):
        group = state.known(row.parent)
        ours = group.inputs.message().parameters.get(name)
        if ours is None and group.iteration >= 0:
            ours = state.known(group.parent).inputs.message().parameters.get(name)
        theirs = origin.around(row.parent, name)
        if (ours is None) != (theirs is None):
            return False
        if ours is not None and theirs is not None and not _same_value(ours, theirs, status=False):
            return False
    return True


@lru_cache(maxsize=256)
def _inputs_around(platform_json: str) -> frozenset[str]:
    """The inputs of the DAG around a task that its platform settings name."""
    found: set[str] = set()
    waiting: list[object] = [json.loads(platform_json)] if "omponent" in platform_json else []
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            named = part.get("componentInputParameter") or part.get("component_input_parameter")
            if isinstance(named, str):
                found.add(named)
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return frozenset(found)


def _same_value(ours: ev.Value, theirs: ev.Value, *, status: bool) -> bool:
    if ours == theirs:
        return True
    if ours.WhichOneof("kind") != "json" or theirs.WhichOneof("kind") != "json":
        return ours.digest == theirs.digest != ""
    return _ordered(ours.json, status=status) == _ordered(theirs.json, status=status)


def _ordered(text: str, *, status: bool) -> str:
    """The value's text with its keys in order, so that true and 1, or 1 and "1", stay apart."""
    value = decode(text)
    if status and isinstance(value, dict):
        value = {key: one for key, one in value.items() if key != RESOURCE}
    return json.dumps(value, sort_keys=True)


def _same_artifacts(ours: ev.ArtifactList, theirs: ev.ArtifactList) -> bool:
    if len(ours.artifacts) != len(theirs.artifacts):
        return False
    return all(_identity(one) == _identity(two) for one, two in zip(ours.artifacts, theirs.artifacts, strict=True))


def _identity(one: ev.Artifact) -> tuple[str, ...]:
    """What makes an artifact the one it is to its reader; ids differ where one was given to each run by its URI."""
    kind = (one.schema_title, one.schema_version, one.instance_schema)
    metadata = _ordered(one.metadata_json, status=False) if one.metadata_json else "{}"
    return (one.uri, *kind, metadata, one.custom_path)
