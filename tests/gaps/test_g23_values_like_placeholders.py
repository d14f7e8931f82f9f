"""G23: values that look like placeholders."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G23",
    "Values that look like placeholders",
    kfp="replaced one after the other in an undefined order, so that a value may be expanded itself",
    here="one pass from left to right over what the pipeline says; a value is never looked at again",
)


def test_a_value_is_never_expanded(gaps):
    a, b = "{{$.inputs.parameters['b']}}{{$}}", "{{$.inputs.parameters['a']}}"
    view = gaps.run("g23", a=a, b=b)
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": f"{a}+{b}"})
