"""Iterators, retries and parallelism limits of tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from headrace_ir.checks.kinds import literal_mismatch, value_mismatch
from headrace_ir.checks.scopes import Scope, scopes
from headrace_ir.checks.tasks import output_type
from headrace_ir.limits import MAX_RETRIES
from headrace_ir.model import Component, Input, Loop, Retry, Source, Spec, Task
from headrace_ir.problems import Problem, hint
from headrace_ir.schema import describe
from headrace_ir.values import ValueProblem, decode

_ITERABLE = frozenset({"", "LIST", "STRING"})


def check(spec: Spec) -> Iterator[Problem]:
    for scope in scopes(spec):
        for task in scope.dag.tasks.values():
            if task.loop is not None:
                yield from _loop(scope, task, task.loop)
            if task.parallelism < 0:
                yield Problem(f"{task.path}.iteratorPolicy.parallelismLimit", "must be 0 (no limit) or more")
            if task.retry is not None:
                yield from _retry(task.retry)


def _loop(scope: Scope, task: Task, loop: Loop) -> Iterator[Problem]:
    component = scope.spec.components.get(task.component)
    over_artifacts = loop.path.endswith(".artifactIterator")
    if component is not None or not loop.item:
        yield from _item_input(loop, component, over_artifacts=over_artifacts)
    if loop.raw is not None:
        yield from _items(f"{loop.path}.items.raw", loop, component)
    elif loop.parameter:
        yield from _input_items(scope, task, loop, component)
    elif loop.artifact:
        yield from _artifact_items(task, loop)
    elif over_artifacts:
        yield Problem(f"{loop.path}.items.inputArtifact", "required: the input artifact whose list is iterated over")
    else:
        yield Problem(f"{loop.path}.items", "required: 'raw' (a JSON array) or the input that holds the items")


def _item_input(loop: Loop, component: Component | None, *, over_artifacts: bool) -> Iterator[Problem]:
    path = f"{loop.path}.itemInput"
    if not loop.item or component is None:
        yield Problem(path, "required: the input that receives one item")
        return
    interface = (component.inputs.keys(), component.input_artifacts.keys())
    declared, others = interface[::-1] if over_artifacts else interface
    kind, other = ("an artifact", "a parameter") if over_artifacts else ("a parameter", "an artifact")
    if loop.item in others:
        yield Problem(path, f"'{loop.item}' is {other} of the component '{component.name}', but an item is {kind} here")
    elif loop.item not in declared:
        end = hint(loop.item, declared, kind="inputs")
        yield Problem(path, f"the component '{component.name}' has no input '{loop.item}'; {end}")
    elif over_artifacts and component.input_artifacts[loop.item].is_list:
        yield Problem(path, f"'{loop.item}' is declared as a list of artifacts, but an item is a single one")


def _items(path: str, loop: Loop, component: Component | None) -> Iterator[Problem]:
    items = parse_items(loop.raw or "")
    if isinstance(items, list):
        yield from _each(path, items, loop, component)
    else:
        yield Problem(path, f"expected a JSON array as text, got {describe(loop.raw)}")


def _each(path: str, items: list[Any], loop: Loop, component: Component | None) -> Iterator[Problem]:
    """The first item that does not fit the input that receives it."""
    declared = component.inputs.get(loop.item) if component else None
    if declared is None:
        return
    for index, item in enumerate(items):
        if item is None and not declared.required:
            continue
        mismatch = value_mismatch(declared.type, item, to_text=True) or literal_mismatch(declared, item)
        if mismatch:
            yield Problem(path, f"item {index}: {mismatch}")
            return


def _artifact_items(task: Task, loop: Loop) -> Iterator[Problem]:
    path = f"{loop.path}.items.inputArtifact"
    if loop.artifact in task.artifacts:
        return
    if loop.artifact in task.parameters:
        yield Problem(path, f"'{loop.artifact}' is a parameter of the task: iterate over it with 'parameterIterator'")
    else:
        end = hint(loop.artifact, task.artifacts, kind="input artifacts")
        yield Problem(path, f"the task has no input artifact '{loop.artifact}'; {end}")


def parse_items(text: str) -> Any:
    """The items of a `raw` iterator; None where the text is not usable JSON."""
    try:
        return decode(text)
    except ValueProblem:
        return None


def _input_items(scope: Scope, task: Task, loop: Loop, component: Component | None) -> Iterator[Problem]:
    path = f"{loop.path}.items.inputParameter"
    given = task.parameters.get(loop.parameter)
    if given is None and loop.parameter in task.artifacts:
        yield Problem(path, f"'{loop.parameter}' is an artifact of the task: iterate over it with 'artifactIterator'")
    elif given is None:
        end = hint(loop.parameter, task.parameters, kind="input parameters")
        yield Problem(path, f"the task has no input parameter '{loop.parameter}'; {end}")
    elif given.source is Source.CONSTANT and not given.selector:
        items = parse_items(given.value) if isinstance(given.value, str) and "{{$" not in given.value else given.value
        if isinstance(items, list):
            yield from _each(given.place, items, loop, component)
        elif not isinstance(items, str):
            yield Problem(path, f"expected a list to iterate over, '{loop.parameter}' is {describe(given.value)}")
    else:
        kind = _produced(scope, given)
        if kind not in _ITERABLE:
            yield Problem(path, f"expected a list to iterate over, '{loop.parameter}' is {kind}")


def _produced(scope: Scope, given: Input) -> str:
    if given.selector:
        return ""
    if given.source is Source.DAG_INPUT and given.name in scope.component.inputs:
        return scope.component.inputs[given.name].type
    component = scope.component_of(given.task)
    if given.source is Source.TASK_OUTPUT and component is not None and given.name in component.outputs:
        return output_type(scope, given.task, given.name)
    return ""


def _retry(retry: Retry) -> Iterator[Problem]:
    if not 0 <= retry.count <= MAX_RETRIES:
        yield Problem(f"{retry.path}.maxRetryCount", f"must be from 0 to {MAX_RETRIES:,}, got {retry.count}")
    factor = retry.factor
    if factor is not None and not (math.isfinite(factor) and factor > 0):
        yield Problem(f"{retry.path}.backoffFactor", f"must be a number above 0, got {describe(factor)}")
