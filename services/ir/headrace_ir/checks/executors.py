"""Executors: their kinds, images, environments, resources and importers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headrace_ir.checks.names import env_problem
from headrace_ir.checks.quantities import quantity, quantity_problem
from headrace_ir.checks.scopes import all_components, scopes
from headrace_ir.kubernetes_fields import camel
from headrace_ir.model import MISSING, Component, Container, Executor, Importer, Resources, Source, Spec, Task
from headrace_ir.problems import Problem, hint
from headrace_ir.schema import describe
from headrace_ir.uris import import_problem

_REFUSED = {
    "resolver": "resolver executors are not supported: import the artifact with an importer (dsl.importer) instead",
    "custom_job": "Vertex AI custom jobs are not supported: use a container executor with the job's image and command",
}
_SHOWN = {"custom_job": "customJob"}


def check(spec: Spec) -> Iterator[Problem]:
    users = _users(spec)
    for executor in spec.executors.values():
        if executor.kind in _REFUSED:
            yield Problem(f"{executor.path}.{_SHOWN.get(executor.kind, executor.kind)}", _REFUSED[executor.kind])
        elif executor.container is not None:
            yield from _container(executor.container, f"{executor.path}.container")
        elif executor.importer is not None:
            yield from _importer(executor, executor.importer, users.get(executor.label, []))
        else:
            yield Problem(executor.path, "expected a 'container' or an 'importer'")
    yield from _importer_uris(spec)


def _users(spec: Spec) -> dict[str, list[Component]]:
    users: dict[str, list[Component]] = {}
    for component in all_components(spec):
        if component.executor:
            users.setdefault(component.executor, []).append(component)
    return users


def _container(container: Container, path: str) -> Iterator[Problem]:
    if not container.image:
        yield Problem(f"{path}.image", "required: the image that the command runs in")
    for index, (name, _) in enumerate(container.env):
        problem = env_problem(name)
        if problem:
            yield Problem(f"{path}.env[{index}].name", problem)
    yield from _resources(container.resources)


def _resources(resources: Resources) -> Iterator[Problem]:
    path = resources.path
    wrong: set[str] = set()
    for field in ("cpu_request", "cpu_limit", "memory_request", "memory_limit"):
        text = getattr(resources, field)
        problem = quantity_problem(text) if text else None
        if problem:
            wrong.add(field)
            yield Problem(f"{path}.{camel('resource_' + field)}", problem)
    for kind in ("cpu", "memory"):
        request, limit = getattr(resources, f"{kind}_request"), getattr(resources, f"{kind}_limit")
        asked, allowed = quantity(request), quantity(limit)
        if asked is not None and allowed is not None and asked > allowed and not wrong:
            yield Problem(f"{path}.{camel(f'resource_{kind}_request')}", f"'{request}' is above the limit of '{limit}'")
    yield from _accelerator(resources, f"{path}.accelerator")


def _accelerator(resources: Resources, path: str) -> Iterator[Problem]:
    kind, count = resources.accelerator_type, resources.accelerator_count
    amount = quantity(count)
    if count and (problem := quantity_problem(count)):
        yield Problem(f"{path}.resourceCount", problem)
    elif amount is not None and amount.denominator != 1:
        yield Problem(f"{path}.resourceCount", f"expected a whole number, got '{count}'")
    if kind and not count:
        yield Problem(f"{path}.resourceCount", "required: how many of the accelerator a task gets")
    if count and not kind:
        yield Problem(f"{path}.resourceType", "required: the resource name, such as 'nvidia.com/gpu'")


def _importer(executor: Executor, importer: Importer, users: list[Component]) -> Iterator[Problem]:
    path = f"{executor.path}.importer"
    if importer.uri is MISSING and not importer.uri_input:
        yield Problem(
            f"{path}.artifactUri", "required: 'constant' (the URI) or 'runtimeParameter' (the input that holds it)"
        )
    elif importer.uri is not MISSING:
        yield from _uri(f"{path}.artifactUri.constant", importer, importer.uri)
    if not importer.type.given:
        yield Problem(f"{path}.typeSchema", "required: the type of the artifact, such as schemaTitle 'system.Dataset'")
    for component in users:
        if len(component.output_artifacts) != 1:
            count = len(component.output_artifacts)
            yield Problem(
                component.path, f"an importer has exactly one output artifact, this component declares {count}"
            )


def _importer_uris(spec: Spec) -> Iterator[Problem]:
    """The input that holds an importer's URI is given by the task or declared with a default, and is text."""
    for scope in scopes(spec):
        for task in scope.dag.tasks.values():
            component = spec.components.get(task.component)
            executor = spec.executors.get(component.executor) if component else None
            if component is None or executor is None or executor.importer is None or not executor.importer.uri_input:
                continue
            yield from _uri_input(task, component, executor.importer, f"{executor.path}.importer")


def _uri_input(task: Task, component: Component, importer: Importer, path: str) -> Iterator[Problem]:
    name, place = importer.uri_input, f"{path}.artifactUri.runtimeParameter"
    given, declared = task.parameters.get(name), component.inputs.get(name)
    if name in component.input_artifacts or name in task.artifacts:
        yield Problem(place, f"'{name}' is an artifact of the task '{task.name}'; a URI is text")
    elif given is None and declared is None:
        end = hint(name, [*task.parameters, *component.inputs], kind="inputs")
        yield Problem(place, f"the task '{task.name}' has no input '{name}'; {end}")
    elif declared is not None and declared.type not in ("", "STRING"):
        yield Problem(place, f"'{name}' is declared {declared.type}; a URI is a STRING")
    elif given is not None and given.source is Source.CONSTANT and not given.selector:
        yield from _uri(given.place, importer, given.value)
    elif given is None and declared is not None and isinstance(declared.default, str):
        yield from _uri(f"{declared.path}.defaultValue", importer, declared.default)


def _uri(path: str, importer: Importer, uri: Any) -> Iterator[Problem]:
    if not isinstance(uri, str) or not uri:
        yield Problem(path, f"expected a URI, got {describe(uri)}")
    elif "{{$" not in uri:
        problem = import_problem(uri, importer.type.title, to_workspace=importer.to_workspace)
        if problem:
            yield Problem(path, problem)
