"""G26: what an exit task is told."""

from __future__ import annotations

import json

from builders.specs import dag, final_status, pipeline
from gaps.gap import Gap
from gaps.shells import fail, say, told

GAP = Gap(
    "G26",
    "The final status of a task",
    kfp="words of its metadata store (COMPLETE), an empty error, RUNNING for groups, and always of the first dependency",
    here="SUCCEEDED, FAILED, CANCELLED or SKIPPED, with code and message of what failed, of the task that is named",
)


def test_the_documented_words_of_the_task_that_is_named(gaps):
    group = dag().task("inner", fail())
    flow = pipeline("g26").task("a", say("x")).task("b", group)
    flow.task("of-a", told(), {"status": final_status("a")}, after=["b"], on_completion=True)
    flow.task("of-b", told(), {"status": final_status("b")}, after=["a"], on_completion=True)
    view = gaps.run(flow)
    of_a, of_b = (json.loads(view.tasks[one].outputs["Output"]) for one in ("of-a", "of-b"))
    assert (of_a["state"], of_a["error"], of_a["pipelineTaskName"]) == ("SUCCEEDED", {}, "a")
    assert (of_b["state"], of_b["pipelineTaskName"]) == ("FAILED", "b")
    assert of_b["error"] == {"code": 3, "message": "task 'b/inner' failed: exit code 3"}
