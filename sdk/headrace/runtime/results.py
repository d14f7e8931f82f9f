"""The ExecutorOutput: what a component's function returned and what became of its output artifacts. Called by `executing`."""

from __future__ import annotations

import inspect
import json
import os
import sys
from typing import Any, get_origin

from headrace.dsl.annotations import read
from headrace.runtime.arguments import Arguments, OutputList
from headrace.runtime.foreign import is_artifact, ours
from headrace.runtime.mistakes import TaskMistake
from headrace.runtime.task_input import Json, TaskInput

SINGLE = "Output"  # the name of a single returned value
SHOWN = 60
_ACCEPTED: dict[Any, tuple[type, ...]] = {
    str: (str,), int: (int,), float: (int, float), bool: (bool,), list: (list,), dict: (dict,),
}  # fmt: skip


def executor_output(returned: Any, arguments: Arguments, task: TaskInput) -> str:
    """The JSON text of the ExecutorOutput."""
    made = _Results(arguments, task)
    made.take(returned)
    document: Json = {}
    if made.values:
        document["parameterValues"] = made.values
    if arguments.outputs:
        document["artifacts"] = {
            name: {"artifacts": made.entries(name, artifact)} for name, artifact in arguments.outputs.items()
        }
    return json.dumps(document, default=_plain)


class _Results:
    def __init__(self, arguments: Arguments, task: TaskInput) -> None:
        self._arguments = arguments
        self._task = task
        self.values: Json = {}

    def take(self, returned: Any) -> None:
        """What the function returned, by the names that its annotation gives. None: it puts nothing out by returning."""
        returns = self._arguments.returns
        if returned is None:
            return
        if hasattr(returns, "_fields"):
            self._fields(returns, returned)
        elif isinstance(returns, str) and hasattr(returned, "_fields"):
            for name in returned._fields:
                self._one(name, inspect.Parameter.empty, getattr(returned, name))
        elif returns in (inspect.Parameter.empty, None) and not self._declared(SINGLE):
            sys.stderr.write(
                f"headrace: {self._arguments.name!r} returned {_a(type(returned))} that is not kept: "
                "its function has no return annotation\n"
            )
        else:
            self._one(SINGLE, returns, returned)

    def _declared(self, name: str) -> bool:
        return name in self._task.output_files or name in self._task.output_artifacts

    def _fields(self, returns: Any, returned: Any) -> None:
        names = returns._fields
        if not isinstance(returned, tuple) and not all(hasattr(returned, name) for name in names):
            raise TaskMistake(f"{self._arguments.name!r} must return {_all(names)}; it returned {_shown(returned)}")
        if isinstance(returned, tuple) and len(returned) != len(names):
            raise TaskMistake(
                f"{self._arguments.name!r} must return {len(names)} values ({', '.join(names)}); it returned {len(returned)}"
            )
        for index, name in enumerate(names):
            # a plain tuple goes by position, and so does a named one with other names
            by_name = not isinstance(returned, tuple) or set(names) <= set(getattr(returned, "_fields", ()))
            value = getattr(returned, name) if by_name else returned[index]
            self._one(name, self._arguments.evaluated(returns.__annotations__[name]), value)

    def _one(self, name: str, annotation: Any, value: Any) -> None:
        meaning = read(ours(annotation))
        known = meaning.is_artifact or self._task.output_artifacts.get(name)
        if known and name not in self._task.output_files:
            self._artifact(name, value)
        elif value is not None:
            self.values[name] = self._parameter(name, meaning.type, value)

    def _parameter(self, name: str, kind: Any, value: Any) -> Any:
        value = _plain(value) if not isinstance(value, (str, int, float, list, dict)) and _has_plain(value) else value
        kind = get_origin(kind) or kind
        accepted = _ACCEPTED.get(kind) if isinstance(kind, type) else None
        if accepted is not None and not isinstance(value, accepted):
            raise TaskMistake(
                f"the output {name!r} of {self._arguments.name!r} must be {_a(kind)}; "
                f"the function returned {_shown(value)}"
            )
        self._check_json(f"the output {name!r}", value)
        return value

    def _check_json(self, what: str, value: Any) -> None:
        try:
            json.dumps(value, default=_plain)
        except (TypeError, ValueError, RecursionError) as error:
            raise TaskMistake(
                f"{what} of {self._arguments.name!r} is no JSON: {_culprit(value) or error}; "
                "convert it, or write it to an output artifact"
            ) from None

    def _artifact(self, name: str, value: Any) -> None:
        planned = self._arguments.outputs.get(name)
        if is_artifact(value):
            self._arguments.outputs[name] = value
        elif isinstance(value, (list, tuple)) and value and all(map(is_artifact, value)):
            held = OutputList(planned)
            held.extend(value)
            self._arguments.outputs[name] = held
        elif planned is None:
            raise TaskMistake(
                f"the platform planned no output artifact {name!r} for {self._arguments.name!r}: compile the pipeline again"
            )
        elif value is not None:
            _write(planned.path, value)

    def entries(self, name: str, artifact: Any) -> list[Json]:
        """The RuntimeArtifacts of an output."""
        if isinstance(artifact, OutputList):
            return [self._entry(name, one) for one in artifact or [artifact.planned]]
        return [self._entry(name, artifact)]

    def _entry(self, name: str, artifact: Any) -> Json:
        if not is_artifact(artifact):
            raise TaskMistake(
                f"the output {name!r} of {self._arguments.name!r} is a list of artifacts; {_shown(artifact)} is none"
            )
        planned = (self._task.output_artifacts.get(name) or [{}])[0].get("name", name)
        entry: Json = {"name": artifact.name or planned, "uri": artifact.uri, "metadata": artifact.metadata}
        self._check_json(f"the metadata of the output {name!r}", artifact.metadata)
        if getattr(artifact, "custom_path", ""):
            entry["custom_path"] = artifact.custom_path
        return entry


def _write(path: str, value: Any) -> None:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    if isinstance(value, (bytes, bytearray)):
        with open(path, "wb") as file:
            file.write(value)
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(str(value))


def _has_plain(value: Any) -> bool:
    return any(hasattr(value, name) for name in ("model_dump", "tolist")) or _is_old_model(value)


def _is_old_model(value: Any) -> bool:
    return hasattr(value, "__fields__") and callable(getattr(value, "dict", None))


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy, pydantic's models: what they are in JSON. TypeError for anything else."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if _is_old_model(value):
        return json.loads(value.json())
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{_name(type(value))} is no JSON")


def _culprit(value: Any, path: str = "") -> str:
    """Where in VALUE the first thing is that JSON cannot hold."""
    if isinstance(value, dict):
        for key, held in value.items():
            if not isinstance(key, (str, int, float, bool, type(None))):
                return f"{path or 'it'} has the key {key!r}, {_a(type(key))}"
            found = _culprit(held, f"{path}[{key!r}]")
            if found:
                return found
    elif isinstance(value, (list, tuple)):
        return next(filter(None, (_culprit(held, f"{path}[{index}]") for index, held in enumerate(value))), "")
    elif not isinstance(value, (str, int, float, type(None))) and not _has_plain(value):
        return f"{path or 'it'} is {_a(type(value))}"
    return ""


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))


def _a(kind: Any) -> str:
    name = _name(kind)
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{_a(type(value))}, {text if len(text) <= SHOWN else text[:SHOWN] + '…'}"


def _all(names: tuple[str, ...]) -> str:
    return " and ".join(repr(name) for name in names)
