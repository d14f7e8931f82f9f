"""G1: loops over artifacts."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G1",
    "Loops over a list of artifacts",
    kfp="refused when the run is created, though the SDK compiles them",
    here="run as loops over parameters do, one artifact for each iteration, with parallelism limit and Collected",
)


def test_each_iteration_gets_its_artifact_and_theirs_are_collected(gaps):
    view = gaps.run("g1")
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": ["aa", "bb", "cc"]})
