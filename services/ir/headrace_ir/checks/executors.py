"""Executors: their kinds, images, environments, resources and importers."""

from __future__ import annotations

from collections.abc import Iterator

from headrace_ir.checks.names import env_problem
from headrace_ir.checks.quantities import quantity_problem
from headrace_ir.checks.scopes import all_components, scopes
from headrace_ir.model import MISSING, Component, Container, Executor, Importer, Resources, Spec
from headrace_ir.problems import Problem, hint
from headrace_ir.schema import describe

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
    quantities = (
        ("resourceCpuRequest", resources.cpu_request),
        ("resourceCpuLimit", resources.cpu_limit),
        ("resourceMemoryRequest", resources.memory_request),
        ("resourceMemoryLimit", resources.memory_limit),
        ("accelerator.resourceCount", resources.accelerator_count),
    )
    for field, text in quantities:
        problem = quantity_problem(text) if text else None
        if problem:
            yield Problem(f"{resources.path}.{field}", problem)
    if resources.accelerator_type and not resources.accelerator_count:
        yield Problem(
            f"{resources.path}.accelerator.resourceCount", "required: how many of the accelerator a task gets"
        )
    if resources.accelerator_count and not resources.accelerator_type:
        expected = "the resource name, such as 'nvidia.com/gpu'"
        yield Problem(f"{resources.path}.accelerator.resourceType", f"required: {expected}")


def _importer(executor: Executor, importer: Importer, users: list[Component]) -> Iterator[Problem]:
    path = f"{executor.path}.importer"
    if importer.uri is MISSING and not importer.uri_input:
        yield Problem(
            f"{path}.artifactUri", "required: 'constant' (the URI) or 'runtimeParameter' (the input that holds it)"
        )
    elif importer.uri is not MISSING and (not isinstance(importer.uri, str) or not importer.uri):
        yield Problem(f"{path}.artifactUri.constant", f"expected a URI, got {describe(importer.uri)}")
    if not importer.type.given:
        yield Problem(f"{path}.typeSchema", "required: the type of the artifact, such as schemaTitle 'system.Dataset'")
    for component in users:
        if len(component.output_artifacts) != 1:
            count = len(component.output_artifacts)
            yield Problem(
                component.path, f"an importer has exactly one output artifact, this component declares {count}"
            )


def _importer_uris(spec: Spec) -> Iterator[Problem]:
    """The input that holds an importer's URI is given by the task or declared with a default."""
    for scope in scopes(spec):
        for task in scope.dag.tasks.values():
            component = spec.components.get(task.component)
            executor = spec.executors.get(component.executor) if component else None
            if component is None or executor is None or executor.importer is None or not executor.importer.uri_input:
                continue
            name = executor.importer.uri_input
            if name not in task.parameters and name not in component.inputs:
                end = hint(name, [*task.parameters, *component.inputs], kind="inputs")
                path = f"{executor.path}.importer.artifactUri.runtimeParameter"
                yield Problem(path, f"the task '{task.name}' has no input '{name}'; {end}")
