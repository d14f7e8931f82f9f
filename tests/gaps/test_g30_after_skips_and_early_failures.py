"""G30: exit tasks after what never started."""

from __future__ import annotations

import json

from builders.specs import final_status, output, pipeline
from gaps.gap import Gap
from gaps.shells import given, say, shell, told

GAP = Gap(
    "G30",
    "Exit tasks after an upstream that was skipped, or failed before it started",
    kfp="never run",
    here="run after any end of their upstream, and are told which it was",
)


def test_they_run_and_are_told(gaps):
    flow = pipeline("g30").task("text", say("{}"))
    takes = shell('printf %s "$1" > "$0"', given("x"), x="STRING")
    flow.task("skipped", takes, {"x": "tails"}, when="inputs.parameter_values['x'] == 'heads'")
    flow.task("fails", takes, {"x": output("text").field("name")})
    flow.task("one", told(), {"status": final_status("skipped")}, on_completion=True)
    flow.task("two", told(), {"status": final_status("fails")}, on_completion=True)
    view = gaps.run(flow)
    one, two = (json.loads(view.tasks[path].outputs["Output"]) for path in ("one", "two"))
    assert (one["state"], two["state"]) == ("SKIPPED", "FAILED")
    assert "there is no key 'name'" in two["error"]["message"]
