"""G59: texts in conditions, as the SDK writes them."""

from __future__ import annotations

import pytest

from gaps.gap import Gap

GAP = Gap(
    "G59",
    "Quotes in the SDK's conditions",
    kfp="the SDK escapes neither quotes nor line ends, so such a condition fails its task; a cast in quotes is a text",
    here="read as the SDK means it, with a warning; a cast in quotes is a text as in CEL",
)


@pytest.mark.parametrize(
    ("text", "said"),
    [("it's", "a quote"), ("two\nlines, isn't it", "two lines"), ("else", "neither"), ("3", "neither")],
)
def test_texts_are_compared_as_they_were_written(gaps, text, said):
    view = gaps.run("g59", text=text)
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": said})
    assert view.tasks["condition-5"].state == "SKIPPED"


def test_a_warning_names_each_condition(gaps):
    warnings = gaps.warnings("g59")
    assert len(warnings) == 3
    assert all("triggerPolicy.condition: holds a quote or line end that is not escaped" in one for one in warnings)
