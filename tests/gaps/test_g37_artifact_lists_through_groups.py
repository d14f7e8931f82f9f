"""G37: lists of artifacts through inputs of DAGs."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G37",
    "A list of artifacts as the input of a nested pipeline",
    kfp="one element is left of it",
    here="the whole list, in order",
)


def test_the_nested_pipeline_gets_every_element(gaps):
    view = gaps.run("g37")
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": ["a", "b", "c"]})
