"""G12: optional inputs that go unset through groups."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G12",
    "Optional inputs, unset, handed on through two pipelines",
    kfp="the inner reference fails, because a null input of a DAG is not stored; so does an optional artifact that is absent",
    here="absent and null are one thing at every depth: the default of whoever has one, else nothing",
)


def test_the_default_of_the_innermost_task_takes_its_place(gaps):
    view = gaps.run("g12")
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "fallback"})
    assert view.tasks["outer/inner/look"].outputs["said"] == "nothing"


def test_a_value_goes_the_same_way(gaps):
    assert gaps.run("g12", text="given").outputs == {"Output": "given"}
