"""G20: artifacts as a whole in arguments."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G20",
    "Whole artifacts and lists of them in arguments",
    kfp="the placeholder is never filled",
    here="JSON of the artifacts, with types, and with URIs that the program can open",
)


def test_a_program_reads_every_artifact_that_it_is_given(gaps):
    view = gaps.run("g20")
    assert view.state == "SUCCEEDED", view.error
    assert view.outputs["Output"] == {"read": [["a", "b", "c"], ["single"]], "kinds": ["system.Dataset"]}
