"""What is wrong with an expression whatever the values are: names, fields, functions, and results of the wrong kind.

Evaluation would say the same, but only when a run comes to it. Called by `conditions` (the check).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from headrace_ir.conditions import FUNCTIONS, ConditionProblem, Expression, children, evaluate
from headrace_ir.expressions import Binary, Call, Choice, Index, ListOf, Literal, Logic, MapOf, Name, Node, Unary
from headrace_ir.problems import hint

Fields = Mapping[str, frozenset[str] | None]
"""The variables there are, each with the names of its fields (None: any)."""

CONDITION: Final[Fields] = {"inputs": frozenset({"parameter_values", "artifacts"}), "outputs": None}
SELECTOR: Final[Fields] = dict.fromkeys(
    ("string_value", "number_value", "bool_value", "list_value", "struct_value", "null_value")
)
_OTHER_CALLS: Final = frozenset({"int", "double", "string", "size"})


def faults(expression: Expression, fields: Fields, *, boolean: bool) -> Iterator[str]:
    """A sentence for each thing that can never work; `boolean`: the result must be true or false."""
    found = list(_names(expression.tree, fields))
    found += _kinds(expression.tree, boolean=boolean)
    if not found and not _mentions_any(expression.tree):
        try:
            evaluate(expression, {})
        except ConditionProblem as problem:
            found.append(str(problem))
    yield from dict.fromkeys(found)


def _names(node: Node, fields: Fields) -> Iterator[str]:
    if isinstance(node, Name) and node.name not in fields:
        yield _at(f"there is no variable '{node.name}' here; {hint(node.name, fields, kind='variables')}", node)
    elif isinstance(node, Index) and isinstance(node.of, Name) and fields.get(node.of.name) is not None:
        known = fields[node.of.name] or frozenset()
        key = node.key.value if isinstance(node.key, Literal) else None
        if isinstance(key, str) and key not in known:
            yield _at(f"'{node.of.name}' has no field '{key}'; {hint(key, sorted(known), kind='fields')}", node)
    elif isinstance(node, Call):
        yield from _call(node)
    for child in children(node):
        yield from _names(child, fields)


def _call(node: Call) -> Iterator[str]:
    if node.function == "has":
        if len(node.arguments) != 1 or not isinstance(node.arguments[0], Index):
            yield _at("has() takes one field, such as has(inputs.parameter_values.x)", node)
        return
    arity = FUNCTIONS.get(node.function)
    if arity is None:
        end = hint(node.function, sorted([*FUNCTIONS, "has"]), kind="functions")
        yield _at(f"there is no function '{node.function}'; {end}", node)
    elif len(node.arguments) != arity:
        yield _at(f"{node.function}() takes {arity} value(s), got {len(node.arguments)}", node)


def _kinds(node: Node, *, boolean: bool) -> Iterator[str]:
    """Places that need true or false and can never get it."""
    if boolean and _is_never_boolean(node):
        yield _at("this gives no true or false, whatever the inputs are", node)
    match node:
        case Logic(operands=operands):
            for operand in operands:
                yield from _kinds(operand, boolean=True)
        case Choice(test=test, yes=yes, no=no):
            yield from _kinds(test, boolean=True)
            for branch in (yes, no):
                yield from _kinds(branch, boolean=boolean)
        case Unary(operator="!", operand=operand):
            yield from _kinds(operand, boolean=True)
        case _:
            for child in children(node):
                yield from _kinds(child, boolean=False)


def _is_never_boolean(node: Node) -> bool:
    match node:
        case Literal(value=value):
            return not isinstance(value, bool)
        case Binary(operator=operator):
            return operator in ("+", "-", "*", "/", "%")
        case Unary(operator=operator):
            return operator == "-"
        case Call(function=function):
            return function in _OTHER_CALLS
    return isinstance(node, (ListOf, MapOf))


def _mentions_any(node: Node) -> bool:
    return isinstance(node, Name) or any(_mentions_any(child) for child in children(node))


def _at(sentence: str, node: Node) -> str:
    return f"{sentence} (at character {node.at})"
