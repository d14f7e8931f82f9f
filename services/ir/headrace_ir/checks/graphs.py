"""The shape of the graph: cycles among tasks and among components, and where the outputs of DAGs come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from headrace_ir.checks.kinds import producer_mismatch
from headrace_ir.checks.scopes import Scope, dependencies, scopes
from headrace_ir.checks.tasks import is_artifact_list, output_type, unknown_output, unknown_output_artifact
from headrace_ir.model import Input, Returned, Source, Spec
from headrace_ir.problems import Problem, hint


def check(spec: Spec) -> Iterator[Problem]:
    for scope in scopes(spec):
        yield from _task_cycles(scope)
        yield from _outputs(scope)
    yield from _component_cycles(spec)


def _task_cycles(scope: Scope) -> Iterator[Problem]:
    tasks = scope.dag.tasks
    edges = {name: sorted(dependencies(scope.spec, task) & tasks.keys()) for name, task in tasks.items()}
    for cycle in cycles(edges):
        if len(cycle) == 1:
            yield Problem(tasks[cycle[0]].path, "the task waits for itself")
        else:
            shown = " → ".join([*cycle[::-1], cycle[-1]])
            yield Problem(f"{scope.dag.path}.tasks", f"a cycle: these tasks wait for each other: {shown}")


def _component_cycles(spec: Spec) -> Iterator[Problem]:
    edges = {
        name: sorted({task.component for task in component.dag.tasks.values()} & spec.components.keys())
        for name, component in spec.components.items()
        if component.dag is not None
    }
    for cycle in cycles(edges):
        yield Problem("components", f"a cycle: these components contain each other: {' → '.join([*cycle, cycle[0]])}")


def cycles(edges: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """One cycle for each knot of the graph, along its edges; without recursion, since chains are long."""
    done: set[str] = set()
    for start in edges:
        if start in done:
            continue
        trail: list[str] = [start]
        on_trail = {start: 0}
        pending = [iter(edges[start])]
        while pending:
            for target in pending[-1]:
                if target in on_trail:
                    yield trail[on_trail[target] :]
                    done.add(target)
                elif target not in done and target in edges:
                    on_trail[target] = len(trail)
                    trail.append(target)
                    pending.append(iter(edges[target]))
                    break
            else:
                pending.pop()
                name = trail.pop()
                del on_trail[name]
                done.add(name)


def _outputs(scope: Scope) -> Iterator[Problem]:
    component, dag = scope.component, scope.dag
    for name, returned in dag.parameters.items():
        if name not in component.outputs:
            end = hint(name, component.outputs, kind="declared output parameters")
            yield Problem(returned.path, f"'{name}' is not declared in outputDefinitions.parameters; {end}")
        yield from _parameter(scope, name, returned)
    for name, returned in dag.artifacts.items():
        if name not in component.output_artifacts:
            end = hint(name, component.output_artifacts, kind="declared output artifacts")
            yield Problem(returned.path, f"'{name}' is not declared in outputDefinitions.artifacts; {end}")
        if not returned.selectors:
            yield Problem(returned.path, "has no source: expected 'artifactSelectors'")
        yield from _artifact(scope, name, returned)
    yield from _without_source(scope)


def _parameter(scope: Scope, name: str, returned: Returned) -> Iterator[Problem]:
    if not returned.selectors:
        yield Problem(returned.path, "has no source: expected 'valueFromParameter' or 'valueFromOneof'")
    declared = scope.component.outputs.get(name)
    for selector in returned.selectors:
        places = (f"{selector.path}.producerSubtask", f"{selector.path}.outputParameterKey")
        problems = list(unknown_output(scope, selector.task, selector.key, *places))
        yield from problems
        # A group inside a loop declares the list of all iterations.
        if problems or declared is None or (declared.type == "LIST" and scope.component is not scope.spec.root):
            continue
        produced = output_type(scope, selector.task, selector.key)
        if producer_mismatch(produced, declared.type):
            source = f"'{selector.key}' of '{selector.task}' is {produced}"
            yield Problem(selector.path, f"{source}, but the output '{name}' is declared {declared.type}")


def _artifact(scope: Scope, name: str, returned: Returned) -> Iterator[Problem]:
    declared = scope.component.output_artifacts.get(name)
    for selector in returned.selectors:
        places = (f"{selector.path}.producerSubtask", f"{selector.path}.outputArtifactKey")
        yield from unknown_output_artifact(scope, selector.task, selector.key, *places)
        source = Input(selector.path, Source.TASK_OUTPUT, selector.path, name=selector.key, task=selector.task)
        if declared is not None and not declared.is_list and is_artifact_list(scope, source):
            message = (
                f"'{selector.key}' of '{selector.task}' is a list of artifacts, but the output '{name}' is declared"
            )
            yield Problem(selector.path, f"{message} as a single one")


def _without_source(scope: Scope) -> Iterator[Problem]:
    for name, parameter in scope.component.outputs.items():
        if name not in scope.dag.parameters:
            yield Problem(parameter.path, f"the output '{name}' has no source in {scope.dag.path}.outputs.parameters")
    for name, artifact in scope.component.output_artifacts.items():
        if name not in scope.dag.artifacts:
            yield Problem(artifact.path, f"the output '{name}' has no source in {scope.dag.path}.outputs.artifacts")
