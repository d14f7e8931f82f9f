"""Constants that authors write: their types in the IR's words, and making them plain JSON. Pure.

Called by the checks of a call, by loops over written-out items and by importers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from headrace.dsl.interface import ParameterType

WORDS: Final = {
    ParameterType.STRING: "a str",
    ParameterType.NUMBER_INTEGER: "an int",
    ParameterType.NUMBER_DOUBLE: "a float",
    ParameterType.BOOLEAN: "a bool",
    ParameterType.LIST: "a list",
    ParameterType.STRUCT: "a dict",
    ParameterType.TASK_FINAL_STATUS: "a PipelineTaskFinalStatus",
    ParameterType.TASK_CONFIG: "a TaskConfig",
}
"""The types as authors write them, with their article."""


class NotJson(ValueError):  # noqa: N818  # what it says of a value
    """A constant that the IR cannot hold; the text says which part of it and why."""


def type_of(value: Any) -> ParameterType | None:
    """The type of a constant, or None where no parameter can be it."""
    if isinstance(value, bool):
        return ParameterType.BOOLEAN
    if isinstance(value, str):
        return ParameterType.STRING
    if isinstance(value, int):
        return ParameterType.NUMBER_INTEGER
    if isinstance(value, float):
        return ParameterType.NUMBER_DOUBLE
    if isinstance(value, (list, tuple)):
        return ParameterType.LIST
    return ParameterType.STRUCT if isinstance(value, Mapping) else None


def types_of(values: Iterable[Any]) -> set[ParameterType]:
    """The types of VALUES that are not None; ints among floats are floats."""
    types = {found for each in values if (found := type_of(each)) is not None}
    if ParameterType.NUMBER_DOUBLE in types:
        types.discard(ParameterType.NUMBER_INTEGER)
    return types


def inside_of(values: Iterable[Any]) -> tuple[ParameterType, ...]:
    """What is inside of VALUES, which are all lists or all dicts, as far as they agree."""
    inner = [one for each in values if isinstance(each, (list, tuple, Mapping)) for one in _elements(each)]
    types = types_of(inner)
    if len(types) != 1:
        return ()
    return (types.pop(), *inside_of(inner))


def _elements(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, Mapping) else value


def plain(value: Any, at: str = "") -> Any:
    """VALUE as plain JSON: lists and dicts copied, tuples as lists, channels in them as their marks. NotJson: what cannot be."""
    from headrace.dsl.channels import Channel

    if isinstance(value, Channel):
        return str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotJson(f"{float(value)!r}{_at(at)}, which JSON cannot hold")
        return float(value)
    if isinstance(value, (list, tuple)):
        return [plain(each, f"{at}[{number}]") for number, each in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, at): plain(each, f"{at}[{key!r}]") for key, each in value.items()}
    raise NotJson(f"a {type(value).__name__}{_at(at)}, which JSON cannot hold")


def _key(key: Any, at: str) -> str:
    from headrace.dsl.channels import Channel

    if isinstance(key, (str, Channel)):
        return str(key)
    raise NotJson(f"the key {key!r}{_at(at)}, but keys are texts")


def _at(at: str) -> str:
    return f" at {at}" if at else ""
