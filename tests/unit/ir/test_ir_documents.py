"""YAML and JSON text: exact numbers, limits, refusals."""

from __future__ import annotations

import math

import pytest

from headrace_ir import documents
from headrace_ir.documents import read_json, read_yaml
from headrace_ir.problems import SpecError


def refusal(data: bytes, read=read_yaml) -> str:
    with pytest.raises(SpecError) as caught:
        read(data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9007199254740993", 9007199254740993),
        ("1.0", 1.0),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("0x1F", 31),
        ("010", 8),
        ("1_000", 1000),
        ("08", 8.0),
        ("yes", True),
        ("off", False),
        ("~", None),
        ("", None),
        ("2026-11-21", "2026-11-21"),
        ("12:30:00", "12:30:00"),
        ("1.2.3", "1.2.3"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!float 12", 12.0),
        ("!!int '12'", 12),
        ("=", "="),
        ("+", "+"),
    ],
)
def test_plain_scalars_become_exact_values(text, value):
    (document,) = read_yaml(f"a: {text}".encode())
    assert document["a"] == value
    assert type(document["a"]) is type(value)


def test_keys_become_text_as_in_json():
    assert read_yaml(b"{1: a, true: b, 1.5: c}") == [{"1": "a", "true": "b", "1.5": "c"}]


def test_documents_come_in_order_and_empty_ones_are_none():
    assert read_yaml(b"a: 1\n---\n---\n- 2\n") == [{"a": 1}, None, [2]]
    assert read_yaml(b"# nothing\n") == []


def test_anchors_and_merge_keys_work():
    text = b"base: &b {x: 1, y: 2}\nderived: {<<: *b, y: 3}\nlist: {<<: [*b, {z: 4}]}\nquoted: {'<<': 5}"
    (document,) = read_yaml(text)
    assert document["derived"] == {"x": 1, "y": 3}
    assert document["list"] == {"x": 1, "y": 2, "z": 4}
    assert document["quoted"] == {"<<": 5}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' is given twice"),
        ("a: [1", "not readable as YAML: line 2: did not find expected"),
        ("a: .nan", "line 1: .nan is not a finite number"),
        ("a: 1e999", "1e999 is not a finite number"),
        ("a: !!python/object:os.system x", "the tag tag:yaml.org,2002:python/object:os.system is not supported"),
        ("a: !thing {}", "the tag !thing is not supported"),
        ("a: !!int x", "'x' does not fit the tag"),
        ("a: &x [*x]", "the alias *x names nothing that is complete before it"),
        ("a: *nowhere", "nowhere"),
        ("? [1]\n: 2", "a key must be text"),
        ("? \n: 2", "a key must be text"),
        ("{<<: 3}", "'<<' takes a mapping"),
        ("a: \x00", "not readable as YAML"),
        ("[" * 300, "values are nested more than 200 deep"),
    ],
)
def test_yaml_refusals_name_line_and_reason(text, sentence):
    assert sentence in refusal(text.encode())


def test_all_keys_that_are_given_twice_are_named():
    assert refusal(b"a: 1\na: 2\nb: {c: 1, c: 2}\n") == (
        "2 problems in this pipeline:\n  not readable as YAML: line 2: the key 'a' is given twice\n"
        "  not readable as YAML: line 3: the key 'c' is given twice"
    )


def test_bytes_that_are_not_text_are_refused():
    assert "not readable as YAML" in refusal(b"\xff\xfe\x00\x00\xff")


def test_an_alias_bomb_is_refused_before_it_grows(monkeypatch):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "the file holds more than 2,000,000 values" in refusal("\n".join(lines).encode())
    monkeypatch.setattr(documents, "MAX_VALUES", 5)
    assert "more than 5 values" in refusal(b"[1, 2, 3, 4, 5]")


def test_json_keeps_integers_and_floats_apart():
    value = read_json(b'\xef\xbb\xbf{"a": 9007199254740993, "b": 1.0}')
    assert value == {"a": 9007199254740993, "b": 1.0}
    assert isinstance(value["b"], float)
    assert math.isfinite(value["b"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b'{"a": 1, "a": 2}', "the key 'a' is given twice"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": 1e999}', "1e999 is too large a number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number has too many digits"),
        (b"{", "line 1:"),
        (b"\xff", "the file is not UTF-8 text"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_json_refusals(text, sentence):
    assert sentence in refusal(text, read_json)
