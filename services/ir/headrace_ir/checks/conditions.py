"""Trigger conditions and expression selectors: that they can be read, and that the inputs they mention exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headrace_ir.checks.expressions import CONDITION, SELECTOR, Fields, faults
from headrace_ir.checks.scopes import scopes
from headrace_ir.conditions import ConditionProblem, Expression, parse
from headrace_ir.model import Spec, Task
from headrace_ir.problems import Problem, hint


def check(spec: Spec) -> Iterator[Problem]:
    parsed: dict[str, Expression | ConditionProblem] = {}

    def read(text: str) -> Expression | ConditionProblem:
        if text not in parsed:
            try:
                parsed[text] = parse(text)
            except ConditionProblem as problem:
                parsed[text] = problem
        return parsed[text]

    for scope in scopes(spec):
        for task in scope.dag.tasks.values():
            if task.condition:
                yield from _condition(spec, task, read(task.condition))
            for given in task.parameters.values():
                if given.selector:
                    path = f"{given.path}.parameterExpressionSelector"
                    yield from _faults(path, read(given.selector), SELECTOR, boolean=False)


def _condition(spec: Spec, task: Task, condition: Expression | ConditionProblem) -> Iterator[Problem]:
    path = f"{task.path}.triggerPolicy.condition"
    yield from _faults(path, condition, CONDITION, boolean=True)
    if isinstance(condition, ConditionProblem):
        return
    component = spec.components.get(task.component)
    item = [task.loop.item] if task.loop else []
    parameters = [*task.parameters, *(component.inputs if component else ()), *item]
    artifacts = [*task.artifacts, *(component.input_artifacts if component else ()), *item]
    yield from _mentioned(path, condition.parameters, parameters, "input parameter")
    yield from _mentioned(path, condition.artifacts, artifacts, "input artifact")


def _faults(path: str, found: Expression | ConditionProblem, fields: Fields, *, boolean: bool) -> Iterator[Problem]:
    if isinstance(found, ConditionProblem):
        yield Problem(path, f"cannot be read: {found}")
    else:
        yield from (Problem(path, fault) for fault in faults(found, fields, boolean=boolean))


def _mentioned(path: str, names: Iterable[str], known: list[str], kind: str) -> Iterator[Problem]:
    for name in sorted(names):
        if name not in known:
            yield Problem(path, f"the task has no {kind} '{name}'; {hint(name, dict.fromkeys(known), kind=f'{kind}s')}")
