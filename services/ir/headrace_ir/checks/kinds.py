"""Parameter types: which values and which producers fit a declared type, judged only where the answer is certain."""

from __future__ import annotations

from typing import Any

from headrace_ir.model import MISSING, Parameter
from headrace_ir.schema import describe
from headrace_ir.values import encode, equal, text_of

NUMBERS = frozenset({"NUMBER_INTEGER", "NUMBER_DOUBLE"})
STRUCTS = frozenset({"STRUCT", "TASK_FINAL_STATUS", "TASK_CONFIG"})
_SHOWN = 20
_EXPECTED = {
    "STRING": "text",
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a list",
    "STRUCT": "an object",
}


def value_mismatch(declared: str, value: Any, *, to_text: bool = False) -> str | None:
    """Why a value does not fit a declared type, or None. `to_text`: a STRING takes the text form of anything."""
    if (declared == "STRING" and to_text) or not declared:
        return None
    if _fits(declared, value):
        return None
    kind = "STRUCT" if declared in STRUCTS else declared
    return f"expected {_EXPECTED[kind]} ({declared}), got {describe(value)}"


def _fits(declared: str, value: Any) -> bool:
    if declared == "STRING":
        return isinstance(value, str)
    if declared == "BOOLEAN":
        return isinstance(value, bool)
    if declared == "LIST":
        return isinstance(value, list)
    if declared in STRUCTS:
        return isinstance(value, dict)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return declared != "NUMBER_INTEGER" or isinstance(value, int) or value.is_integer()


def producer_mismatch(produced: str, wanted: str) -> bool:
    """Whether an output of one type can never be an input of another."""
    if not produced or not wanted or wanted in ("STRING", produced):
        return False
    if produced in NUMBERS and wanted in NUMBERS:
        return False
    return not (produced in STRUCTS and wanted in STRUCTS)


def default_mismatch(parameter: Parameter) -> str | None:
    """Why a declared default does not fit; null means that there is none."""
    if parameter.default is MISSING or parameter.default is None:
        return None
    return value_mismatch(parameter.type, parameter.default) or literal_mismatch(parameter, parameter.default)


def literal_mismatch(parameter: Parameter, value: Any) -> str | None:
    """Why a value is none of the declared literals, or None. What holds a placeholder is judged when it has a value."""
    if not parameter.literals:
        return None
    text = encode(value)
    if "{{$" in text:
        return None
    if parameter.type == "STRING" and not isinstance(value, str):
        value = text_of(value)
    if any(equal(value, literal) for literal in parameter.literals):
        return None
    allowed = ", ".join(encode(literal) for literal in parameter.literals[:_SHOWN])
    more = f" and {len(parameter.literals) - _SHOWN} more" if len(parameter.literals) > _SHOWN else ""
    return f"expected one of {allowed}{more}, got {describe(value)}"
