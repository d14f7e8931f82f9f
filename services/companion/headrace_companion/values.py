"""Parameter values as a task's process leaves them: parsing by declared type, checking, canonical text. Pure.

A value is refused here, as that task's failure, so that nothing reaches an event that Postgres, protobuf or another
language's JSON cannot hold. Called by publishing; staging uses `plain` for what user code is given.
"""

from __future__ import annotations

import json
import math
import re
from enum import StrEnum
from typing import Final, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_VALUE_BYTES: Final = 8 * 1024 * 1024
MAX_DEPTH: Final = 64
INT64: Final = 2**63
TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
SURROGATE: Final = re.compile("[\ud800-\udfff]")


class ParameterType(StrEnum):
    """The IR's parameter types that an output can have."""

    STRING = "STRING"
    NUMBER_INTEGER = "NUMBER_INTEGER"
    NUMBER_DOUBLE = "NUMBER_DOUBLE"
    BOOLEAN = "BOOLEAN"
    LIST = "LIST"
    STRUCT = "STRUCT"


class ValueRefused(ValueError):  # noqa: N818 - read as a statement
    """What is wrong with a value, without the value's name."""


def canonical(value: Json) -> str:
    """The text that is stored: compact, keys sorted, non-ASCII as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def plain(value: Json) -> Json:
    """The same value with integral numbers as integers, as user code must get them (`3`, not `3.0`)."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def text(value: Json) -> str:
    """A value inside a command line: strings as they are, null empty, numbers without exponent, the rest compact JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)


def number_text(value: float) -> str:
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    shortest = repr(value)
    if "e" not in shortest:
        return shortest
    mantissa, exponent = shortest.split("e")
    digits = len(mantissa.partition(".")[2]) - int(exponent)
    return f"{value:.{max(digits, 0)}f}"


def load(document: str) -> Json:
    """JSON text, refusing what JSON does not have (NaN, Infinity) and numbers without bounds."""
    try:
        value: Json = json.loads(document, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueRefused(f"is nested deeper than {MAX_DEPTH} levels") from error
    except json.JSONDecodeError as error:
        raise ValueRefused(f"is not JSON: {error}") from error
    except ValueError as error:  # an integer of more digits than the interpreter converts
        raise ValueRefused("holds a number that is out of range") from error
    return value


def _no_constant(name: str) -> Json:
    raise ValueRefused(f"holds {name}, which is not a JSON value")


def checked(value: Json, declared: ParameterType) -> Json:
    """The value in its declared type, or ValueRefused."""
    _check(value, 0)
    value = _typed(value, declared)
    size = len(canonical(value).encode())
    if size > MAX_VALUE_BYTES:
        raise ValueRefused(
            f"is {size:,} bytes long, more than the {MAX_VALUE_BYTES:,} of a parameter; write it as an artifact"
        )
    return value


def _typed(value: Json, declared: ParameterType) -> Json:
    match declared:
        case ParameterType.STRING if isinstance(value, str):
            return value
        case ParameterType.BOOLEAN if isinstance(value, bool):
            return value
        case ParameterType.LIST if isinstance(value, list):
            return value
        case ParameterType.STRUCT if isinstance(value, dict):
            return value
        case ParameterType.NUMBER_INTEGER if _is_number(value):
            return _integer(value)
        case ParameterType.NUMBER_DOUBLE if _is_number(value):
            return value
    raise ValueRefused(f"is {kind(value)}, but {declared} is declared")


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _integer(value: Json) -> int:
    assert isinstance(value, int | float)
    if isinstance(value, float) and not value.is_integer():
        raise ValueRefused(f"is {value!r}, but NUMBER_INTEGER is declared")
    number = int(value)
    if not -INT64 <= number < INT64:
        raise ValueRefused("is out of the range of NUMBER_INTEGER (64 bits)")
    return number


def kind(value: Json) -> str:
    """What a value is, in the words of an error message."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "a struct"}
    return names[type(value)]


def _check(value: Json, depth: int) -> None:
    """Refuses what cannot be stored, at any depth."""
    if depth > MAX_DEPTH:
        raise ValueRefused(f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueRefused(f"holds a number that is not finite ({value})")
    elif isinstance(value, int):
        if abs(value) >= 2**1023:
            raise ValueRefused("holds a number that is out of range")
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key)
            _check(item, depth + 1)


def _check_text(value: str) -> None:
    if "\0" in value:
        raise ValueRefused("holds a NUL character")
    if SURROGATE.search(value):
        raise ValueRefused("holds half a surrogate pair, which is not text")


def parse_file(content: bytes, declared: ParameterType) -> Json:
    """An output parameter's file, read by its declared type: a STRING is taken whole, without trimming."""
    try:
        document = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueRefused(f"is not UTF-8 text (byte {error.start})") from error
    if declared is ParameterType.STRING:
        return checked(document, declared)
    trimmed = document.strip()
    match declared:
        case ParameterType.NUMBER_INTEGER:
            return checked(_parse_integer(trimmed), declared)
        case ParameterType.NUMBER_DOUBLE:
            return checked(_parse_double(trimmed), declared)
        case ParameterType.BOOLEAN:
            return checked(_parse_boolean(trimmed), declared)
    return checked(load(trimmed), declared)


def _parse_integer(trimmed: str) -> int:
    if re.fullmatch(r"[+-]?[0-9]{1,20}", trimmed, re.ASCII) is None:
        raise ValueRefused(f"is {_shown(trimmed)}, but NUMBER_INTEGER is declared")
    return int(trimmed)


def _parse_double(trimmed: str) -> float:
    try:
        return float(trimmed)
    except ValueError as error:
        raise ValueRefused(f"is {_shown(trimmed)}, but NUMBER_DOUBLE is declared") from error


def _parse_boolean(trimmed: str) -> bool:
    if trimmed not in TRUE | FALSE:
        raise ValueRefused(f"is {_shown(trimmed)}, but BOOLEAN is declared (write true or false)")
    return trimmed in TRUE


def _shown(trimmed: str) -> str:
    return repr(trimmed if len(trimmed) <= 40 else trimmed[:40] + "…")
