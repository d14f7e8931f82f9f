"""G64: exit tasks with conditions, loops and retries."""

from __future__ import annotations

from builders.specs import dag, final_status, pipeline
from gaps.gap import Gap
from gaps.shells import fail, given, shell, told

GAP = Gap(
    "G64",
    "An exit task with a condition, an iterator or retries",
    kfp="untested and partly unreachable: the hook passes the loop by",
    here="combined freely: it runs after all of its upstream if its condition holds, for each item, with its retries",
)
FAILED = "inputs.parameter_values['status']['state'] == 'FAILED'"
AGAIN = 'test -e "$1" && printf again > "$0" || { touch "$1"; exit 1; }'


def test_condition_iterator_and_retry_on_tasks_that_tolerate_failures(gaps, tmp_path):
    body = dag({"item": "STRING", "status": "TASK_FINAL_STATUS"})
    body.task("tell", shell('printf %s "$1" > "$0"', given("x"), x="STRING"), {"x": "{{$.pipeline_task_name}}"})
    flow = pipeline("g64").task("work", fail())
    status = {"status": final_status("work")}
    flow.task("loop", body, status, on_completion=True, when=FAILED, items='["a", "b"]')
    flow.task("never", told(), status, on_completion=True, when=f"!({FAILED})")
    again = shell(AGAIN, str(tmp_path / "mark"))
    flow.task("again", again, after=["work"], on_completion=True, retry={"maxRetryCount": 1, "backoffDuration": "0s"})
    view = gaps.run(flow)
    states = {path: task.state for path, task in view.tasks.items()}
    assert (states["loop[0]/tell"], states["loop[1]/tell"], states["never"]) == ("SUCCEEDED", "SUCCEEDED", "SKIPPED")
    assert (view.state, view.tasks["again"].outputs) == ("FAILED", {"Output": "again"})
