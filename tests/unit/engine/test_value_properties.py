"""Properties of values: what encodes decodes, what is checked stays checked, a reference is judged as its content would be."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headrace_ir.outputs import read_output_file
from headrace_ir.references import INLINE_BYTES, ValueRef, digest_of, is_large, passes, type_of_text
from headrace_ir.values import (
    ParameterType,
    ValueProblem,
    check_literals,
    coerce,
    conform,
    decode,
    encode,
    equal,
    text_of,
)
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.bags import Bag
from headrace_scheduler.engine.contents import Elements, Joined, joined, list_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NUMBERS = st.integers(-(10**300), 10**300) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))
DECLARED = st.sampled_from(ParameterType)
LARGE_KINDS = TEXTS | st.lists(VALUES, max_size=3) | st.dictionaries(TEXTS, VALUES, max_size=3)
ROOT = "file:///store/pipeline/run"


def reference(value: object) -> ValueRef:
    """A reference to a value, whatever its size."""
    text = encode(value)
    data = text.encode()
    return ValueRef(f"{ROOT}/values/{digest_of(data)[7:]}", len(data), digest_of(data), type_of_text(text))


@given(VALUES)
def test_a_text_is_the_same_however_often_it_is_read_and_written(value):
    text = encode(value)
    assert encode(decode(text)) == encode(json.loads(text)) == text
    assert equal(decode(text.encode()), value)


@given(NUMBERS)
@example(2**53 + 1)
@example(-(2**63))
@example(3.0)
@example(-0.0)
def test_integral_numbers_are_written_without_a_fraction_and_keep_every_digit(number):
    text = encode(number)
    if isinstance(number, int):
        assert text == str(number)
    elif number.is_integer() and abs(number) <= 2**53:
        assert text == str(int(number))
    else:
        assert float(text) == number


@given(DECLARED, VALUES)
def test_what_a_type_takes_it_takes_again_unchanged(kind, value):
    for check in (conform, coerce):
        try:
            taken = check("input 'x'", kind, value)
        except ValueProblem:
            continue
        assert encode(check("input 'x'", kind, taken)) == encode(taken)
        if kind is not ParameterType.STRING:
            assert equal(taken, value)
        if kind is ParameterType.NUMBER_INTEGER:
            assert encode(taken).lstrip("-").isdigit()


@given(VALUES)
def test_only_one_kind_of_type_takes_a_value_as_it_is(value):
    numbers = {ParameterType.NUMBER_INTEGER, ParameterType.NUMBER_DOUBLE}
    structs = {ParameterType.STRUCT, ParameterType.TASK_FINAL_STATUS, ParameterType.TASK_CONFIG}
    takers = set()
    for kind in ParameterType:
        try:
            conform("x", kind, value)
        except ValueProblem:
            continue
        takers.add(kind)
    if value is None:
        assert takers == set()
    elif isinstance(value, bool | str | list):
        assert len(takers) == 1
    elif isinstance(value, dict):
        assert takers == structs
    else:
        assert takers == (numbers if float(value).is_integer() else {ParameterType.NUMBER_DOUBLE})


@given(DECLARED, VALUES)
def test_a_file_with_a_values_text_gives_the_value(kind, value):
    try:
        value = conform("x", kind, value)
    except ValueProblem:
        return
    assert equal(read_output_file("x", kind, text_of(value).encode()), value)


@settings(max_examples=50)
@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_a_bag_is_the_same_in_all_its_forms(values):
    bag = Bag(values, {})
    again = Bag.of_message(ev.Values.FromString(bag.message().SerializeToString()))
    texts = Bag.of_texts(dict(bag.texts()), {})
    for name, value in values.items():
        for one in (bag, again, texts):
            assert equal(one.parameter(name), value)
            assert one.text(name) == (None if value is None else encode(value))
    assert again.message() == texts.message() == bag.message()


@given(st.dictionaries(TEXTS, LARGE_KINDS, max_size=3))
def test_references_pass_through_a_bag(values):
    held = {name: reference(value) for name, value in values.items()}
    again = Bag.of_message(ev.Values.FromString(Bag(held, {}).message().SerializeToString()))
    assert dict(again.parameters()) == dict(again.texts()) == held


@given(st.integers(INLINE_BYTES - 4, INLINE_BYTES + 4), st.sampled_from(["x", "ü", "€", "🎉"]))
def test_the_border_is_32_kib_of_utf8(size, letter):
    text = encode((letter * size)[: size // len(letter.encode())])
    assert is_large(text) == (len(text.encode()) > INLINE_BYTES)


@settings(max_examples=50)
@given(DECLARED | st.none(), LARGE_KINDS, st.lists(LARGE_KINDS, max_size=2))
def test_a_reference_is_judged_as_its_content_would_be(kind, value, literals):
    """But for literals: no literal is as large as what is referenced."""
    literals = [one for one in literals if not equal(one, value)]
    try:
        as_it_is = passes("input 'x'", kind, reference(value), literals)
    except ValueProblem:
        with pytest.raises(ValueProblem, match="input 'x' "):
            check_literals("input 'x'", coerce("input 'x'", kind, value), literals)
        return
    if as_it_is:
        assert equal(coerce("input 'x'", kind, value), value)
    else:
        assert kind is ParameterType.STRING
        assert not isinstance(value, str)


PARTS = st.lists(
    st.tuples(st.sampled_from(["text", "stored", "elements"]), st.lists(VALUES, min_size=1, max_size=3)), max_size=6
)


@settings(max_examples=50)
@given(PARTS)
def test_a_list_in_parts_is_the_list(parts):
    contents: dict[str, str] = {}
    made, whole = [], []
    for form, values in parts:
        ref = reference(values)
        contents[ref.uri] = encode(values)
        if form == "elements":
            whole += values
            made.append(Elements(ref))
        else:
            whole.append(values)
            made.append(ref if form == "stored" else encode(values))
    text, content = list_of(ROOT, made)
    if isinstance(text, str):
        assert text == encode(whole)
        return
    assert isinstance(content, Joined)
    written = joined(content, contents.__getitem__)
    assert written == encode(whole)
    assert (text.size, text.type) == (len(written.encode()), "LIST")
    assert list_of(ROOT, made) == (text, content)
    assert text != list_of(ROOT, [*made, "1"])[0]
