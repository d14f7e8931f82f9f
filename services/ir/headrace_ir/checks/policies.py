"""Iterators, retries and parallelism limits of tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from headrace_ir.checks.kinds import value_mismatch
from headrace_ir.checks.scopes import Scope, scopes
from headrace_ir.checks.tasks import output_type
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
    if not loop.item:
        yield Problem(f"{loop.path}.itemInput", "required: the input that receives one item")
    elif component is not None:
        declared = component.input_artifacts if loop.artifact else component.inputs
        if loop.item not in declared:
            end = hint(loop.item, declared, kind="inputs")
            yield Problem(
                f"{loop.path}.itemInput", f"the component '{component.name}' has no input '{loop.item}'; {end}"
            )
    if loop.raw is not None:
        yield from _raw_items(loop, component)
    elif loop.parameter:
        yield from _input_items(scope, task, loop)
    elif loop.artifact:
        if loop.artifact not in task.artifacts:
            end = hint(loop.artifact, task.artifacts, kind="input artifacts")
            yield Problem(
                f"{loop.path}.items.inputArtifact", f"the task has no input artifact '{loop.artifact}'; {end}"
            )
    else:
        yield Problem(f"{loop.path}.items", "required: 'raw' (a JSON array) or the input that holds the items")


def _raw_items(loop: Loop, component: Component | None) -> Iterator[Problem]:
    path = f"{loop.path}.items.raw"
    items = parse_items(loop.raw or "")
    if not isinstance(items, list):
        yield Problem(path, f"expected a JSON array as text, got {describe(loop.raw)}")
        return
    declared = component.inputs.get(loop.item) if component else None
    for index, item in enumerate(items):
        mismatch = value_mismatch(declared.type, item, to_text=True) if declared else None
        if mismatch:
            yield Problem(path, f"item {index}: {mismatch}")
            return


def parse_items(text: str) -> Any:
    """The items of a `raw` iterator; None where the text is not usable JSON."""
    try:
        return decode(text)
    except ValueProblem:
        return None


def _input_items(scope: Scope, task: Task, loop: Loop) -> Iterator[Problem]:
    path = f"{loop.path}.items.inputParameter"
    given = task.parameters.get(loop.parameter)
    if given is None:
        end = hint(loop.parameter, task.parameters, kind="input parameters")
        yield Problem(path, f"the task has no input parameter '{loop.parameter}'; {end}")
    elif given.source is Source.CONSTANT and not given.selector:
        items = parse_items(given.value) if isinstance(given.value, str) and "{{$" not in given.value else given.value
        if not isinstance(items, (list, str)):
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
    if retry.count < 0:
        yield Problem(f"{retry.path}.maxRetryCount", f"must be 0 or more, got {retry.count}")
    factor = retry.factor
    if factor is not None and not (math.isfinite(factor) and factor >= 0):
        yield Problem(f"{retry.path}.backoffFactor", f"must be a number above 0, got {describe(factor)}")
