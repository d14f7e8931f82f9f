"""Parameter values: canonical JSON text, text form, kinds and declared types. Pure.

A value is plain JSON data (None, bool, int, float, str, list, dict). It is stored and sent as canonical JSON text:
compact, keys in the order given, integral numbers without a fraction. What Postgres, a file name or a peer could not
hold again (NUL, lone surrogates, NaN, numbers beyond double range, extreme depth or size) is refused here, as one
problem with a sentence. Who declares which input is in `parameters`, what user code wrote in `outputs`. Called by the
apiserver (run parameters), the engine (task inputs and outputs) and the companion (output files).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final, NoReturn, TypeAlias, TypeVar

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
T = TypeVar("T")

# Values above this travel by reference, never in an event, argv, env or annotation (design, section 6).
INLINE_BYTES: Final = 32 * 1024
# One value as canonical text; more belongs into an artifact. A platform may allow less, never more.
MAX_VALUE_BYTES: Final = 256 * 1024 * 1024
# Nesting of lists and structs; protobuf's own readers stop at 100 messages.
MAX_DEPTH: Final = 100
# Doubles hold integers exactly up to here; above, an integral float keeps its exponent form in JSON text.
_EXACT: Final = 2**53
_SHOWN: Final = 60
_BEYOND: Final = "holds a number beyond the range of a double"
_PIECES: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)


class ValueProblem(ValueError):  # noqa: N818 - "problem" is the project's word for what a user can cause
    """A value that cannot be taken; `sentence` tells the user which and what was expected."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class _InfiniteNumber(ValueProblem):
    """A double that is none."""


class ParameterType(StrEnum):
    """The declared types, by their names in the IR (ParameterType.ParameterTypeEnum)."""

    STRING = "STRING"
    NUMBER_INTEGER = "NUMBER_INTEGER"
    NUMBER_DOUBLE = "NUMBER_DOUBLE"
    BOOLEAN = "BOOLEAN"
    LIST = "LIST"
    STRUCT = "STRUCT"
    TASK_FINAL_STATUS = "TASK_FINAL_STATUS"
    TASK_CONFIG = "TASK_CONFIG"


# What callers may give as a declared type: the member, its name, or the number of headrace.v1.ParameterType in a Plan.
Declared: TypeAlias = "ParameterType | str | int | None"
_BY_NUMBER: Final = (
    None,
    ParameterType.NUMBER_DOUBLE,
    ParameterType.NUMBER_INTEGER,
    ParameterType.STRING,
    ParameterType.BOOLEAN,
    ParameterType.LIST,
    ParameterType.STRUCT,
    ParameterType.TASK_FINAL_STATUS,
    ParameterType.TASK_CONFIG,
)
_STRUCTS: Final = frozenset({ParameterType.STRUCT, ParameterType.TASK_FINAL_STATUS, ParameterType.TASK_CONFIG})


# --- canonical JSON text ----------------------------------------------------------------------------------------------


def decode(text: str | bytes, limit: int = MAX_VALUE_BYTES) -> Value:
    """The value of a JSON text; refuses what `canonical` refuses and what is not JSON."""
    if isinstance(text, bytes):
        check_size(len(text), limit)
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueProblem(f"is not UTF-8 text (byte {error.start})") from None
    check_size(len(text), limit)
    try:
        value: Value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueProblem(f"is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise ValueProblem(f"is nested deeper than {MAX_DEPTH} levels") from None
    except ValueProblem:
        raise
    except ValueError:  # what Python says of more than 4,300 digits
        raise ValueProblem(_BEYOND) from None
    try:
        return canonical(value)
    except _InfiniteNumber:  # the text has digits for it
        raise ValueProblem(_BEYOND) from None


def recorded(text: str) -> Value:
    """The value of a text that `encode` made: without checking again what was checked then."""
    value: Value = json.loads(text)
    return value


def written(value: Value) -> str:
    """The canonical JSON text of a value that is canonical already, as what `decode` gives."""
    return _ENCODER.encode(value)


def encode(value: Value, limit: int = MAX_VALUE_BYTES) -> str:
    """The canonical JSON text of a value; `decode` gives an equal value back."""
    text = written(canonical(value))
    check_size(byte_length(text), limit)
    return text


def byte_length(text: str) -> int:
    """How long a text is as UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def canonical(value: object, depth: int = 0) -> Value:
    """A copy in canonical form: integral doubles that are exact become ints; anything that is not a value is
    refused.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _checked_text(value)
    if isinstance(value, int):
        return _checked_integer(value)
    if isinstance(value, float):
        return _checked_double(value)
    if depth >= MAX_DEPTH:
        raise ValueProblem(f"is nested deeper than {MAX_DEPTH} levels")
    # The commonest scalars are told here, without a call for each: values may have millions.
    if isinstance(value, list):
        return [
            item
            if ((kind := item.__class__) is int and -_EXACT <= item <= _EXACT)
            or (kind is str and item.isascii() and "\0" not in item)
            else canonical(item, depth + 1)
            for item in value
        ]
    if isinstance(value, dict):
        return {_checked_key(key): canonical(item, depth + 1) for key, item in value.items()}
    raise ValueProblem(f"holds a {type(value).__name__}, which JSON cannot express")


def check_size(size: int, limit: int = MAX_VALUE_BYTES) -> None:
    """Refuse what is too long for a value."""
    if size > limit:
        raise ValueProblem(f"is {size} bytes long, above the limit of {limit}: write large data to an artifact")


def _checked_text(text: str) -> str:
    if "\0" in text:
        raise ValueProblem(f"holds a NUL character (position {text.index(chr(0))})")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueProblem(f"holds a lone surrogate (position {error.start}), which is not text") from None
    return text


def _checked_key(key: object) -> str:
    if not isinstance(key, str):
        raise ValueProblem(f"has a key that is not a string: {key!r}")
    return _checked_text(key)


def _checked_integer(number: int) -> int:
    try:
        float(number)
    except OverflowError:
        raise ValueProblem(_BEYOND) from None
    return number


def _checked_double(number: float) -> int | float:
    if math.isnan(number):
        raise ValueProblem("holds NaN, which JSON cannot express")
    if math.isinf(number):
        raise _InfiniteNumber("holds an infinite number, which JSON cannot express")
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueProblem(f"holds {name}, which JSON cannot express")


# Made once: making them costs more than most values do.
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False)


