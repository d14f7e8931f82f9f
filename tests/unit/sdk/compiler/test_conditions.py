"""The texts of conditions: as KFP writes them where it writes them rightly, and right where it does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from headrace.compiler.conditions import quoted, trigger
from headrace.dsl.channels import Condition, ParameterChannel
from headrace.dsl.groups import ConditionGroup
from headrace.dsl.mistakes import DefinitionError, Where
from headrace_ir.conditions import decide, parse

WHERE = Where("pipeline.py", 7)


def channel(name: str) -> ParameterChannel:
    one = ParameterChannel.__new__(ParameterChannel)
    object.__setattr__(one, "name", name)
    return one


TEXT, WHOLE, REAL, TRUTH, LIST = (channel(name) for name in ("text", "whole", "real", "truth", "list"))
KINDS = {"text": "STRING", "whole": "NUMBER_INTEGER", "real": "NUMBER_DOUBLE", "truth": "BOOLEAN", "list": "LIST"}
INPUTS = {id(one): (f"pipelinechannel--{one.name}", KINDS[one.name]) for one in (TEXT, WHOLE, REAL, TRUTH, LIST)}


def group(*conditions: Condition, negated: tuple[Condition, ...] = ()) -> ConditionGroup:
    one = ConditionGroup.__new__(ConditionGroup)
    one.negated = negated
    one.condition = conditions[0] if conditions else None
    one.where = WHERE
    return one


def written(left: Any, operator: str, right: Any) -> str:
    return trigger(group(Condition(left, operator, right)), INPUTS)


def holds(left: Any, operator: str, right: Any, **values: Any) -> bool:
    expression = parse(written(left, operator, right))
    return decide(expression, {"inputs": {"parameter_values": {f"pipelinechannel--{k}": v for k, v in values.items()}}})


@pytest.mark.parametrize(
    ("left", "operator", "right", "text"),
    [
        (TEXT, "==", "heads", "{text} == 'heads'"),
        (WHOLE, ">=", -3, "int({whole}) >= -3"),
        (REAL, "<", 0.5, "{real} < 0.5"),
        (WHOLE, "<", 0.5, "double(int({whole})) < 0.5"),
        (REAL, ">", 5, "{real} > double(5)"),
        (TRUTH, "==", True, "{truth} == true"),
        (WHOLE, "!=", REAL, "double(int({whole})) != {real}"),
        (TEXT, "==", "it's\n\\", "{text} == 'it\\'s\\n\\\\'"),
        (TEXT, "==", 5, "{text} == '5'"),
        (TEXT, "==", WHOLE, "{text} == string(int({whole}))"),
        (TRUTH, "==", "true", "({truth} ? 'true' : 'false') == 'true'"),
        (TRUTH, "==", 1, "{truth} == (1 != 0)"),
        (TEXT, "==", None, "{text} == null"),
    ],
)
def test_a_comparison(left, operator, right, text):
    names = {name: f"inputs.parameter_values['pipelinechannel--{name}']" for name in KINDS}
    assert written(left, operator, right) == text.format(**names)


def test_branches_before_must_not_hold():
    first, second = Condition(WHOLE, "==", 1), Condition(TEXT, "==", "a")
    whole, text = (
        "int(inputs.parameter_values['pipelinechannel--whole'])",
        "inputs.parameter_values['pipelinechannel--text']",
    )
    assert trigger(group(second, negated=(first,)), INPUTS) == f"!({whole} == 1) && {text} == 'a'"
    assert trigger(group(negated=(first, second)), INPUTS) == f"!({whole} == 1) && !({text} == 'a')"


@pytest.mark.parametrize("value", [[1], {"a": 1}, float("nan"), float("inf"), b"x"])
def test_what_cannot_be_compared_with(value):
    with pytest.raises(DefinitionError) as raised:
        written(TEXT, "==", value)
    assert str(raised.value) == (
        f"pipeline.py:7: A condition compares with {value!r}; compare with a text, a finite number, True, False, None or "
        "another output."
    )


def test_what_cannot_be_compared():
    with pytest.raises(DefinitionError) as raised:
        written(LIST, "==", "a")
    assert str(raised.value) == (
        "pipeline.py:7: A condition compares 'list', which is a LIST; only texts, numbers and booleans can be compared: let a "
        "component decide and compare what it returns."
    )


@given(some.text())
def test_every_text_is_compared_as_it_was_written(text):
    assert parse(f"{quoted(text)} == {quoted(text)}").repaired is False
    assert holds(TEXT, "==", text, text=text)
    assert not holds(TEXT, "==", text, text=text + "'")


@pytest.mark.parametrize(
    ("left", "operator", "right", "values", "outcome"),
    [
        (TRUTH, "==", 1, {"truth": True}, True),
        (TRUTH, "==", 0, {"truth": True}, False),
        (TRUTH, "==", 0, {"truth": False}, True),
        (TRUTH, "==", "false", {"truth": False}, True),
        (WHOLE, "==", "3", {"whole": 3}, True),
        (WHOLE, "==", TEXT, {"whole": 3, "text": "4"}, False),
        (WHOLE, "==", True, {"whole": 2}, True),
        (WHOLE, "<", REAL, {"whole": 3, "real": 3.5}, True),
    ],
)
def test_values_of_different_types_are_compared(left, operator, right, values, outcome):
    assert holds(left, operator, right, **values) is outcome
