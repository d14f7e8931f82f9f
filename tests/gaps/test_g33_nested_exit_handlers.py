"""G33: exit handlers inside groups and loops."""

from __future__ import annotations

import json

from builders.specs import container, dag, dag_input, final_status, pipeline
from gaps.gap import Gap
from gaps.shells import given, told

GAP = Gap(
    "G33",
    "Exit handlers at any depth",
    kfp="the SDK forbids them outside the root, though the IR has them anywhere",
    here="in any DAG: in a loop each iteration has its own, told of its own",
)


def test_exit_handlers_in_iterations_and_round_them(gaps):
    work = container(["sh", "-ec", 'test "$0" != bad', given("x")], inputs={"x": "STRING"})
    body = dag({"item": "STRING"}).task("work", work, {"x": dag_input("item")})
    body.task("inner-exit", told(), {"status": final_status("work")}, on_completion=True)
    flow = pipeline("g33").task("loop", body, items='["good", "bad"]')
    flow.task("outer-exit", told(), {"status": final_status("loop")}, on_completion=True)
    view = gaps.run(flow)

    def state(path: str) -> str:
        return json.loads(view.tasks[path].outputs["Output"])["state"]

    assert [state(one) for one in ("loop[0]/inner-exit", "loop[1]/inner-exit", "outer-exit")] == [
        "SUCCEEDED",
        "FAILED",
        "FAILED",
    ]
    assert (view.state, view.tasks["loop[0]"].state, view.tasks["loop[1]"].state) == ("FAILED", "SUCCEEDED", "FAILED")
