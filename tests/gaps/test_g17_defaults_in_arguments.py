"""G17: arguments that refer to an input whose default applies."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G17",
    "Arguments that name an input with a default",
    kfp="an error where the task does not give the input: defaults are applied after arguments are filled",
    here="defaults are applied first",
)


def test_the_default_is_put_in(gaps):
    view = gaps.run("g17")
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "100 given"})
