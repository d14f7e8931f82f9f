"""G35: Collected of skipped iterations and of empty loops."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G35",
    "Collected of an empty loop, and of one whose producer was skipped",
    kfp="the consumer of an empty loop fails; a producer that was skipped crashes its driver",
    here="one flat list of what there is (ADR 0004): skipped iterations are left out, `[]` where there is none",
)


def test_skipped_iterations_are_left_out(gaps):
    view = gaps.run("g35", items=[1, 2, 3])
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "[2,3]"})
    assert len(view.tasks["for-loop-1"].outputs) == 2
    assert [len(one) for one in view.tasks["for-loop-1"].outputs.values()] == [2, 2]


def test_an_empty_loop_collects_an_empty_list(gaps):
    view = gaps.run("g35", items=[])
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "[]"})
