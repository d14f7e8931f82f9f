"""What the cache makes a task's key of: everything that its results may depend on, as far as the engine knows it. Pure.

What the world alone knows (what lies at a URI whose content nobody has measured, which image a tag names) is added by
headrace_scheduler/identifying.py; `unmeasured` says of which URIs. Called by commanding.py and settling.py.
"""

from __future__ import annotations

import json
import re

from headrace_ir.values import decode
from headrace_protos.v1 import cache_pb2, plan_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.launching import Prepared
from headrace_scheduler.engine.resolving import platform
from headrace_scheduler.engine.rows import Row
from headrace_scheduler.engine.state import RunState
from headrace_scheduler.engine.task_config import PERSISTENT
from headrace_scheduler.executors.port import OutputArtifact

_URI_OF = re.compile(r"\{\{\$\.inputs\.artifacts\[['\"](.+?)['\"]\]\.uri\}\}")


def ingredients(state: RunState, row: Row, prepared: Prepared) -> cache_pb2.Ingredients:
    """The ingredients of one execution's key."""
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
        parameters={
            **{name: ordered(text) for name, text in prepared.parameters.items()},
            **{name: one.digest for name, one in prepared.references.items()},
        },
        output_parameters={
            name: _parameter(kind, optional=name in spec.optional_outputs) for name, kind in spec.output_types.items()
        },
        output_artifacts={
            one.name: _declared(one, optional=one.name in spec.optional_outputs) for one in spec.output_artifacts
        },
    )
    named = _named_by_uri(container)
    for name, group in prepared.inputs.artifacts.items():
        made.artifacts[name].contents.extend(_content(one, by_uri=name in named) for one in group.artifacts)
    made.context.update(_context(state, row, prepared))
    return made


def unmeasured(prepared: Prepared) -> tuple[str, ...]:
    """The URIs of input artifacts whose content nobody has measured: what an importer names, or a task put elsewhere."""
    groups = prepared.inputs.artifacts.values()
    return tuple(dict.fromkeys(one.uri for group in groups for one in group.artifacts if not one.digest and one.uri))


def ordered(text: str) -> str:
    """A JSON text with the keys of its objects in order: clients and wires give them in any."""
    return json.dumps(decode(text), sort_keys=True, separators=(",", ":")) if text[:1] in ("{", "[") else text


def _parameter(kind: int, *, optional: bool) -> str:
    name = plan_pb2.ParameterType.Name(plan_pb2.ParameterType.ValueType(kind))
    return f"{name} optional" if optional else name


def _declared(one: OutputArtifact, *, optional: bool) -> str:
    """An output artifact as its component declares it: its type, and what its metadata begins with."""
    kind = f"{one.schema_title or one.instance_schema or one.schema_uri}@{one.schema_version}"
    marks = [mark for mark, held in (("list", one.is_list), ("optional", optional)) if held]
    return " ".join((kind, *marks, *((ordered(one.metadata_json),) if one.metadata_json else ())))


def _content(one: ev.Artifact, *, by_uri: bool) -> str:
    """What an artifact is, whoever made it: its content where that is known, else where it lies; its type and metadata."""
    kind = f"{one.schema_title}@{one.schema_version}{one.instance_schema}{one.schema_uri}"
    parts = [one.digest or one.uri, json.dumps(kind), ordered(one.metadata_json or "{}")]
    if one.custom_path:
        parts.append(f"at {one.custom_path}")
    if by_uri and one.digest:
        parts.append(one.uri)
    return "\n".join(parts)


def _named_by_uri(container: plan_pb2.Container) -> frozenset[str]:
    """Input artifacts whose URI is written into the command: another place is another command then."""
    texts = (*container.command, *container.args, *(one.value for one in container.env))
    return frozenset(name for text in texts if ".uri}}" in text for name in _URI_OF.findall(text))


def _context(state: RunState, row: Row, prepared: Prepared) -> dict[str, str]:
    """What else a task's results may depend on: names of the run that its templates mention, and its secrets and mounts."""
    container = row.task.template.container
    templates = "".join((*container.command, *container.args, *(one.value for one in container.env)))
    used = {name: text for name, text in platform(state, row).items() if f"{{{{$.{name}}}}}" in templates}
    settings = prepared.settings
    for one in settings.env:
        used[f"env {one.name}"] = f"{one.kind} {one.source} {one.key}"
    for mount in settings.mounts:
        if mount.kind in PERSISTENT or settings.init_containers:
            used[f"mount {mount.path}"] = f"{mount.kind} {mount.source} {mount.sub_path}"
    if settings.init_containers:
        used["init containers"] = json.dumps([dict(one) for one in settings.init_containers], sort_keys=True)
    if settings.workspace_claim:
        used["workspace"] = settings.workspace_claim
    if row.task.passthroughs:
        passed = (f"{name} {applies}" for name, applies in sorted(row.task.passthroughs.items()))
        used["task config"] = ", ".join(passed)
    return used
