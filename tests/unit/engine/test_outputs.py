"""Outputs of user code: files by declared type, JSON texts of a report, and what is refused (issue 3, bad input)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_ir.outputs import read_output_file
from headrace_ir.values import ValueProblem
from headrace_scheduler.engine.outputs import check_parameters


@pytest.mark.parametrize(
    ("declared", "content", "value"),
    [
        ("STRING", b" raw text\n", " raw text\n"),
        ("STRING", b"", ""),
        (None, b"text", "text"),
        ("NUMBER_INTEGER", b" 42\n", 42),
        ("NUMBER_INTEGER", b"-7", -7),
        ("NUMBER_DOUBLE", b"0.5\n", 0.5),
        ("NUMBER_DOUBLE", b"1e3", 1000),
        ("NUMBER_DOUBLE", b"3", 3),
        ("BOOLEAN", b"True\n", True),
        ("BOOLEAN", b"0", False),
        ("LIST", b'[1, "a"]', [1, "a"]),
        ("STRUCT", b'{"a": 1.0}', {"a": 1}),
    ],
)
def test_output_files_by_type(declared, content, value):
    assert read_output_file("o", declared, content) == value


@pytest.mark.parametrize(
    ("declared", "content", "sentence"),
    [
        ("STRING", b"a\0b", "output 'o' holds a NUL character (position 1)"),
        ("STRING", b"\xff", "output 'o' is not UTF-8 text (byte 0)"),
        ("STRING", b"\xed\xa0\x80", "output 'o' is not UTF-8 text (byte 0)"),
        ("NUMBER_INTEGER", b"1.5", "output 'o' expects NUMBER_INTEGER, got the text '1.5'"),
        ("NUMBER_INTEGER", b"abc", "output 'o' expects NUMBER_INTEGER, got the text 'abc'"),
        ("NUMBER_INTEGER", b"1" + b"0" * 400, "output 'o' holds a number beyond the range of a double"),
        ("NUMBER_DOUBLE", b"NaN", "output 'o' expects NUMBER_DOUBLE, got the text 'NaN'"),
        ("NUMBER_DOUBLE", b"1e400", "output 'o' holds an infinite number, which JSON cannot express"),
        ("NUMBER_DOUBLE", b"1_0", "output 'o' expects NUMBER_DOUBLE, got the text '1_0'"),
        ("BOOLEAN", b"yes", "output 'o' expects BOOLEAN, got the text 'yes': write true or false"),
        ("LIST", b"{}", "output 'o' expects LIST, got STRUCT {}"),
        ("LIST", b"[NaN]", "output 'o' holds NaN, which JSON cannot express"),
        ("STRUCT", b"nope", "output 'o' is not JSON: Expecting value at character 0"),
        ("STRUCT", b'{"a": "\\udc00"}', "output 'o' holds a lone surrogate (position 0), which is not text"),
    ],
)
def test_output_files_that_are_refused(declared, content, sentence):
    with pytest.raises(ValueProblem) as caught:
        read_output_file("o", declared, content)
    assert caught.value.sentence == sentence


@pytest.mark.parametrize("declared", ["STRING", "LIST"])
def test_an_output_above_the_limit_is_refused(declared):
    with pytest.raises(ValueProblem, match="output 'o' is 1001 bytes long, above the limit of 1000"):
        read_output_file("o", declared, b"1" * 1001, 1000)


@given(st.sampled_from(["STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT", None]), st.binary())
def test_any_file_gives_a_value_or_a_sentence_that_names_the_output(declared, content):
    sentence = "output 'o' is fine"
    try:
        read_output_file("o", declared, content)
    except ValueProblem as problem:
        sentence = problem.sentence
    assert sentence.startswith("output 'o' ")


def test_a_report_gives_values_and_keeps_undeclared_ones():
    assert check_parameters({"n": "NUMBER_INTEGER"}, {"n": "3.0", "extra": '"x"'}) == {"n": 3, "extra": "x"}


def test_an_optional_output_that_was_not_written_is_null():
    assert check_parameters({"n": "NUMBER_INTEGER"}, {}, optional={"n"}) == {"n": None}
    assert check_parameters({"n": "NUMBER_INTEGER"}, {"n": "null"}, optional={"n"}) == {"n": None}


def test_a_null_that_was_said_is_an_output_and_a_file_that_says_null_is_not():
    assert check_parameters({"n": "NUMBER_INTEGER"}, {"n": "null"}) == {"n": None}
    with pytest.raises(ValueProblem, match="output 'l' expects LIST, got null"):
        read_output_file("l", "LIST", b"null")


def test_all_problems_of_a_report_come_in_one_sentence():
    with pytest.raises(ValueProblem) as caught:
        check_parameters({"a": "NUMBER_INTEGER", "b": 3, "c": None}, {"a": '"x"'})
    assert caught.value.sentence == (
        "output 'a' expects NUMBER_INTEGER, got STRING \"x\"; output 'b' (STRING) was not written; "
        "output 'c' (any type) was not written"
    )
