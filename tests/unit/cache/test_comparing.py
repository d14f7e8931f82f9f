"""What differs between two keys: the first field by their order, with both values; and which entry is the nearest."""

from __future__ import annotations

import pytest

from headrace_cache.comparing import NONE, Difference, closeness, first_difference, nearest

OURS = {"namespace": "a", "image": "python:3.11", "args": ["x", "y"], "parameters": {"lr": "0.1", "n": "1"}}


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({}, Difference("namespace", "a", "")),
        ({"image": "python:3.12", "parameters": {}}, Difference("image", "python:3.11", "python:3.12")),
        ({"args": ["x", "z"]}, Difference("args[1]", "y", "z")),
        ({"args": ["x", "y", "z"]}, Difference("args[2]", "", "z")),
        ({"args": None}, Difference("args[0]", "x", "")),
        ({"parameters": {"lr": "0.1"}}, Difference("parameters.n", "1", "")),
        ({"parameters": {"lr": "0.1", "n": "1", "z": "2"}}, Difference("parameters.z", "", "2")),
        ({"context": {"env A": "secret s k"}}, Difference("context.env A", "", "secret s k")),
        ({"custom_key": "k"}, Difference("custom_key", "", "k")),
    ],
)
def test_the_first_field_that_differs(theirs, expected):
    other = {name: value for name, value in {**OURS, **theirs}.items() if value is not None} if theirs else {}
    assert first_difference(OURS, other) == expected


def test_nothing_differs():
    assert first_difference(OURS, dict(OURS)) == NONE


def test_a_long_value_is_shown_by_its_digest():
    told = first_difference({"command": ["x" * 300]}, {"command": ["y"]})
    assert told.ours.startswith("300 characters, sha256:")
    assert told.theirs == "y"


def test_the_nearest_agrees_most_and_of_several_is_the_first():
    far = {"namespace": "a"}
    near = {"namespace": "a", "parameters": {"lr": "0.1", "n": "2"}}
    assert closeness(OURS, far) == 1
    assert closeness(OURS, near) == 2
    assert nearest(OURS, [("far", far), ("near", near), ("later", dict(near))]) == ("near", near)
    assert nearest(OURS, []) is None
