"""Trigger conditions and expression selectors: parse once, evaluate many times (kfp-semantics 2.3 and 5.4). Pure.

Values are JSON; the rules are CEL's where they can differ on JSON: other kinds are unequal without an error, ordering
them is an error, `&&` and `||` absorb an error when the other side decides, integers and doubles compare by value.
Called by the static checks (`parse`), and by the engine before a task's inputs are resolved in full
(`Expression.inputs` says which it needs). Syntax is `expressions`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from headrace_ir.expressions import (
    INT_MAX,
    INT_MIN,
    Binary,
    Call,
    Choice,
    ConditionProblem,
    Index,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Name,
    Node,
    Unary,
    parse_tree,
)
from headrace_ir.values import Value, ValueProblem, decode, describe, equal, kind_of, text_of

__all__ = [
    "FUNCTIONS",
    "ConditionProblem",
    "Expression",
    "children",
    "decide",
    "evaluate",
    "parse",
    "select",
    "variables",
]


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression. `parameters` and `artifacts` are the input names that it mentions; where it uses the whole
    map (or an index that is not a literal), the `all_` flag says that every input is needed. `repaired`: it can be read
    only because quotes that are not escaped are allowed for (gap G59).
    """

    text: str
    tree: Node
    parameters: frozenset[str]
    artifacts: frozenset[str]
    all_parameters: bool
    all_artifacts: bool
    repaired: bool = False

    def inputs(self) -> frozenset[str]:
        """The names of the input parameters that it mentions."""
        return self.parameters


def parse(text: str) -> Expression:
    """The expression of a text; ConditionProblem with the place where it is wrong. Short ones are remembered: a loop's
    tasks, the checks and every run of a pipeline ask for the same.
    """
    return _parse_short(text) if len(text) <= _SHORT else _parse(text)


def _parse(text: str) -> Expression:
    tree, repaired = parse_tree(text)
    mentioned = {"parameter_values": set[str](), "artifacts": set[str]()}
    whole: set[str] = set()
    for field, name in _mentions(tree):
        if name is None:
            whole |= {field} if field else {"parameter_values", "artifacts"}
        else:
            mentioned.setdefault(field, set()).add(name)
    parameters, artifacts = frozenset(mentioned["parameter_values"]), frozenset(mentioned["artifacts"])
    return Expression(text, tree, parameters, artifacts, "parameter_values" in whole, "artifacts" in whole, repaired)


_SHORT: Final = 500
_parse_short = lru_cache(maxsize=2048)(_parse)


def evaluate(expression: Expression, names: Mapping[str, object]) -> Value:
    """The value of an expression; ConditionProblem if it has none."""
    return _value(expression.tree, names)


def decide(expression: Expression, names: Mapping[str, object]) -> bool:
    """The value of a condition, which must be a bool."""
    value = evaluate(expression, names)
    if not isinstance(value, bool):
        raise ConditionProblem(f"a condition must give true or false, this gives {describe(value)}", 0)
    return value


