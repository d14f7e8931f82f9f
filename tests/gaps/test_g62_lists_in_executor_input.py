"""G62: lists of artifacts as inputs."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G62",
    "All artifacts of a list",
    kfp="all are downloaded, and placeholders show the first alone",
    here="the ExecutorInput names every one with a local path; placeholders of a single path mean the first",
)


def test_every_artifact_of_a_list_can_be_read(gaps):
    view = gaps.run("g62")
    assert view.state == "SUCCEEDED", view.error
    assert view.outputs["Output"] == {"texts": ["a", "b", "c"], "first": "a"}
