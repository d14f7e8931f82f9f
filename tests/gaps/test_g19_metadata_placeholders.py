"""G19: metadata of artifacts in arguments."""

from __future__ import annotations

import json

from gaps.gap import Gap

GAP = Gap(
    "G19",
    "Metadata of artifacts in arguments",
    kfp="`.metadata` placeholders are never filled",
    here="one entry as its text, the whole as JSON",
)


def test_entries_and_the_whole_are_put_in(gaps):
    view = gaps.run("g19")
    assert view.state == "SUCCEEDED"
    rows, tags, whole, none = view.outputs["Output"].split("|")
    assert (rows, tags, none) == ("3", '["a"]', "")
    assert json.loads(whole).items() >= {"rows": 3, "tags": ["a"]}.items()
