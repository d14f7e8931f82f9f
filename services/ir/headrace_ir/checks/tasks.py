"""Each task by itself: its component, the sources and types of its inputs, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from headrace_ir.checks.kinds import producer_mismatch, value_mismatch
from headrace_ir.checks.scopes import Scope, final_status_producer, scopes
from headrace_ir.model import Component, Input, Source, Spec, Task
from headrace_ir.problems import Problem, hint, nearest

_INJECTED = "pipelinechannel--"
_COMPARED = 100
"""Undeclared inputs of one task that are compared with declared ones."""


def check(spec: Spec) -> Iterator[Problem]:
    for scope in scopes(spec):
        for task in scope.dag.tasks.values():
            yield from _task(scope, task)


def _task(scope: Scope, task: Task) -> Iterator[Problem]:
    for index, name in enumerate(task.dependencies):
        yield from unknown_task(scope, name, f"{task.path}.dependentTasks[{index}]")
    component = None
    if not task.component:
        yield Problem(f"{task.path}.componentRef.name", "required: the component that the task runs")
    else:
        component = scope.spec.components.get(task.component)
        if component is None:
            end = hint(task.component, scope.spec.components, kind="components")
            yield Problem(f"{task.path}.componentRef.name", f"unknown component '{task.component}'; {end}")
    for name, given in task.parameters.items():
        yield from _parameter(scope, task, component, name, given)
    for given in task.artifacts.values():
        yield from _artifact(scope, given)
    if component is not None:
        yield from _interface(task, component)


def unknown_task(scope: Scope, name: str, path: str) -> Iterator[Problem]:
    if not name:
        yield Problem(path, "required: the name of a task in the same DAG")
    elif name not in scope.dag.tasks:
        yield Problem(path, f"unknown task '{name}'; {hint(name, scope.dag.tasks, kind='tasks')}")


def _parameter(scope: Scope, task: Task, component: Component | None, name: str, given: Input) -> Iterator[Problem]:
    declared = component.inputs.get(name) if component else None
    wanted = declared.type if declared else ""
    if given.source is Source.NONE:
        expected = "'componentInputParameter', 'taskOutputParameter', 'runtimeValue' or 'taskFinalStatus'"
        yield Problem(given.path, f"has no source: expected {expected}")
    elif given.source is Source.CONSTANT:
        mismatch = value_mismatch(wanted, given.value, to_text=True)
        if mismatch and not given.selector and not (given.value is None and declared and not declared.required):
            yield Problem(f"{given.path}.runtimeValue.constant", mismatch)
    elif given.source is Source.FINAL_STATUS:
        yield from unknown_task(scope, final_status_producer(task, given), f"{given.path}.taskFinalStatus.producerTask")
        if producer_mismatch("TASK_FINAL_STATUS", wanted):
            yield Problem(given.path, f"a final status is an object; the input '{name}' is declared {wanted}")
    elif given.source is Source.DAG_INPUT:
        yield from _dag_parameter(scope, name, wanted, given)
    else:
        yield from _task_output(scope, name, wanted, given)


def _dag_parameter(scope: Scope, name: str, wanted: str, given: Input) -> Iterator[Problem]:
    path = f"{given.path}.componentInputParameter"
    known = scope.component.inputs
    if given.name in known:
        produced = known[given.name].type
        if not given.selector and producer_mismatch(produced, wanted):
            yield Problem(given.path, f"'{given.name}' is {produced}, but the input '{name}' is declared {wanted}")
    elif given.name in scope.component.input_artifacts:
        yield Problem(path, f"'{given.name}' is an artifact: use 'componentInputArtifact' under 'inputs.artifacts'")
    else:
        yield Problem(path, f"unknown input '{given.name}'; {hint(given.name, known, kind='input parameters')}")


def _task_output(scope: Scope, name: str, wanted: str, given: Input) -> Iterator[Problem]:
    path = f"{given.path}.taskOutputParameter"
    problems = list(unknown_output(scope, given.task, given.name, f"{path}.producerTask", f"{path}.outputParameterKey"))
    yield from problems
    if problems or given.selector:
        return
    produced = output_type(scope, given.task, given.name)
    if producer_mismatch(produced, wanted):
        source = f"'{given.name}' of '{given.task}' is {produced}"
        yield Problem(given.path, f"{source}, but the input '{name}' is declared {wanted}")


def unknown_output(scope: Scope, task: str, key: str, task_path: str, key_path: str) -> Iterator[Problem]:
    """Problems of a reference to an output parameter of a sibling."""
    yield from unknown_task(scope, task, task_path)
    component = scope.component_of(task)
    if component is None or key in component.outputs:
        return
    if key in component.output_artifacts:
        yield Problem(key_path, f"'{key}' of '{task}' is an artifact, not a parameter")
    else:
        end = hint(key, component.outputs, kind="output parameters")
        yield Problem(key_path, f"the task '{task}' has no output parameter '{key}'; {end}")


def unknown_output_artifact(scope: Scope, task: str, key: str, task_path: str, key_path: str) -> Iterator[Problem]:
    """Problems of a reference to an output artifact of a sibling."""
    yield from unknown_task(scope, task, task_path)
    component = scope.component_of(task)
    if component is None or key in component.output_artifacts:
        return
    if key in component.outputs:
        yield Problem(key_path, f"'{key}' of '{task}' is a parameter, not an artifact")
    else:
        end = hint(key, component.output_artifacts, kind="output artifacts")
        yield Problem(key_path, f"the task '{task}' has no output artifact '{key}'; {end}")


def output_type(scope: Scope, task: str, key: str) -> str:
    """The type that consumers see: a loop gives the list of its iterations' values. Empty where that is not certain.

    The SDK declares outputs of groups inside loops as LIST already, whatever one iteration gives.
    """
    component = scope.component_of(task)
    if component is None:
        return ""
    if scope.dag.tasks[task].loop is not None:
        return "LIST"
    declared = component.outputs[key].type
    return "" if component.dag is not None and declared == "LIST" else declared


def _artifact(scope: Scope, given: Input) -> Iterator[Problem]:
    if given.source is Source.NONE:
        yield Problem(given.path, "has no source: expected 'componentInputArtifact' or 'taskOutputArtifact'")
    elif given.source is Source.TASK_OUTPUT:
        path = f"{given.path}.taskOutputArtifact"
        places = (f"{path}.producerTask", f"{path}.outputArtifactKey")
        yield from unknown_output_artifact(scope, given.task, given.name, *places)
    elif given.name not in scope.component.input_artifacts:
        path = f"{given.path}.componentInputArtifact"
        if given.name in scope.component.inputs:
            yield Problem(
                path, f"'{given.name}' is a parameter: use 'componentInputParameter' under 'inputs.parameters'"
            )
        else:
            end = hint(given.name, scope.component.input_artifacts, kind="input artifacts")
            yield Problem(path, f"unknown input '{given.name}'; {end}")


def _interface(task: Task, component: Component) -> Iterator[Problem]:
    """Inputs that are missing, and given ones that were probably meant for them."""
    item = task.loop.item if task.loop else ""
    declared = {**component.inputs, **component.input_artifacts}
    given = {**task.parameters, **task.artifacts}
    free = [name for name in declared if name not in given and name != item]
    extra = [name for name in given if name not in declared and not name.startswith(_INJECTED)]
    misspelt = {name: meant for name in extra[:_COMPARED] if (meant := nearest(name, free))}
    for name, meant in misspelt.items():
        kind = "parameters" if name in task.parameters else "artifacts"
        yield Problem(f"{task.path}.inputs.{kind}.{name}", f"unknown input '{name}'; did you mean '{meant}'?")
    for name, parameter in component.inputs.items():
        injected = parameter.type == "TASK_CONFIG"
        if name in free and parameter.required and not injected and name not in misspelt.values():
            kind = f" ({parameter.type})" if parameter.type else ""
            yield Problem(
                f"{task.path}.inputs.parameters", f"missing input '{name}'{kind} of component '{component.name}'"
            )
    for name, artifact in component.input_artifacts.items():
        if name in free and not artifact.optional and name not in misspelt.values():
            title = f" ({artifact.type.title})" if artifact.type.title else ""
            yield Problem(
                f"{task.path}.inputs.artifacts", f"missing input '{name}'{title} of component '{component.name}'"
            )
    for name in task.artifacts:
        if name not in declared and name not in misspelt and not name.startswith(_INJECTED):
            end = hint(name, component.input_artifacts, kind="input artifacts")
            yield Problem(f"{task.path}.inputs.artifacts.{name}", f"unknown input '{name}'; {end}")