def variables(
    parameters: Mapping[str, Value],
    artifacts: Mapping[str, object] | None = None,
    outputs: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The variables of a trigger condition: `inputs` and `outputs` with the fields of ExecutorInput."""
    return {"inputs": {"parameter_values": parameters, "artifacts": artifacts or {}}, "outputs": outputs or {}}


def select(expression: Expression, value: Value) -> Value:
    """A parameter expression selector applied to the resolved source: only the field that is set is visible, and
    string_value.
    """
    fields = {"null": "null_value", "BOOLEAN": "bool_value", "LIST": "list_value", "STRUCT": "struct_value"}
    names: dict[str, object] = {"string_value": text_of(value)}
    kind = kind_of(value)
    if kind != "STRING":
        names[fields.get(kind, "number_value")] = value
    return evaluate(expression, names)


# --- which inputs are mentioned ---------------------------------------------------------------------------------------


def _mentions(node: Node) -> Iterator[tuple[str, str | None]]:
    """(field of inputs, name or None for the whole) of every use of `inputs`; field "" is `inputs` as a whole."""
    field = _inputs_field(node)
    if field is not None:
        yield field, None
        return
    if isinstance(node, Name):
        if node.name == "inputs":
            yield "", None
        return
    if isinstance(node, Index) and isinstance(node.key, Literal) and isinstance(node.key.value, str):
        field = _inputs_field(node.of)
        if field is not None:
            yield field, node.key.value
            return
    if isinstance(node, Binary) and node.operator == "in" and isinstance(node.left, Literal):
        field = _inputs_field(node.right)
        if field is not None and isinstance(node.left.value, str):
            yield field, node.left.value
            return
    for child in children(node):
        yield from _mentions(child)


def _inputs_field(node: Node) -> str | None:
    is_field = isinstance(node, Index) and isinstance(node.of, Name) and node.of.name == "inputs"
    if is_field and isinstance(node, Index) and isinstance(node.key, Literal) and isinstance(node.key.value, str):
        return node.key.value
    return None


def children(node: Node) -> tuple[Node, ...]:
    """What an expression is made of, one level down."""
    match node:
        case Index(of=of, key=key):
            return (of, key)
        case Call(arguments=nodes) | Logic(operands=nodes) | ListOf(items=nodes):
            return nodes
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Choice(test=test, yes=yes, no=no):
            return (test, yes, no)
        case MapOf(entries=entries):
            return tuple(part for entry in entries for part in entry)
    return ()


# --- evaluation -------------------------------------------------------------------------------------------------------


def _value(node: Node, names: Mapping[str, object]) -> Value:
    match node:
        case Literal(value=value):
            return value
        case Name():
            return _variable(node, names)
        case Index():
            return _item(node, names)
        case Binary():
            return _binary(node, _value(node.left, names), _value(node.right, names))
        case Logic():
            return _logic(node, names)
        case Unary():
            return _unary(node, _value(node.operand, names))
        case Choice():
            return _value(node.yes if _bool(node.test, names) else node.no, names)
        case Call():
            return _call(node, names)
        case ListOf(items=items):
            return [_value(item, names) for item in items]
        case MapOf():
            return _map(node, names)


def _variable(node: Name, names: Mapping[str, object]) -> Value:
    if node.name not in names:
        raise ConditionProblem(f"there is no variable '{node.name}' here; known are {', '.join(names)}", node.at)
    return names[node.name]  # type: ignore[return-value]  # mappings stand in for structs


def _item(node: Index, names: Mapping[str, object]) -> Value:
    holder, key = _value(node.of, names), _value(node.key, names)
    if isinstance(holder, Mapping):
        if not isinstance(key, str):
            raise ConditionProblem(f"a key must be a STRING, got {describe(key)}", node.at)
        if key not in holder:
            what = f"input parameter '{key}' is not given" if _inputs_field(node.of) == "parameter_values" else ""
            raise ConditionProblem(what or f"there is no key '{key}'", node.at)
        item: Value = holder[key]
        return item
    if not isinstance(holder, list):
        what = "field" if node.dotted else "item"
        raise ConditionProblem(f"{kind_of(holder)} has no {what} {describe(key)}", node.at)
    if isinstance(key, bool) or not isinstance(key, int | float) or key != int(key):
        raise ConditionProblem(f"a list index must be an integer, got {describe(key)}", node.at)
    if not 0 <= key < len(holder):
        raise ConditionProblem(f"list index {int(key)} is out of range: the list has {len(holder)} items", node.at)
    return holder[int(key)]


def _map(node: MapOf, names: Mapping[str, object]) -> Value:
    result: dict[str, Value] = {}
    for key_node, value_node in node.entries:
        key = _value(key_node, names)
        if not isinstance(key, str):
            raise ConditionProblem(f"a map key must be a STRING, got {describe(key)}", key_node.at)
        if key in result:
            raise ConditionProblem(f"a map literal has the key '{key}' twice", key_node.at)
        result[key] = _value(value_node, names)
    return result


def _bool(node: Node, names: Mapping[str, object]) -> bool:
    value = _value(node, names)
    if not isinstance(value, bool):
        raise ConditionProblem(f"expected true or false, got {describe(value)}", node.at)
    return value


def _logic(node: Logic, names: Mapping[str, object]) -> bool:
    """CEL's `&&` and `||`: one deciding operand wins over errors of the others."""
    deciding = node.operator == "||"
    first: ConditionProblem | None = None
    for operand in node.operands:
        try:
            if _bool(operand, names) is deciding:
                return deciding
        except ConditionProblem as problem:
            first = first or problem
    if first is not None:
        raise first
    return not deciding


def _unary(node: Unary, operand: Value) -> Value:
    if node.operator == "!":
        if isinstance(operand, bool):
            return not operand
        raise ConditionProblem(f"'!' needs true or false, got {describe(operand)}", node.at)
    if isinstance(operand, bool) or not isinstance(operand, int | float):
        raise ConditionProblem(f"'-' needs a number, got {describe(operand)}", node.at)
    return _in_range(-operand, node.at)


_ORDERS: Final[dict[str, Callable[[object, object], bool]]] = {
    "<": lambda a, b: a < b,  # type: ignore[operator]  # _binary has checked that both are of one ordered kind
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
}


def _binary(node: Binary, left: Value, right: Value) -> Value:
    operator = node.operator
    if operator in ("==", "!="):
        return equal(left, right) is (operator == "==")
    if operator == "in":
        if isinstance(right, list):
            return any(equal(left, item) for item in right)
        if isinstance(right, Mapping):
            return isinstance(left, str) and left in right
        raise ConditionProblem(f"'in' needs a LIST or STRUCT on its right, got {describe(right)}", node.at)
    numbers = _is_number(left) and _is_number(right)
    if operator in _ORDERS:
        texts = isinstance(left, str) and isinstance(right, str)
        if numbers or texts or (isinstance(left, bool) and isinstance(right, bool)):
            return _ORDERS[operator](left, right)
        raise ConditionProblem(f"'{operator}' cannot compare {describe(left)} with {describe(right)}", node.at)
    if numbers:
        return _arithmetic(node, left, right)  # type: ignore[arg-type]  # both are numbers
    if operator == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if operator == "+" and isinstance(left, list) and isinstance(right, list):
        return left + right
    raise ConditionProblem(f"'{operator}' cannot take {describe(left)} and {describe(right)}", node.at)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _arithmetic(node: Binary, left: int | float, right: int | float) -> int | float:
    """Integers as CEL's: division truncates toward zero, the remainder has the dividend's sign, 64 bits; else
    doubles.
    """
    whole = isinstance(left, int) and isinstance(right, int)
    if node.operator in "/%" and right == 0:
        raise ConditionProblem("division by zero", node.at)
    if node.operator == "%" and not whole:
        raise ConditionProblem("'%' needs integers", node.at)
    try:
        match node.operator:
            case "+":
                result = left + right
            case "-":
                result = left - right
            case "*":
                result = left * right
            case "/" if whole:
                result = _quotient(int(left), int(right))
            case "/":
                result = left / right
            case _:
                result = int(left) - int(right) * _quotient(int(left), int(right))
    except OverflowError:
        raise ConditionProblem("a number is out of range", node.at) from None
    return _in_range(result, node.at)


def _quotient(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _in_range(number: int | float, at: int) -> int | float:
    if isinstance(number, int) and not INT_MIN <= number <= INT_MAX:
        raise ConditionProblem("an integer is out of range (64 bits)", at)
    if isinstance(number, float) and not math.isfinite(number):
        raise ConditionProblem("a number is out of range", at)
    return number


# --- functions --------------------------------------------------------------------------------------------------------

_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,100}")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,5})?")


