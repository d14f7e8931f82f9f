"""What a check needs to know about the place it looks at: the spec, the DAG around a task, and its component.

Also the effective dependencies of a task, which checks and the Plan must see alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headrace_ir.model import Component, Dag, Input, Source, Spec, Task

_SELECTORS = frozenset({"parameterExpressionSelector", "parameter_expression_selector"})


@dataclass(frozen=True, slots=True)
class Scope:
    """One DAG of the spec, with the component that it implements."""

    spec: Spec
    component: Component
    dag: Dag

    def component_of(self, task: str) -> Component | None:
        known = self.dag.tasks.get(task)
        return self.spec.components.get(known.component) if known else None


def all_components(spec: Spec) -> Iterator[Component]:
    """Root first, then the others as written."""
    if spec.root is not None:
        yield spec.root
    yield from spec.components.values()


def scopes(spec: Spec) -> Iterator[Scope]:
    for component in all_components(spec):
        if component.dag is not None:
            yield Scope(spec, component, component.dag)


def final_status_producer(task: Task, given: Input) -> str:
    """The task whose final status an input carries; a lone dependency is meant where the IR names none."""
    if not given.task and len(task.dependencies) == 1:
        return task.dependencies[0]
    return given.task


def dependencies(spec: Spec, task: Task) -> set[str]:
    """Every sibling that must end before the task starts: declared, by data, by final status, by platform settings."""
    found = set(task.dependencies)
    for given in task.parameters.values():
        if given.source is Source.TASK_OUTPUT:
            found.add(given.task)
        elif given.source is Source.FINAL_STATUS:
            found.add(final_status_producer(task, given))
    found.update(given.task for given in task.artifacts.values() if given.source is Source.TASK_OUTPUT)
    found.update(producer for _, producer, *_ in platform_outputs(platform_settings(spec, task)))
    found.discard("")
    return found


def platform_settings(spec: Spec, task: Task) -> Mapping[str, Any]:
    """The Kubernetes settings of the executor behind a task; empty for DAGs."""
    component = spec.components.get(task.component)
    return spec.kubernetes.get(component.executor, {}) if component is not None and component.executor else {}


def platform_inputs(settings: Any, path: str = "") -> Iterator[tuple[str, str, bool]]:
    """The inputs of the DAG around a task that its platform settings refer to: (place, name, whole).

    Not `whole`: an expression selects from the value.
    """
    if isinstance(settings, list):
        for index, entry in enumerate(settings):
            yield from platform_inputs(entry, f"{path}[{index}]")
    if not isinstance(settings, Mapping):
        return
    for key, value in settings.items():
        place = f"{path}.{key}"
        if key in ("componentInputParameter", "component_input_parameter") and isinstance(value, str):
            yield place, value, not settings.keys() & _SELECTORS
        else:
            yield from platform_inputs(value, place)


def platform_outputs(settings: Any, path: str = "") -> Iterator[tuple[str, str, str, bool]]:
    """The outputs of sibling tasks that platform settings refer to: (place, task, key, whole)."""
    if isinstance(settings, list):
        for index, entry in enumerate(settings):
            yield from platform_outputs(entry, f"{path}[{index}]")
    if not isinstance(settings, Mapping):
        return
    for key, value in settings.items():
        place = f"{path}.{key}"
        if key in ("taskOutputParameter", "task_output_parameter") and isinstance(value, Mapping):
            producer = value.get("producerTask", value.get("producer_task", ""))
            output = value.get("outputParameterKey", value.get("output_parameter_key", ""))
            yield place, str(producer), str(output), not settings.keys() & _SELECTORS
        else:
            yield from platform_outputs(value, place)
