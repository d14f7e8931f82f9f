"""G31: tasks that depend on exit tasks."""

from __future__ import annotations

from builders.specs import final_status, output, pipeline
from gaps.gap import Gap
from gaps.shells import fail, given, say, shell, told

GAP = Gap(
    "G31",
    "A task that depends on an exit task",
    kfp="the run cannot be created",
    here="an ordinary dependency",
)


def test_it_runs_after_the_exit_task_with_its_output(gaps):
    flow = pipeline("g31").task("work", say("x"))
    flow.task("exit", told(), {"status": final_status("work")}, on_completion=True)
    flow.task("last", shell('printf "last: %s" "$1" > "$0"', given("x"), x="STRING"), {"x": output("exit")})
    view = gaps.run(flow.returns("Output", "last"))
    assert view.state == "SUCCEEDED"
    assert view.outputs["Output"].startswith("last: {")


def test_it_is_skipped_where_the_exit_task_fails(gaps):
    flow = pipeline("g31-fails").task("work", say("x"))
    flow.task("exit", fail(), after=["work"], on_completion=True).task("last", say("x"), after=["exit"])
    view = gaps.run(flow)
    assert [view.tasks[one].state for one in ("exit", "last")] == ["FAILED", "SKIPPED"]
