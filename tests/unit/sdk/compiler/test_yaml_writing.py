"""YAML of packages: what is written reads back the same, in readable blocks, the same bytes each time."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as some

from headrace.compiler.yaml_writing import YamlWriter

texts = some.text(some.characters(codec="utf-8"), max_size=40) | some.sampled_from(
    [
        "yes",
        "~",
        "1",
        "2.1.0",
        "a: b",
        "a #b",
        "- a",
        "a\n",
        "\na",
        " a\nb",
        "a\n\n",
        "a \n\tb\n",
        "x" * 2000,
        "0x1f",
        "1e3",
        "=",
        "<<",
        "é\u2028\x85",
    ]
)
scalars = some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | texts
values = some.recursive(
    scalars, lambda inner: some.lists(inner, max_size=4) | some.dictionaries(texts, inner, max_size=4), max_leaves=20
)


@given(some.dictionaries(texts, values, max_size=5))
def test_what_is_written_reads_back_the_same(document):
    written = YamlWriter().document(document)
    assert yaml.safe_load(written) == document
    assert YamlWriter().document(dict(reversed(document.items()))) == written


def test_what_is_shared_is_written_wherever_it_is_used():
    command = ["sh", "-c", "one\ntwo\n"]
    document = {"a": {"command": command}, "b": {"deeper": {"command": command}}, "c": [command, command]}
    assert yaml.safe_load(YamlWriter().document(document)) == document


def test_programs_are_blocks_and_keys_are_sorted():
    document = {
        "b": {"args": ["run", "\ndef f():\n    return 'x'\n"]},
        "a": {"list": [{"z": 1, "x": {}}], "empty": [], "version": "2.1.0"},
    }
    assert YamlWriter().document(document) == (
        "a:\n  empty: []\n  list:\n  - x: {}\n    z: 1\n  version: 2.1.0\n"
        "b:\n  args:\n  - run\n  - |2\n\n    def f():\n        return 'x'\n"
    )
