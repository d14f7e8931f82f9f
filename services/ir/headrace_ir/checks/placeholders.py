"""Placeholders that name inputs and outputs: each name must exist for every task that uses the template.

Only names are judged here; which text a placeholder becomes is the engine's business, and platform placeholders
(`{{$.pipeline_job_name}}` and others) are left alone, since platforms differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from headrace_ir.checks.scopes import scopes
from headrace_ir.checks.structures import StructureProblem, asked_inputs
from headrace_ir.model import Component, Container, Executor, Source, Spec, Task
from headrace_ir.problems import Problem, hint

# The platform's own texts; any other name stays as it is (Vertex has more).
PLATFORM: Final = (
    "pipeline_job_name",
    "pipeline_job_resource_name",
    "pipeline_job_uuid",
    "pipeline_task_name",
    "pipeline_task_uuid",
    "pipeline_job_create_time_utc",
    "pipeline_job_schedule_time_utc",
    "pipeline_root",
    "workspace_path",
)
NAMED: Final = re.compile(r"""\{\{\$\.(inputs|outputs)\.(parameters|artifacts)\[(?:'([^']*)'|"([^"]*)")\][^{}]*\}\}""")
_ANY: Final = "parameters or artifacts"

Reference = tuple[str, str, str]
"""(side, kind, name), such as ("inputs", "parameters", "lr")."""


def check(spec: Spec) -> Iterator[Problem]:
    templates = {}
    for label, executor in spec.executors.items():
        templates[label] = [reference for place, text in texts(executor) for reference in _references(place, text)]
        yield from _structures(executor, templates[label])
    for scope in scopes(spec):
        for task in scope.dag.tasks.values():
            component = spec.components.get(task.component)
            if component is None:
                continue
            for path, reference in templates.get(component.executor, []):
                yield from _unknown(path, reference, task, component)
            yield from _constants(task, component)


def texts(executor: Executor) -> Iterator[tuple[str, Any]]:
    """Every place of an executor where a placeholder stands, with what is there."""
    if executor.container is not None:
        path = f"{executor.path}.container"
        for field, value in _container_texts(executor.container):
            if "{{" in value if isinstance(value, str) else any("{{" in text for text in value):
                yield f"{path}.{field}", value
    if executor.importer is not None:
        yield f"{executor.path}.importer.metadata", executor.importer.metadata
        yield f"{executor.path}.importer.artifactUri.constant", executor.importer.uri
    if executor.kubernetes:
        yield f"platforms.kubernetes.deploymentSpec.executors.{executor.label}", executor.kubernetes


def _container_texts(container: Container) -> Iterator[tuple[str, str | list[str]]]:
    yield "image", container.image
    yield "command", list(container.command)
    yield "args", list(container.args)
    for index, (_, value) in enumerate(container.env):
        yield f"env[{index}].value", value
    resources = container.resources
    yield "resources.resourceCpuRequest", resources.cpu_request
    yield "resources.resourceCpuLimit", resources.cpu_limit
    yield "resources.resourceMemoryRequest", resources.memory_request
    yield "resources.resourceMemoryLimit", resources.memory_limit
    yield "resources.accelerator.resourceType", resources.accelerator_type
    yield "resources.accelerator.resourceCount", resources.accelerator_count


def _references(path: str, value: Any) -> Iterator[tuple[str, Reference]]:
    if isinstance(value, str):
        if "{{$" in value:
            for side, kind, single, double in dict.fromkeys(NAMED.findall(value)):
                yield path, (side, kind, single or double)
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _references(path, key)
            yield from _references(f"{path}.{key}", entry)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _references(f"{path}[{index}]", entry)


def _structures(executor: Executor, found: list[tuple[str, Reference]]) -> Iterator[Problem]:
    """Adds the inputs that IfPresent asks for to what is FOUND."""
    if executor.container is None:
        return
    for field, elements in (("command", executor.container.command), ("args", executor.container.args)):
        for index, element in enumerate(elements):
            path = f"{executor.path}.container.{field}[{index}]"
            try:
                found.extend((path, ("inputs", _ANY, name)) for name in asked_inputs(element))
            except StructureProblem as problem:
                yield Problem(path, str(problem))


def _constants(task: Task, component: Component) -> Iterator[Problem]:
    """A constant can hold other inputs of the same task; anything else in it is plain text."""
    for given in task.parameters.values():
        if given.source is Source.CONSTANT:
            for path, reference in _references(given.place, given.value):
                if reference[:2] == ("inputs", "parameters"):
                    yield from _unknown(path, reference, task, component)


def _unknown(path: str, reference: Reference, task: Task, component: Component) -> Iterator[Problem]:
    side, kind, name = reference
    known = _known(side, kind, task, component)
    if name in known:
        return
    what = f"{side[:-1]} {kind[:-1]}" if kind != _ANY else "input"
    other = {"parameters": "artifacts", "artifacts": "parameters"}.get(kind, "")
    if other and name in _known(side, other, task, component):
        end = f"'{name}' is one of its {other}: write {{{{$.{side}.{other}['{name}']}}}}"
    else:
        end = hint(name, sorted(known), kind=f"{what}s")
    yield Problem(path, f"names the {what} '{name}', which the task '{task.name}' does not have; {end}")


def _known(side: str, kind: str, task: Task, component: Component) -> set[str]:
    if side == "outputs":
        return set(component.outputs if kind == "parameters" else component.output_artifacts)
    known = {task.loop.item} if task.loop else set()
    if kind != "artifacts":
        known.update(component.inputs, task.parameters)
    if kind != "parameters":
        known.update(component.input_artifacts, task.artifacts)
    return known
