"""G52: retrying a run. The other half of this gap, changing a recurring run, comes with recurring runs."""

from __future__ import annotations

import json
import urllib.request

import pytest

from builders.specs import container, dag, dag_input, output, pipeline
from gaps.gap import Gap
from gaps.shells import OUTPUT, given, say
from headrace.errors import WrongState

GAP = Gap(
    "G52",
    "Retrying a run, and changing a recurring one",
    kfp="a retry is impossible where the engine's last report was lost, and a recurring run cannot be changed",
    here="a retry needs nothing but the database: what failed or was cancelled runs again in the same run, with its attempts "
    "kept and numbered on; changing a recurring run is open and comes with recurring runs",
)


@pytest.mark.parametrize("route", ["/apis/v2beta1/runs/{}:retry", "/apis/headrace.v1/runs/{}:retry"])
def test_what_failed_runs_again_and_nothing_else(gaps, tmp_path, route):
    counter, needed = tmp_path / "counter", tmp_path / "needed"
    run_id = gaps.start("g52", {"counter": str(counter), "needed": str(needed)}, enable_cache=False)
    assert gaps.view(run_id).state == "FAILED"
    before = {one.path: one for one in gaps.client.tasks(run_id)}
    assert sorted(counter.read_text().split()) == ["a", "b", "before"]
    needed.touch()
    url = gaps.platform.url + route.format(run_id)
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30) as answer:
        json.load(answer)
    view = gaps.view(run_id)
    assert view.state == "SUCCEEDED"
    assert sorted(counter.read_text().split()) == ["a", "b", "b", "before"]
    after = {one.path: one for one in gaps.client.tasks(run_id)}
    assert after.keys() == before.keys()
    numbers = {
        path: [(one.number, one.state) for one in task.attempts] for path, task in after.items() if task.attempts
    }
    assert numbers == {
        "step": [(1, "SUCCEEDED")],
        "for-loop-2[0]/step-2": [(1, "SUCCEEDED")],
        "for-loop-2[1]/step-2": [(1, "FAILED"), (2, "SUCCEEDED")],
    }
    states = [one["state"] for one in gaps.platform.get(f"/apis/v2beta1/runs/{run_id}")["state_history"]]
    assert states == ["PENDING", "RUNNING", "FAILED", "RUNNING", "SUCCEEDED"]
    shown = gaps.platform.get(f"/apis/v2beta1/runs/{run_id}")["run_details"]["task_details"]
    histories = [[turn["state"] for turn in one["state_history"]] for one in shown if one["display_name"] == "step-2"]
    once = ["PENDING", "RUNNING", "SUCCEEDED"]
    assert sorted(histories, key=len) == [once, ["PENDING", "RUNNING", "FAILED", *once]]
    with pytest.raises(WrongState, match="SUCCEEDED: there is nothing to retry"):
        gaps.client.runs.retry(run_id)


def test_a_loop_that_comes_after_what_runs_again_goes_over_its_new_items(gaps, tmp_path):
    """It had ended well, with what the failure before it left it."""
    needed = tmp_path / "needed"
    first = container(["sh", "-ec", 'test -e "$1"; printf \'["new"]\' > "$0"', OUTPUT, str(needed)])
    tolerant = container(["sh", "-ec", 'printf %s "$1" > "$0"', OUTPUT, given("x")])
    tolerant.input("x", "LIST", default=["old", "older"]).output("Output", "LIST")
    body = dag({"item": "STRING", "items": "LIST"}).task("say", say(given("x")).input("x"), {"x": dag_input("item")})
    flow = pipeline("g52-groups").task("first", first.output("Output", "LIST"))
    flow.task("tolerant", tolerant, {"x": output("first")}, on_completion=True)
    flow.task("loop", body.returns("Output", "say", type_="LIST"), {"items": output("tolerant")}, over="items")
    flow.returns("said", "loop", type_="LIST")
    run_id = gaps.start(flow, enable_cache=False)
    assert (gaps.view(run_id).state, gaps.view(run_id).outputs) == ("FAILED", {"said": ["old", "older"]})
    needed.touch()
    gaps.client.runs.retry(run_id)
    view = gaps.view(run_id)
    assert (view.state, view.outputs) == ("SUCCEEDED", {"said": ["new"]})
    states = {path: task.state for path, task in view.tasks.items()}
    assert (states["loop[0]/say"], states["loop[1]"], states["loop[1]/say"]) == ("SUCCEEDED", "SKIPPED", "SKIPPED")
