"""The texts of conditions (a small part of CEL) that the IR's triggers hold. Pure.

Where both sides are of one type the text is KFP's. KFP's compiler leaves quotes in texts as they are, writes casts in quotes
where types differ and takes a number for the opposite truth; ours escapes, casts and compares. Called by `binding`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from headrace.dsl.channels import Channel, Condition
from headrace.dsl.groups import ConditionGroup
from headrace.dsl.interface import ParameterType
from headrace.dsl.mistakes import Where, mistake
from headrace.dsl.naming import HANDED

Operand = tuple[str, ParameterType | None]  # the text, and its type; None: null

TEXT: Final = ParameterType.STRING
WHOLE: Final = ParameterType.NUMBER_INTEGER
REAL: Final = ParameterType.NUMBER_DOUBLE
TRUTH: Final = ParameterType.BOOLEAN
COMPARED: Final = (TEXT, WHOLE, REAL, TRUTH)

_ESCAPES: Final = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED: Final = re.compile(r"[\\'\x00-\x1f\x7f\u0085\u2028\u2029]")


def trigger(group: ConditionGroup, inputs: Mapping[int, tuple[str, str]]) -> str:
    """When GROUP runs. INPUTS: by id of each channel that is compared, the name of the input that holds it, and its type."""
    texts = [f"!({_comparison(one, inputs, group.where)})" for one in group.negated]
    if group.condition is not None:
        texts.append(_comparison(group.condition, inputs, group.where))
    return " && ".join(texts)


def _comparison(condition: Condition, inputs: Mapping[int, tuple[str, str]], where: Where) -> str:
    left = _operand(condition.left, inputs, where)
    right = _operand(condition.right, inputs, where)
    if left[1] is not right[1] and left[1] is not None and right[1] is not None:
        left, right = _promoted(left, right)
    return f"{left[0]} {condition.operator} {right[0]}"


def _operand(value: Any, inputs: Mapping[int, tuple[str, str]], where: Where) -> Operand:
    if isinstance(value, Channel):
        return _input(*inputs[id(value)], where)
    if value is None:
        return "null", None
    if isinstance(value, str):
        return quoted(value), TEXT
    if isinstance(value, bool):
        return str(value).lower(), TRUTH
    if isinstance(value, int):
        return str(value), WHOLE
    if isinstance(value, float) and math.isfinite(value):
        return str(value), REAL
    raise mistake(
        f"A condition compares with {value!r}; compare with a text, a finite number, True, False, None or another output.",
        where,
    )


def _input(name: str, kind: str, where: Where) -> Operand:
    if kind not in COMPARED:
        raise mistake(
            f"A condition compares {name.removeprefix(HANDED)!r}, which is a {kind}; only texts, numbers and "
            "booleans can be compared: let a component decide and compare what it returns.",
            where,
        )
    text = f"inputs.parameter_values['{name}']"
    return (f"int({text})" if kind == WHOLE else text), ParameterType(kind)


def _promoted(left: Operand, right: Operand) -> Sequence[Operand]:
    """Both as the type that can hold either."""
    kinds = (left[1], right[1])
    if TEXT in kinds:
        return _text(left), _text(right)
    if TRUTH in kinds:
        return _truth(left), _truth(right)
    return _real(left), _real(right)


def _text(operand: Operand) -> Operand:
    text, kind = operand
    if kind is TEXT:
        return operand
    if "[" not in text:  # a constant
        return quoted(text), TEXT
    return (f"({text} ? 'true' : 'false')" if kind is TRUTH else f"string({text})"), TEXT


def _truth(operand: Operand) -> Operand:
    text, kind = operand
    return (text, TRUTH) if kind is TRUTH else (f"({text} != {'0' if kind is WHOLE else '0.0'})", TRUTH)


def _real(operand: Operand) -> Operand:
    text, kind = operand
    return (f"double({text})", REAL) if kind is WHOLE else operand


def quoted(text: str) -> str:
    """TEXT as a literal of CEL."""
    return "'" + _ESCAPED.sub(lambda found: _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04x}", text) + "'"
