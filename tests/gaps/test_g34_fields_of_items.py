"""G34: loops over a field of an item."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G34",
    "A loop over a field of another loop's item, and a body that reads the whole list",
    kfp="fails: selectors are applied again in each iteration, and the list is gone inside the loop",
    here="selectors are applied once; the list stays visible in the body",
)


def test_the_inner_loop_goes_over_the_field_and_sees_all_of_it(gaps):
    view = gaps.run("g34")
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": ["a1 of [1,2]", "a2 of [1,2]", "b3 of [3]"]})
