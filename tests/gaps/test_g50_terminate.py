"""G50: a run that a user terminates."""

from __future__ import annotations

import json
import urllib.request

from gaps.gap import Gap

GAP = Gap(
    "G50",
    "A run that is terminated",
    kfp="ends FAILED; CANCELED, PAUSED and SKIPPED are never used, and CANCELING is not in the history",
    here="goes by CANCELING to CANCELED, each transition with its time in the history; exit tasks run before the end where the "
    "caller wants them to (`run_exit_tasks`), and are told CANCELLED",
)


def at_work(gaps) -> str:
    """A run whose `work` has started."""
    run_id = gaps.start("g50", enable_cache=False)
    for seen in gaps.client.watch(run_id):
        if any(task.key == "work" and task.state == "RUNNING" for task in seen.tasks.values()):
            return run_id
    raise AssertionError("the run ended before its work began")


def history(gaps, run_id: str) -> list[str]:
    shown = gaps.platform.get(f"/apis/v2beta1/runs/{run_id}")
    times = [one["update_time"] for one in shown["state_history"]]
    assert times == sorted(times)
    return [one["state"] for one in shown["state_history"]]


def test_it_ends_canceled_and_its_history_says_how(gaps):
    run_id = at_work(gaps)
    url = f"{gaps.platform.url}/apis/v2beta1/runs/{run_id}:terminate"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30) as answer:
        assert json.load(answer) == {}
    view = gaps.view(run_id)
    assert view.state == "CANCELED"
    assert {path: task.state for path, task in view.tasks.items()} == {
        "exit-handler-1": "CANCELED",
        "exit-handler-1/work": "CANCELED",
        "tidy": "CANCELED",
    }
    assert history(gaps, run_id) == ["PENDING", "RUNNING", "CANCELING", "CANCELED"]


def test_exit_tasks_run_where_they_are_wanted(gaps):
    run_id = at_work(gaps)
    url = f"{gaps.platform.url}/apis/headrace.v1/runs/{run_id}:terminate?run_exit_tasks=true"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30) as answer:
        assert json.load(answer)["state"] == "RUN_CANCELING"
    view = gaps.view(run_id)
    assert (view.state, view.tasks["exit-handler-1"].state) == ("CANCELED", "CANCELED")
    told = json.loads(view.tasks["tidy"].outputs["told"])
    assert (told["state"], told["pipelineTaskName"]) == ("CANCELLED", "exit-handler-1")
    assert history(gaps, run_id) == ["PENDING", "RUNNING", "CANCELING", "CANCELED"]
