"""G13: null into conditions and loops."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G13",
    "A null goes into a condition or a loop",
    kfp="fails, because the SDK declares the inputs of these groups as required",
    here="inputs of groups are optional always; a null is judged where it is used",
)


def test_what_is_inside_takes_its_own_default(gaps):
    view = gaps.run("g13")
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": ["fallback"]})
    assert view.tasks["condition-1/say"].outputs == {"said": "fallback"}
