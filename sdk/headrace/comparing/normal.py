"""One form for all spellings of the same package: names of fields, defaults written or left out, numbers, sets, JSON in texts.

Called by `differing`. What a field is, `fields` says; the bootstrap of a lightweight component is read by `programs`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from headrace.comparing.fields import FIELDS
from headrace.comparing.programs import program

_NOTHING: Final[tuple[Any, ...]] = ("", False, 0, [], {})
_CONTAINER: Final = "PipelineDeploymentConfig.PipelineContainerSpec"
# Lists without an order.
_SETS: Final = {("PipelineTaskSpec", "dependentTasks")}
# Text that holds JSON.
_JSON_TEXTS: Final = {("ParameterIteratorSpec.ItemsSpec", "raw")}
_MAPS_WITHOUT_EMPTY: Final = {("PlatformSpec", "platforms"), ("PlatformDeploymentConfig", "executors")}
_PLACEHOLDER: Final = re.compile(r'\s*\{\s*"(Concat|IfPresent)"')


def normal_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The one form of a pipeline spec; the version of the SDK that wrote it is left out."""
    made = _message("PipelineSpec", spec)
    made.pop("sdkVersion", None)
    return made


def normal_platform(platform: Mapping[str, Any]) -> dict[str, Any]:
    """The one form of a platform spec."""
    return _message("PlatformSpec", platform)


def _message(message: str, given: Mapping[str, Any]) -> dict[str, Any]:
    fields = FIELDS[message]
    made: dict[str, Any] = {}
    for key, value in given.items():
        name = key if key in fields else _camel(key)
        if name not in fields:
            made[key] = plain(value)
        elif value is not None or fields[name] in ("json", "json?"):
            normal = _field(message, name, fields[name], value)
            if not _left_out(fields[name], normal):
                made[name] = normal
    return _with_program(made) if message == _CONTAINER else made


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _field(message: str, name: str, kind: str, value: Any) -> Any:
    normal = _value(kind.removesuffix("?"), value)
    if (message, name) in _SETS and isinstance(normal, list):
        return sorted(set(map(str, normal)))
    if (message, name) in _JSON_TEXTS and isinstance(normal, str):
        return _json_text(normal)
    if (message, name) in _MAPS_WITHOUT_EMPTY and isinstance(normal, dict):
        return {key: one for key, one in normal.items() if one != {}}
    return normal


def _left_out(kind: str, value: Any) -> bool:
    """Whether a field with VALUE means the same as the field left out."""
    if kind.endswith("?") or kind == "json":
        return False
    return any(type(value) is type(nothing) and value == nothing for nothing in _NOTHING)


def _value(kind: str, value: Any) -> Any:
    if kind.startswith("[") and isinstance(value, list):
        return [_value(kind[1:-1], one) for one in value]
    if kind.startswith("{") and isinstance(value, Mapping):
        return {str(key): _value(kind[1:-1], one) for key, one in value.items()}
    if kind.startswith("enum:"):
        return _enum(kind.removeprefix("enum:").split("|"), value)
    if kind in FIELDS and isinstance(value, Mapping):
        return _message(kind, value)
    if kind in ("integer", "number", "duration") and isinstance(value, str):
        return _json_text(value.removesuffix("s") if kind == "duration" else value)
    return plain(value)


def _enum(names: list[str], value: Any) -> Any:
    """The name of a value; nothing for the one that means «not said»."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        value = names[value]
    return "" if value == names[0] else value


def plain(value: Any) -> Any:
    """A value of the author's own: kept as it is, with one spelling for its numbers."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _json_text(text: str) -> Any:
    """What TEXT holds; itself where that is no JSON."""
    try:
        return plain(json.loads(text))
    except ValueError:
        return text


def _with_program(container: dict[str, Any]) -> dict[str, Any]:
    """What a lightweight component runs, in the place of the command that starts it; placeholders as JSON elsewhere."""
    command, args = container.get("command", []), container.get("args", [])
    found = program(command, args)
    if found is not None:
        rest = {key: value for key, value in container.items() if key not in ("command", "args")}
        return {**rest, "program": plain(found)}
    return {
        key: [_placeholder(one) for one in value] if key in ("command", "args") and isinstance(value, list) else value
        for key, value in container.items()
    }


def _placeholder(word: Any) -> Any:
    return _json_text(word) if isinstance(word, str) and _PLACEHOLDER.match(word) else word
