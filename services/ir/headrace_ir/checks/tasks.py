"""Each task by itself: its component, the sources and types of its inputs, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from headrace_ir.checks.kinds import literal_mismatch, producer_mismatch, value_mismatch
from headrace_ir.checks.scopes import Scope, final_status_producer, scopes
from headrace_ir.model import Component, Input, Parameter, Source, Spec, Task
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
    for name, given in task.artifacts.items():
        yield from _artifact(scope, component, name, given)
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
    if component is not None and declared is None and name in component.input_artifacts:
        yield Problem(given.path, f"the component declares '{name}' as an artifact: give it under 'inputs.artifacts'")
    if given.source is Source.NONE:
        expected = "'componentInputParameter', 'taskOutputParameter', 'runtimeValue' or 'taskFinalStatus'"
        yield Problem(given.path, f"has no source: expected {expected}")
    elif given.source is Source.CONSTANT:
        yield from _constant(declared, given)
    elif given.source is Source.FINAL_STATUS:
        yield from _final_status(scope, task, name, wanted, given)
    elif given.source is Source.DAG_INPUT:
        yield from _dag_parameter(scope, name, wanted, given)
    else:
        yield from _task_output(scope, name, wanted, given)


def _constant(declared: Parameter | None, given: Input) -> Iterator[Problem]:
    if declared is None or given.selector or (given.value is None and not declared.required):
        return
    mismatch = value_mismatch(declared.type, given.value, to_text=True) or literal_mismatch(declared, given.value)
    if mismatch:
        yield Problem(given.place, mismatch)


def _final_status(scope: Scope, task: Task, name: str, wanted: str, given: Input) -> Iterator[Problem]:
    producer = final_status_producer(task, given)
    path = f"{given.place}.producerTask"
    if not producer:
        yield Problem(path, "required: the task whose final status is meant, a task in the same DAG")
    else:
        yield from unknown_task(scope, producer, path)
    if producer_mismatch("TASK_FINAL_STATUS", wanted) and not given.selector:
        yield Problem(given.path, f"a final status is an object; the input '{name}' is declared {wanted}")


def _dag_parameter(scope: Scope, name: str, wanted: str, given: Input) -> Iterator[Problem]:
    path = given.place
    known = scope.component.inputs
    if given.name in known:
        produced = known[given.name].type
        if not given.selector and producer_mismatch(produced, wanted):
            yield Problem(given.path, f"'{given.name}' is {produced}, but the input '{name}' is declared {wanted}")
    elif given.name in scope.component.input_artifacts:
        yield Problem(path, f"'{given.name}' is an artifact: use 'componentInputArtifact' under 'inputs.artifacts'")
    elif not given.name:
        yield Problem(path, "required: the name of an input of the DAG around the task")
    else:
        yield Problem(path, f"unknown input '{given.name}'; {hint(given.name, known, kind='input parameters')}")


def _task_output(scope: Scope, name: str, wanted: str, given: Input) -> Iterator[Problem]:
    path = given.place
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


def _artifact(scope: Scope, component: Component | None, name: str, given: Input) -> Iterator[Problem]:
    declared = component.input_artifacts.get(name) if component else None
    if component is not None and declared is None and name in component.inputs:
        yield Problem(given.path, f"the component declares '{name}' as a parameter: give it under 'inputs.parameters'")
    if given.source is Source.NONE:
        yield Problem(given.path, "has no source: expected 'componentInputArtifact' or 'taskOutputArtifact'")
    elif given.source is Source.TASK_OUTPUT:
        places = (f"{given.place}.producerTask", f"{given.place}.outputArtifactKey")
        yield from unknown_output_artifact(scope, given.task, given.name, *places)
    elif given.name not in scope.component.input_artifacts:
        yield from _unknown_dag_artifact(scope, given)
    if declared is not None and not declared.is_list and is_artifact_list(scope, given):
        source = f"'{given.name}' of '{given.task}'" if given.task else f"'{given.name}'"
        yield Problem(
            given.path, f"{source} is a list of artifacts, but the input '{name}' is declared as a single one"
        )


def _unknown_dag_artifact(scope: Scope, given: Input) -> Iterator[Problem]:
    if given.name in scope.component.inputs:
        message = f"'{given.name}' is a parameter: use 'componentInputParameter' under 'inputs.parameters'"
    elif not given.name:
        message = "required: the name of an input of the DAG around the task"
    else:
        end = hint(given.name, scope.component.input_artifacts, kind="input artifacts")
        message = f"unknown input '{given.name}'; {end}"
    yield Problem(given.place, message)


def is_artifact_list(scope: Scope, given: Input) -> bool:
    """Whether an artifact source is certainly a list: declared as one, or what a loop's iterations made."""
    if given.source is Source.DAG_INPUT:
        declared = scope.component.input_artifacts.get(given.name)
        return declared is not None and declared.is_list
    component = scope.component_of(given.task)
    if component is None or given.name not in component.output_artifacts:
        return False
    return component.output_artifacts[given.name].is_list or scope.dag.tasks[given.task].loop is not None


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
    if item and item in given:
        kind = "parameters" if item in task.parameters else "artifacts"
        message = f"'{item}' receives the items of the loop and cannot be given besides"
        yield Problem(f"{task.path}.inputs.{kind}.{item}", message)
    for name in task.artifacts:
        if name not in declared and name not in misspelt and not name.startswith(_INJECTED):
            end = hint(name, component.input_artifacts, kind="input artifacts")
            yield Problem(f"{task.path}.inputs.artifacts.{name}", f"unknown input '{name}'; {end}")
