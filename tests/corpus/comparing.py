"""What differs between a run on Headrace and the oracle's run of the same pipeline: pure functions, one sentence a difference.

Where a pipeline draws random numbers, the two runs need not agree: then only names and types are compared here, and
`branching` checks that each branch was taken that the run's own values demand.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from corpus.expecting import Expected
from corpus.viewing import Produced, RunView, TaskView

SHOWN = 200
LEAVES = ("RUNTIME", "IMPORTER")


def differences(row: Expected, ours: RunView, oracle: RunView | None) -> list[str]:
    """Everything that is not as expected.yaml and, where there is one to ask, the oracle say."""
    found = []
    if ours.state != row.end:
        found.append(f"the run ended {ours.state}, expected {row.end}: {ours.error}")
    found += [
        f"{path} is {_state(ours, path)}, expected {state}"
        for path, state in row.tasks.items()
        if _state(ours, path) != state
    ]
    if oracle is None:
        return found + _demanded(row, ours)
    if row.draws:
        return found + _same_shapes(ours, oracle)
    return found + _same_values(row, ours, oracle)


def _demanded(row: Expected, ours: RunView) -> list[str]:
    """Where there is no oracle: the outputs that expected.yaml names, of the run ("" as its path) and of its tasks."""
    found = []
    for place, value in row.right.items():
        path, _, name = place.rpartition("/")
        outputs = (ours.tasks[path].outputs if path in ours.tasks else {}) if path else ours.outputs
        seen = outputs.get(name)
        if isinstance(seen, list) and seen and isinstance(seen[0], Produced):
            seen = [one.content.get("text") for one in seen]
        if seen != value:
            found.append(f"{path or 'the run'}: {name} is {_short(seen)}, expected {_short(value)}")
    return found


def _state(view: RunView, path: str) -> str:
    return view.tasks[path].state if path in view.tasks else "absent"


def _same_values(row: Expected, ours: RunView, oracle: RunView) -> list[str]:
    oracle = _corrected(oracle, row.right)
    found = _outputs("the run", ours.outputs, oracle.outputs, row.varies)
    for path, theirs in oracle.tasks.items():
        mine = ours.tasks.get(path)
        if theirs.state == "ERROR" and path in row.tasks:
            continue  # kfp.local itself broke here; expected.yaml says what is right
        if mine is None:
            found.append(f"{path} is absent, the oracle ran it")
        elif mine.state != theirs.state:
            found.append(f"{path} is {mine.state}, the oracle's is {theirs.state}: {mine.error}")
        elif mine.state == "SUCCEEDED":
            found += _outputs(path, mine.outputs, theirs.outputs, row.varies)
    if row.end == "SUCCEEDED":
        found += [
            f"{path} is {task.state}, the oracle did not run it"
            for path, task in ours.tasks.items()
            if path not in oracle.tasks and _is_leaf(task) and task.state != "SKIPPED"
        ]
    return found


def _corrected(oracle: RunView, right: dict[str, Any]) -> RunView:
    """The oracle's answer with the values of expected.yaml where the oracle is wrong."""
    tasks, outputs = dict(oracle.tasks), dict(oracle.outputs)
    for place, value in right.items():
        path, _, name = place.rpartition("/")
        if not path:
            outputs[name] = value
            continue
        tasks[path] = replace(tasks[path], outputs={**tasks[path].outputs, name: value})
    return replace(oracle, outputs=outputs, tasks=tasks)


def _same_shapes(ours: RunView, oracle: RunView) -> list[str]:
    found = _shapes("the run", ours.outputs, oracle.outputs)
    for path, theirs in oracle.tasks.items():
        mine = ours.tasks.get(path)
        if mine is not None and mine.state == theirs.state == "SUCCEEDED":
            found += _shapes(path, mine.outputs, theirs.outputs)
    return found


def _is_leaf(task: TaskView) -> bool:
    return task.kind in LEAVES


def _outputs(where: str, ours: dict[str, Any], theirs: dict[str, Any], varies: tuple[str, ...]) -> list[str]:
    found = _names(where, ours, theirs)
    for name in sorted(set(ours) & set(theirs)):
        if any(f"{where}/{name}".endswith(one) for one in varies):
            found += _shape(f"{where}: {name}", ours[name], theirs[name])
        elif ours[name] != theirs[name] or shape(ours[name]) != shape(theirs[name]):
            found.append(f"{where}: {name} is {_short(ours[name])}, the oracle's is {_short(theirs[name])}")
    return found


def _shapes(where: str, ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    found = _names(where, ours, theirs)
    for name in sorted(set(ours) & set(theirs)):
        found += _shape(f"{where}: {name}", ours[name], theirs[name])
    return found


def _names(where: str, ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    missing = [f"{where}: {name} is missing" for name in sorted(set(theirs) - set(ours))]
    return missing + [f"{where}: {name} is one output too many" for name in sorted(set(ours) - set(theirs))]


def _shape(where: str, ours: Any, theirs: Any) -> list[str]:
    if shape(ours) == shape(theirs):
        return []
    return [f"{where} is {_short(ours)}, of another type than the oracle's {_short(theirs)}"]


def shape(value: Any) -> Any:
    """The type of an output: JSON's for a parameter (JSON has one kind of number), the schema's for artifacts."""
    if isinstance(value, list) and value and all(isinstance(one, Produced) for one in value):
        return [(one.type, sorted(one.metadata), "missing" in one.content) for one in value]
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def _short(value: Any) -> str:
    text = json.dumps(value, default=str, sort_keys=True)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"
