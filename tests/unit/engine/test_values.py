"""Canonical JSON, text forms, declared types and run parameters (kfp-semantics 2.5 to 2.7; issue 3, bad input)."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_ir.parameters import Declaration, check_run_parameters, declaration_of, resolve_input
from headrace_ir.values import (
    MAX_DEPTH,
    MAX_VALUE_BYTES,
    ParameterType,
    ValueProblem,
    canonical,
    check_literals,
    coerce,
    conform,
    declared_type,
    decode,
    describe,
    encode,
    equal,
    text_of,
)
from headrace_protos.v1 import plan_pb2

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = st.integers(-(10**300), 10**300) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("as it is\n", "as it is\n"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (3.0, "3"),
        (-0.0, "0"),
        (0.001, "0.001"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (1e23, "100000000000000000000000"),
        (123456789012345678901, "123456789012345678901"),
        ([1, 2.0, "x"], '[1,2,"x"]'),
        ({"b": None, "a": {"é": True}}, '{"b":null,"a":{"é":true}}'),
    ],
)
def test_text_form(value, text):
    assert text_of(value) == text


@given(VALUES)
def test_canonical_text_round_trips(value):
    assert equal(decode(encode(value)), value)
    assert encode(decode(encode(value))) == encode(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_text_of_a_double_is_exact_and_has_no_exponent(number):
    assert float(text_of(number)) == number
    assert "e" not in text_of(number)


@given(st.lists(VALUES) | st.dictionaries(TEXTS, VALUES))
def test_structured_text_forms_are_json(value):
    assert equal(json.loads(text_of(value)), value)


@given(st.text() | st.binary())
def test_decode_refuses_with_a_sentence_or_gives_a_value(text):
    try:
        value = decode(text)
    except ValueProblem as problem:
        value = problem.sentence
    assert equal(canonical(value), value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('"a\\u0000b"', "holds a NUL character (position 1)"),
        ('{"a\\u0000": 1}', "holds a NUL character (position 1)"),
        ("NaN", "holds NaN, which JSON cannot express"),
        ("[Infinity]", "holds Infinity, which JSON cannot express"),
        ("[-Infinity]", "holds -Infinity, which JSON cannot express"),
        ('"\\ud800"', "holds a lone surrogate (position 0), which is not text"),
        ("1" + "0" * 400, "holds a number beyond the range of a double"),
        ("1" + "0" * 309, "holds a number beyond the range of a double"),
        ("1e400", "holds a number beyond the range of a double"),
        ("9" * 5000, "holds a number beyond the range of a double"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"is nested deeper than {MAX_DEPTH} levels"),
        ("[" * 100_000, f"is nested deeper than {MAX_DEPTH} levels"),
        ("{nope", "is not JSON: Expecting property name enclosed in double quotes at character 1"),
        (b"\xff", "is not UTF-8 text (byte 0)"),
    ],
)
def test_what_json_text_is_refused(text, sentence):
    with pytest.raises(ValueProblem) as caught:
        decode(text)
    assert caught.value.sentence == sentence


def test_a_value_above_the_size_limit_is_refused_both_ways():
    wanted = "is 1002 bytes long, above the limit of 1001: write large data to an artifact"
    for work in (
        lambda: decode('"' + "x" * 1000 + '"', 1001),
        lambda: decode(('"' + "é" * 500 + '"').encode(), 1001),
        lambda: encode("é" * 500, 1001),
    ):
        with pytest.raises(ValueProblem, match=wanted):
            work()
    assert MAX_VALUE_BYTES == 256 << 20


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (math.nan, "holds NaN, which JSON cannot express"),
        (-math.inf, "holds an infinite number, which JSON cannot express"),
        ({1: 2}, "has a key that is not a string: 1"),
        ({"a": {1, 2}}, "holds a set, which JSON cannot express"),
        (10**400, "holds a number beyond the range of a double"),
    ],
)
def test_what_python_value_is_refused(value, sentence):
    with pytest.raises(ValueProblem) as caught:
        encode(value)
    assert caught.value.sentence == sentence


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (True, True, True),
        ("1", 1, False),
        (None, None, True),
        (None, "", False),
        ([1, True], [1.0, True], True),
        ([1], [True], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([], {}, False),
    ],
)
def test_json_equality(left, right, same):
    assert equal(left, right) is same
    assert equal(right, left) is same


@pytest.mark.parametrize(
    ("declared", "given_value", "result"),
    [
        ("STRING", "abc", "abc"),
        ("NUMBER_INTEGER", 3, 3),
        ("NUMBER_INTEGER", 3.0, 3),
        ("NUMBER_INTEGER", 1e300, int(1e300)),
        ("NUMBER_DOUBLE", 0.5, 0.5),
        ("NUMBER_DOUBLE", 3, 3),
        ("BOOLEAN", False, False),
        ("LIST", [1.0], [1]),
        ("STRUCT", {}, {}),
        ("TASK_FINAL_STATUS", {"state": "FAILED"}, {"state": "FAILED"}),
        ("TASK_CONFIG", {}, {}),
        (None, [None], [None]),
        (0, True, True),
    ],
)
def test_what_conforms(declared, given_value, result):
    value = conform("input 'x'", declared, given_value)
    assert value == result
    assert type(value) is type(result)


@pytest.mark.parametrize(
    ("declared", "given_value", "sentence"),
    [
        ("NUMBER_DOUBLE", "abc", "input 'lr' expects NUMBER_DOUBLE, got STRING \"abc\""),
        ("NUMBER_DOUBLE", True, "input 'lr' expects NUMBER_DOUBLE, got BOOLEAN true"),
        ("NUMBER_INTEGER", 1.5, "input 'lr' expects NUMBER_INTEGER, got NUMBER_DOUBLE 1.5"),
        ("NUMBER_INTEGER", "3", "input 'lr' expects NUMBER_INTEGER, got STRING \"3\""),
        ("BOOLEAN", 1, "input 'lr' expects BOOLEAN, got NUMBER_INTEGER 1"),
        ("STRING", 1, "input 'lr' expects STRING, got NUMBER_INTEGER 1"),
        ("STRUCT", [], "input 'lr' expects STRUCT, got LIST []"),
        ("LIST", None, "input 'lr' expects LIST, got null"),
        ("LIST", "[1]", "input 'lr' expects LIST, got STRING \"[1]\": JSON text is not parsed, pass the value itself"),
        (
            "STRUCT",
            "{}",
            "input 'lr' expects STRUCT, got STRING \"{}\": JSON text is not parsed, pass the value itself",
        ),
        ("STRING", "\0", "input 'lr' holds a NUL character (position 0)"),
        ("INTEGER", 1, "input 'lr' has the unknown declared type INTEGER"),
    ],
)
def test_what_does_not_conform(declared, given_value, sentence):
    with pytest.raises(ValueProblem) as caught:
        conform("input 'lr'", declared, given_value)
    assert caught.value.sentence == sentence


def test_long_values_are_shortened_in_sentences():
    assert describe("x" * 100) == 'STRING "' + "x" * 59 + "…"
    assert describe([1] * 1_000_000) == "LIST [" + "1," * 29 + "1…"
    assert describe(["x" * 1_000_000]) == 'LIST ["' + "x" * 58 + "…"


def test_declared_types_have_the_numbers_of_the_plan():
    for name, number in plan_pb2.ParameterType.items():
        expected = None if number == 0 else ParameterType(name)
        assert declared_type(number) is expected
    with pytest.raises(ValueProblem, match="has the unknown declared type 99"):
        declared_type(99)


@given(VALUES)
def test_a_string_input_takes_the_text_form_of_anything(value):
    assert coerce("input 'x'", "STRING", value) == text_of(value)


def test_literals_compare_as_json():
    check_literals("input 'x'", 1.0, [1, 2])
    check_literals("input 'x'", "anything", [])
    with pytest.raises(ValueProblem) as caught:
        check_literals("input 'x'", True, [1, "a"])
    assert caught.value.sentence == "input 'x' must be one of 1, \"a\"; got BOOLEAN true"


@pytest.mark.parametrize(
    ("declaration", "given_value", "result"),
    [
        (Declaration("x", ParameterType.STRING, default="d"), None, "d"),
        (Declaration("x", ParameterType.STRING, optional=True), None, None),
        (Declaration("x", ParameterType.LIST, optional=True), None, None),
        (Declaration("x", ParameterType.STRING), 3.0, "3"),
        (Declaration("x", ParameterType.NUMBER_INTEGER, default=1.0), None, 1),
        (Declaration("x"), {"a": 1}, {"a": 1}),
    ],
)
def test_inputs_resolve_absent_and_null_alike(declaration, given_value, result):
    assert resolve_input(declaration, given_value) == result


def test_a_required_input_without_value_is_named():
    with pytest.raises(ValueProblem) as caught:
        resolve_input(Declaration("x", ParameterType.LIST), None)
    assert caught.value.sentence == "input 'x' (LIST) has no value: its source gave none and it has no default"


def test_a_null_loop_item_is_empty_text_for_a_string():
    assert resolve_input(Declaration("x", ParameterType.STRING), None, null_is_value=True) == ""


def test_an_input_outside_its_literals_is_refused():
    with pytest.raises(ValueProblem, match="input 'x' must be one of 1, 2; got NUMBER_INTEGER 3"):
        resolve_input(Declaration("x", ParameterType.NUMBER_INTEGER, literals=(1, 2)), 3)


def test_a_declaration_comes_out_of_the_plan():
    definition = plan_pb2.ParameterDef(
        name="x", type="NUMBER_INTEGER", default_json="3", optional=True, literals_json=["3"]
    )
    assert declaration_of(definition) == Declaration("x", ParameterType.NUMBER_INTEGER, 3, True, (3,))
    assert declaration_of(plan_pb2.ParameterDef(name="y")) == Declaration("y")


def test_run_parameters_take_defaults_and_nulls_for_optional_ones():
    declarations = {
        "a": Declaration("a", ParameterType.NUMBER_INTEGER, default=1.0, optional=True),
        "b": Declaration("b", ParameterType.STRING, optional=True),
        "c": Declaration("c", ParameterType.NUMBER_DOUBLE),
    }
    assert check_run_parameters(declarations, {"c": 2.0}) == ({"a": 1, "b": None, "c": 2}, [])
    assert check_run_parameters(declarations, {"a": None, "b": None, "c": 2.5}) == ({"a": 1, "b": None, "c": 2.5}, [])


def test_all_problems_of_run_parameters_come_at_once():
    declarations = {
        "lr": Declaration("lr", ParameterType.NUMBER_DOUBLE),
        "n": Declaration("n", ParameterType.NUMBER_INTEGER),
        "s": Declaration("s", ParameterType.STRING),
        "status": Declaration("status", ParameterType.TASK_FINAL_STATUS),
        "z": Declaration("z", ParameterType.STRING, default="d"),
    }
    _, problems = check_run_parameters(declarations, {"lr": "abc", "s": 3, "typo": 1, "z": None})
    assert problems == [
        "parameter 'typo' is unknown: the pipeline has lr, n, s, status, z",
        "parameter 'lr' expects NUMBER_DOUBLE, got STRING \"abc\"",
        "parameter 'n' (NUMBER_INTEGER) is missing: give it a value",
        "parameter 's' expects STRING, got NUMBER_INTEGER 3",
        "parameter 'status' is declared TASK_FINAL_STATUS, which only a task's input can be",
        "parameter 'z' expects STRING, got null",
    ]
