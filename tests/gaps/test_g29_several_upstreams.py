"""G29: exit tasks with several upstreams, and several of them on one."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G29",
    "Tolerant tasks with several upstreams, and several of them on one",
    kfp="runs once for each upstream, even at the same time; of two on one upstream only the last runs",
    here="each runs once, after all that it waits for",
)


def test_each_runs_once(gaps):
    view = gaps.run("g29")
    assert view.state == "FAILED"
    assert {path: task.state for path, task in view.tasks.items()} == {
        "work": "FAILED",
        "work-2": "SUCCEEDED",
        "tidy": "SUCCEEDED",
        "tidy-2": "SUCCEEDED",
    }
