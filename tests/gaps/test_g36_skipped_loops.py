"""G36: loops whose condition is false."""

from __future__ import annotations

from builders.specs import dag, pipeline
from gaps.gap import Gap
from gaps.shells import say

GAP = Gap(
    "G36",
    "A loop whose condition is false",
    kfp="counts as a success, so what depends on it runs",
    here="is skipped, and what depends on it too",
)


def test_the_loop_and_its_dependents_are_skipped(gaps):
    body = dag({"item": "STRING", "x": "STRING"}).task("work", say("x"))
    flow = pipeline("g36")
    flow.task("loop", body, {"x": "no"}, items='["a"]', when="inputs.parameter_values['x'] == 'yes'")
    view = gaps.run(flow.task("after", say("x"), after=["loop"]))
    assert view.state == "SUCCEEDED"
    assert {path: task.state for path, task in view.tasks.items()} == {"loop": "SKIPPED", "after": "SKIPPED"}
