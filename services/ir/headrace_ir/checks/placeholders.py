"""Placeholders that name inputs and outputs: each name must exist for every task that uses the template.

Only names are judged here; which text a placeholder becomes is the engine's business, and platform placeholders
(`{{$.pipeline_job_name}}` and others) are left alone, since platforms differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from headrace_ir.checks.scopes import scopes
from headrace_ir.model import Component, Executor, Source, Spec, Task
from headrace_ir.problems import Problem, hint

_NAMED = re.compile(r"""\{\{\$\.(inputs|outputs)\.(parameters|artifacts)\[(?:'([^']*)'|"([^"]*)")\][^{}]*\}\}""")

Reference = tuple[str, str, str]
"""(side, kind, name), such as ("inputs", "parameters", "lr")."""


def check(spec: Spec) -> Iterator[Problem]:
    templates = {label: list(_templates(executor)) for label, executor in spec.executors.items()}
    for scope in scopes(spec):
        for task in scope.dag.tasks.values():
            component = spec.components.get(task.component)
            if component is None:
                continue
            for path, reference in templates.get(component.executor, []):
                yield from _unknown(path, reference, task, component)
            yield from _constants(task, component)


def _templates(executor: Executor) -> Iterator[tuple[str, Reference]]:
    """Every place of an executor that names something, with what it names."""
    container = executor.container
    if container is not None:
        path = f"{executor.path}.container"
        yield from _references(f"{path}.image", container.image)
        for field, texts in (("command", container.command), ("args", container.args)):
            for index, text in enumerate(texts):
                yield from _references(f"{path}.{field}[{index}]", text)
        for index, (_, value) in enumerate(container.env):
            yield from _references(f"{path}.env[{index}].value", value)
        resources = container.resources
        amounts = (resources.cpu_request, resources.cpu_limit, resources.memory_request, resources.memory_limit)
        for text in (*amounts, resources.accelerator_type, resources.accelerator_count):
            yield from _references(resources.path, text)
    if executor.importer is not None:
        yield from _references(f"{executor.path}.importer.metadata", executor.importer.metadata)
        yield from _references(f"{executor.path}.importer.artifactUri.constant", executor.importer.uri)


def _references(path: str, value: Any) -> Iterator[tuple[str, Reference]]:
    if isinstance(value, str):
        if "{{$." in value:
            for side, kind, single, double in dict.fromkeys(_NAMED.findall(value)):
                yield path, (side, kind, single or double)
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _references(path, key)
            yield from _references(f"{path}.{key}", entry)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _references(f"{path}[{index}]", entry)


def _constants(task: Task, component: Component) -> Iterator[Problem]:
    """A constant can hold other inputs of the same task; anything else in it is plain text."""
    for given in task.parameters.values():
        if given.source is Source.CONSTANT:
            for path, reference in _references(f"{given.path}.runtimeValue.constant", given.value):
                if reference[:2] == ("inputs", "parameters"):
                    yield from _unknown(path, reference, task, component)


def _unknown(path: str, reference: Reference, task: Task, component: Component) -> Iterator[Problem]:
    side, kind, name = reference
    known: set[str] = set()
    if side == "outputs":
        known.update(component.outputs if kind == "parameters" else component.output_artifacts)
    else:
        known.update(component.inputs if kind == "parameters" else component.input_artifacts)
        known.update(task.parameters if kind == "parameters" else task.artifacts)
        known.update([task.loop.item] if task.loop else [])
    if name not in known:
        what = f"{side[:-1]} {kind[:-1]}"
        end = hint(name, sorted(known), kind=f"{what}s")
        yield Problem(path, f"names the {what} '{name}', which the task '{task.name}' does not have; {end}")