def _call(node: Call, names: Mapping[str, object]) -> Value:
    if node.function == "has":
        return _has(node, names)
    function = _FUNCTIONS.get(node.function)
    if function is None:
        raise ConditionProblem(
            f"unknown function '{node.function}'; known are {', '.join(sorted(_FUNCTIONS))}, has", node.at
        )
    arity, work = function
    if len(node.arguments) != arity:
        raise ConditionProblem(f"{node.function}() takes {arity} value(s), got {len(node.arguments)}", node.at)
    arguments = [_value(argument, names) for argument in node.arguments]
    try:
        return work(*arguments)
    except ValueProblem as problem:
        raise ConditionProblem(f"{node.function}(): the text {problem.sentence}", node.at) from None
    except _Unfit as unfit:
        shown = ", ".join(describe(argument) for argument in arguments)
        raise ConditionProblem(f"{node.function}() cannot take {shown}{unfit}", node.at) from None


def _has(node: Call, names: Mapping[str, object]) -> bool:
    if len(node.arguments) != 1 or not isinstance(node.arguments[0], Index):
        raise ConditionProblem("has() takes one field, such as has(inputs.parameter_values.x)", node.at)
    holder, key = _value(node.arguments[0].of, names), _value(node.arguments[0].key, names)
    if not isinstance(holder, Mapping):
        raise ConditionProblem(f"has() needs a STRUCT, got {describe(holder)}", node.at)
    return isinstance(key, str) and key in holder


class _Unfit(Exception):  # noqa: N818 - never leaves this module
    """An argument that a function does not take; the text is added to the sentence."""


def _to_int(value: Value) -> Value:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit
    # int() of Python truncates toward zero, as CEL does.
    whole = int(value)
    if not INT_MIN <= whole <= INT_MAX:
        raise _Unfit(": out of range (64 bits)")
    return whole


def _to_double(value: Value) -> Value:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit
    if not math.isfinite(value):
        raise _Unfit(": out of range")
    return float(value)


def _to_string(value: Value) -> Value:
    if isinstance(value, str | int | float):
        return text_of(value)
    raise _Unfit


def _to_bool(value: Value) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _TRUE | _FALSE:
        return value in _TRUE
    raise _Unfit


def _size(value: Value) -> Value:
    if isinstance(value, str | list | Mapping):
        return len(value)
    raise _Unfit


def _parse_json(value: Value) -> Value:
    if not isinstance(value, str):
        raise _Unfit
    return decode(value)


def _of_texts(test: Callable[[str, str], bool]) -> Callable[[Value, Value], Value]:
    def work(text: Value, part: Value) -> Value:
        if isinstance(text, str) and isinstance(part, str):
            return test(text, part)
        raise _Unfit

    return work


_FUNCTIONS: Final[dict[str, tuple[int, Callable[..., Value]]]] = {
    "int": (1, _to_int),
    "double": (1, _to_double),
    "string": (1, _to_string),
    "bool": (1, _to_bool),
    "size": (1, _size),
    "parseJson": (1, _parse_json),
    "contains": (2, _of_texts(lambda text, part: part in text)),
    "startsWith": (2, _of_texts(lambda text, part: text.startswith(part))),
    "endsWith": (2, _of_texts(lambda text, part: text.endswith(part))),
}
FUNCTIONS: Final[Mapping[str, int]] = {name: arity for name, (arity, _) in _FUNCTIONS.items()}
"""The functions by name, with the number of their values; `has` besides, which takes a field."""
