"""The arguments of a pipeline, checked against what it declares before anything is sent. Pure. Used by starting.

The platform checks everything again, also what comes by file; this is for the sentence with the nearest name, at once.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.errors import InvalidParameters, Problem

ARTIFACT = "artifact"
PYTHON = {  # parameterType → what Python calls it, and what is taken for it
    "STRING": ("str", (str,)),
    "NUMBER_INTEGER": ("int", (int, float)),
    "NUMBER_DOUBLE": ("float", (int, float)),
    "BOOLEAN": ("bool", (bool,)),
    "LIST": ("list", (list, tuple)),
    "STRUCT": ("dict", (Mapping,)),
}


@dataclass(frozen=True, slots=True)
class Declared:
    """One input of a pipeline. `type`: a parameterType, or ARTIFACT."""

    type: str
    required: bool


def of_spec(spec: Mapping[str, Any]) -> dict[str, Declared] | None:
    """What a compiled pipeline takes; None where the document is none."""
    spec = spec.get("pipeline_spec", spec)
    root = spec.get("root") if isinstance(spec, Mapping) else None
    if not isinstance(root, Mapping):
        return None
    inputs = root.get("inputDefinitions") or {}
    declared = {}
    for name, one in (inputs.get("parameters") or {}).items():
        optional = one.get("isOptional") or "defaultValue" in one
        declared[name] = Declared(str(one.get("parameterType", "")), not optional)
    for name, one in (inputs.get("artifacts") or {}).items():
        declared[name] = Declared(ARTIFACT, not one.get("isOptional"))
    return declared


def check(pipeline: str, declared: Mapping[str, Declared], given: Mapping[str, Any], *, complete: bool = True) -> None:
    """InvalidParameters with every problem. COMPLETE: what must be given has to be there; a resume has its origin's."""
    problems = [_unknown(pipeline, name, declared) for name in given if name not in declared]
    missing = [name for name, one in declared.items() if one.required and name not in given]
    if missing and complete:
        problems.append(f"{pipeline} needs {_listed(missing)}; give {'it' if len(missing) == 1 else 'them'} by name")
    problems += [
        sentence
        for name, value in given.items()
        if name in declared and (sentence := _misfit(pipeline, name, declared[name], value))
    ]
    if problems:
        raise InvalidParameters("; ".join(problems), [Problem("", one) for one in problems])


def _unknown(pipeline: str, name: str, declared: Mapping[str, Declared]) -> str:
    takes = f"it takes {_listed(declared)}" if declared else "it takes nothing"
    near = difflib.get_close_matches(name, declared, 1)
    return f"{pipeline} has no parameter '{name}'; " + (f"did you mean '{near[0]}'?" if near else takes)


def _misfit(pipeline: str, name: str, declared: Declared, value: Any) -> str:
    if value is None or declared.type not in PYTHON:
        return ""
    called, kinds = PYTHON[declared.type]
    fits = isinstance(value, kinds) and (declared.type == "BOOLEAN" or not isinstance(value, bool))
    if fits and declared.type == "NUMBER_INTEGER" and isinstance(value, float):
        fits = value.is_integer()
    if fits:
        return ""
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return f"{pipeline} takes '{name}' as {called}, not {shown} ({type(value).__name__})"


def _listed(names: Iterable[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def encoded(parameters: Mapping[str, Any]) -> str:
    """The values as one JSON object; InvalidParameters names what JSON has no word for."""
    try:
        return json.dumps(dict(parameters))
    except (TypeError, ValueError, RecursionError):
        problems = [f"parameter '{name}' {why}" for name, value in parameters.items() if (why := _unsayable(value))]
        raise InvalidParameters("; ".join(problems), [Problem("", one) for one in problems]) from None


def _unsayable(value: Any) -> str:
    try:
        json.dumps(value)
    except RecursionError:
        return "is nested too deep: a value has at most 100 levels"
    except ValueError as wrong:
        return f"cannot be sent: {wrong}"
    except TypeError as wrong:
        return f"cannot be sent ({wrong}); give text, numbers, booleans, lists and dicts of them"
    return ""
