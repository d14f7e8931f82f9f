"""Keys: everything that changes a task's result changes its key, and nothing else does."""

from __future__ import annotations

import pytest

from headrace_cache.fingerprint import FIELDS, canonical, fingerprint
from headrace_protos.v1 import cache_pb2


def ingredients(**changes) -> cache_pb2.Ingredients:
    made = cache_pb2.Ingredients(
        namespace="default",
        pipeline_name="p",
        component="comp-train",
        image="python:3.11",
        command=["sh", "-c"],
        args=["{{$}}"],
        env={"A": "1"},
        parameters={"lr": "0.1"},
        output_parameters={"Output": "STRING"},
    )
    made.artifacts["data"].contents.append("sha256:1")
    for name, value in changes.items():
        field = getattr(made, name)
        if isinstance(value, dict):
            field.update(value)
        elif isinstance(value, list):
            field.extend(value)
        else:
            setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    "changes",
    [
        {"namespace": "other"},
        {"context": {"env PASSWORD": "secret login password"}},
        {"pipeline_name": "q"},
        {"image": "python:3.12"},
        {"command": ["more"]},
        {"args": ["more"]},
        {"env": {"A": "2"}},
        {"parameters": {"lr": "0.2"}},
        {"parameters": {"new": "null"}},
        {"output_parameters": {"Output": "LIST"}},
        {"output_artifacts": {"model": "system.Model@0.0.1"}},
        {"custom_key": "mine"},
        {"image_digest": "sha256:1"},
        {"versions": {"file:///data.csv": "sha256:1"}},
    ],
)
def test_each_ingredient_counts(changes):
    assert fingerprint(ingredients(**changes)) != fingerprint(ingredients())


def test_content_of_an_input_artifact_counts():
    other = ingredients()
    other.artifacts["data"].contents[0] = "sha256:2"
    assert fingerprint(other) != fingerprint(ingredients())


def test_order_of_maps_does_not_count():
    one, two = ingredients(), ingredients()
    one.parameters.update({"a": "1", "b": "2"})
    two.parameters.update({"b": "2", "a": "1"})
    assert fingerprint(one) == fingerprint(two)


def test_with_a_custom_key_only_the_place_counts():
    one = ingredients(custom_key="k")
    assert fingerprint(one) == fingerprint(ingredients(custom_key="k", image="python:3.12", parameters={"lr": "9"}))
    assert fingerprint(one) != fingerprint(ingredients(custom_key="k", namespace="other"))


def test_the_name_of_a_component_counts_with_a_key_of_ones_own_alone():
    assert fingerprint(ingredients(component="comp-train-2")) == fingerprint(ingredients())
    one, two = (ingredients(custom_key="k", component=name) for name in ("comp-train", "comp-train-2"))
    assert fingerprint(one) != fingerprint(two)


def test_every_field_has_its_place_in_comparisons():
    assert set(canonical(ingredients(output_artifacts={"m": "x"}, context={"a": "b"}, versions={"u": "v"}))) <= set(
        FIELDS
    )
    assert set(canonical(ingredients(custom_key="k"))) <= set(FIELDS)