# --- text form, equality, description ---------------------------------------------------------------------------------


def text_of(value: Value) -> str:
    """The text that stands for a value in argv, env and STRING inputs: "" for null, shortest decimals, compact JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _decimal(value)
    return encode(value)


def _decimal(number: float) -> str:
    """Shortest digits that give the number back, without an exponent."""
    number = float(_checked_double(number))
    text = format(Decimal(repr(number)), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def equal(left: object, right: object) -> bool:
    """JSON equality: numbers by value, a bool is never a number, lists and structs deeply."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(item, right[key]) for key, item in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    return type(left) is type(right) and left == right


def kind_of(value: object) -> str:
    """The name of a value's kind in the words of the declared types."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "NUMBER_INTEGER"
    if isinstance(value, float):
        return "NUMBER_INTEGER" if value.is_integer() else "NUMBER_DOUBLE"
    if isinstance(value, str):
        return "STRING"
    return "LIST" if isinstance(value, list) else "STRUCT"


def describe(value: Value) -> str:
    """Kind and shortened JSON of a value, for sentences: `STRING "abc"`."""
    if value is None:
        return "null"
    shown = ""
    # Piece by piece, and no more than is shown: a value may have megabytes.
    for piece in _PIECES.iterencode(value[: _SHOWN + 1] if isinstance(value, str) else value):
        shown += piece[: _SHOWN + 1]
        if len(shown) > _SHOWN:
            return f"{kind_of(value)} {shown[:_SHOWN]}…"
    return f"{kind_of(value)} {shown}"


# --- declared types ---------------------------------------------------------------------------------------------------


def declared_type(declared: Declared) -> ParameterType | None:
    """The declared type by member, name or number; None where nothing is declared (then nothing is checked)."""
    if isinstance(declared, int):
        if 0 <= declared < len(_BY_NUMBER):
            return _BY_NUMBER[declared]
        raise ValueProblem(f"has the unknown declared type {declared}")
    try:
        return ParameterType(declared) if declared else None
    except ValueError:
        raise ValueProblem(f"has the unknown declared type {declared}") from None


def conformed(subject: str, declared: Declared, value: Value) -> Value:
    """`conform` of a value that is canonical already, as what `decode` gives."""
    kind = _named(subject, lambda: declared_type(declared))
    return value if kind is None else _conformed(subject, kind, value)


def conform(subject: str, declared: Declared, value: Value) -> Value:
    """The value as a declared type holds it, without conversion between kinds; `subject` is "input 'lr'" or the like.

    A number that is integral becomes an int for NUMBER_INTEGER (the IR writes 1.0). No declared type: anything passes.
    """
    checked, kind = _named(subject, lambda: (canonical(value), declared_type(declared)))
    return checked if kind is None else _conformed(subject, kind, checked)


def _conformed(subject: str, kind: ParameterType, value: Value) -> Value:
    if kind is ParameterType.NUMBER_INTEGER and isinstance(value, float) and value.is_integer():
        return int(value)
    if not _fits(kind, value):
        raise ValueProblem(f"{subject} expects {kind.value}, got {describe(value)}{_hint(kind, value)}")
    return value


def coerce(subject: str, declared: Declared, value: Value) -> Value:
    """`conform` for task inputs: a STRING takes the text form of any value (null gives "")."""
    kind = _named(subject, lambda: declared_type(declared))
    if kind is ParameterType.STRING and not isinstance(value, str):
        return _named(subject, lambda: text_of(canonical(value)))
    return conform(subject, kind, value)


def check_literals(subject: str, value: Value, literals: Sequence[Value]) -> None:
    """Refuse a value that equals none of the declared literals (none declared: anything passes)."""
    if literals and not any(equal(value, literal) for literal in literals):
        allowed = ", ".join(encode(literal) for literal in literals)
        raise ValueProblem(f"{subject} must be one of {allowed}; got {describe(value)}")


def is_struct(kind: ParameterType) -> bool:
    """Whether values of a declared type are JSON objects."""
    return kind in _STRUCTS


def _named(subject: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except ValueProblem as problem:
        raise ValueProblem(f"{subject} {problem.sentence}") from None


def _fits(kind: ParameterType, value: Value) -> bool:
    if kind is ParameterType.STRING:
        return isinstance(value, str)
    if kind is ParameterType.BOOLEAN:
        return isinstance(value, bool)
    if kind is ParameterType.LIST:
        return isinstance(value, list)
    if kind in _STRUCTS:
        return isinstance(value, dict)
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (kind is ParameterType.NUMBER_DOUBLE and isinstance(value, float))


def _hint(kind: ParameterType, value: Value) -> str:
    """What to do about the commonest mistake: JSON text where the list or struct itself is wanted."""
    opening = {ParameterType.LIST: "["}.get(kind, "{" if kind in _STRUCTS else "")
    if opening and isinstance(value, str) and value.lstrip().startswith(opening):
        return ": JSON text is not parsed, pass the value itself"
    return ""
