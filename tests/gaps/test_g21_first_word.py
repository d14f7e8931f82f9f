"""G21: placeholders in the first word of a command."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G21",
    "Placeholders in the first word of a command",
    kfp="only the whole ExecutorInput is filled there",
    here="the first word is like all others",
)


def test_the_program_may_be_an_input(gaps):
    view = gaps.run("g21", program="sh")
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "run by sh"})
