"""G22: a null among a task's inputs."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G22",
    "A null among the inputs",
    kfp="no placeholder of the task is filled any more, without a word",
    here="a null is empty text, and everything else is filled",
)


def test_a_null_is_empty_text_and_nothing_more(gaps):
    view = gaps.run("g22")
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "here||data"})
