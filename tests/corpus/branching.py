"""Checks a finished run against its own values: was each branch taken, and each item looped over, that these values demand?

Reads the compiled pipeline by itself (it shares nothing with headrace_ir and the scheduler), so that it can contradict them.
Pure. It knows what compiled pipelines of the KFP SDK contain: conditions in its small part of CEL, loops, OneOf, Collected.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from corpus.viewing import RunView

INPUT = re.compile(r"inputs\.parameter_values\[(['\"])(.+?)\1\]")
SELECTOR = re.compile(r"^parseJson\(string_value\)\[\"(.+)\"\]$")
CEL_NAMES = {"true": True, "false": False, "null": None, "int": int, "double": float, "string": str}
SUBSTITUTIONS = (("&&", " and "), ("||", " or "))


class UnknownValueError(LookupError):
    """A value that this run does not have, because its producer did not run."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One execution of a DAG: where it is and what it was given."""

    path: str
    dag: dict[str, Any]
    inputs: dict[str, Any]

    def child(self, key: str) -> str:
        return f"{self.path}/{key}" if self.path else key


def contradictions(spec: dict[str, Any], arguments: dict[str, Any], run: RunView) -> list[str]:
    """Where the run is not what its own values demand."""
    root = spec["root"]
    return _dag(spec, Scope("", root["dag"], with_defaults(root, arguments)), run, run.outputs)


def with_defaults(component: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    declared = component.get("inputDefinitions", {}).get("parameters", {})
    return {**{name: one.get("defaultValue") for name, one in declared.items()}, **given}


def _dag(spec: dict[str, Any], scope: Scope, run: RunView, outputs: dict[str, Any]) -> list[str]:
    found = [problem for key, task in scope.dag["tasks"].items() for problem in _task(spec, scope, key, task, run)]
    for name, source in scope.dag.get("outputs", {}).get("parameters", {}).items():
        try:
            demanded = _dag_output(scope, source, run)
        except UnknownValueError:
            continue
        if outputs.get(name) != demanded:
            found.append(f"{scope.path or 'the run'}: {name} is {outputs.get(name)!r}, its tasks say {demanded!r}")
    return found


def _task(spec: dict[str, Any], scope: Scope, key: str, task: dict[str, Any], run: RunView) -> list[str]:
    path = scope.child(key)
    state = run.tasks[path].state if path in run.tasks else "absent"
    try:
        given = _given(scope, task, run)
        wanted = _holds(task.get("triggerPolicy", {}).get("condition", ""), given)
    except UnknownValueError:
        return []
    if not wanted:
        return [] if state == "SKIPPED" else [f"{path} is {state}, its condition is false for {given}"]
    if "condition" in task.get("triggerPolicy", {}) and state != "SUCCEEDED":
        return [f"{path} is {state}, its condition is true for {given}"]
    component = spec["components"][task["componentRef"]["name"]]
    if "dag" not in component or state != "SUCCEEDED":
        return []
    inputs = with_defaults(component, given)
    if "parameterIterator" not in task:
        return _dag(spec, Scope(path, component["dag"], inputs), run, run.tasks[path].outputs)
    return _loop(spec, Scope(path, component["dag"], inputs), task["parameterIterator"], run)


def _loop(spec: dict[str, Any], loop: Scope, iterator: dict[str, Any], run: RunView) -> list[str]:
    items = iterator["items"]
    listed = json.loads(items["raw"]) if "raw" in items else loop.inputs[items["inputParameter"]]
    pattern = re.compile(re.escape(loop.path) + r"\[\d+\]")
    ran = {path for path in run.tasks if pattern.fullmatch(path)}
    wanted = {f"{loop.path}[{place}]": item for place, item in enumerate(listed)}
    if ran != set(wanted):
        return [f"{loop.path} has {len(ran)} iterations, its list has {len(wanted)} items"]
    return [
        problem
        for path, item in wanted.items()
        for problem in _dag(
            spec,
            Scope(path, loop.dag, {**loop.inputs, iterator["itemInput"]: item}),
            run,
            run.tasks[path].outputs,
        )
    ]


def _given(scope: Scope, task: dict[str, Any], run: RunView) -> dict[str, Any]:
    sources = task.get("inputs", {}).get("parameters", {})
    return {name: _value(scope, one, run) for name, one in sources.items() if "taskFinalStatus" not in one}


def _value(scope: Scope, source: dict[str, Any], run: RunView) -> Any:
    if "taskOutputParameter" in source:
        named = source["taskOutputParameter"]
        value = _output(run, scope.child(named["producerTask"]), named["outputParameterKey"])
    elif "componentInputParameter" in source:
        if source["componentInputParameter"] not in scope.inputs:
            raise UnknownValueError(source["componentInputParameter"])
        value = scope.inputs[source["componentInputParameter"]]
    else:
        value = source["runtimeValue"]["constant"]
    if selector := SELECTOR.match(source.get("parameterExpressionSelector", "")):
        value = (json.loads(value) if isinstance(value, str) else value)[selector[1]]
    return value


def _output(run: RunView, path: str, key: str) -> Any:
    """A task's output; a loop's is the list of its iterations' ones."""
    task = run.tasks.get(path)
    if task is None or key not in task.outputs:
        raise UnknownValueError(f"{path}: {key}")
    return task.outputs[key]


def _dag_output(scope: Scope, source: dict[str, Any], run: RunView) -> Any:
    if "valueFromParameter" in source:
        named = source["valueFromParameter"]
        return _output(run, scope.child(named["producerSubtask"]), named["outputParameterKey"])
    for named in source["valueFromOneof"]["parameterSelectors"]:
        path = scope.child(named["producerSubtask"])
        if path in run.tasks and run.tasks[path].state == "SUCCEEDED":
            return _output(run, path, named["outputParameterKey"])
    raise UnknownValueError(scope.path)


def _holds(condition: str, given: dict[str, Any]) -> bool:
    """The condition's value; the SDK writes comparisons of inputs and constants, joined by && || !."""
    if not condition:
        return True

    def value_of(match: re.Match[str]) -> str:
        if match[2] not in given:
            raise UnknownValueError(match[2])
        return repr(given[match[2]])

    text = INPUT.sub(value_of, condition)
    for cel, python in SUBSTITUTIONS:
        text = text.replace(cel, python)
    text = re.sub(r"!(?!=)", " not ", text)
    return bool(eval(text, {"__builtins__": {}}, CEL_NAMES))
