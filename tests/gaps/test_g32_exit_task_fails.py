"""G32: an exit task that fails."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G32",
    "An exit task that fails",
    kfp="the run succeeds all the same",
    here="fails its DAG, and so the run",
)


def test_the_run_fails(gaps):
    view = gaps.run("g32")
    assert (view.state, view.tasks["exit-handler-1"].state, view.tasks["work"].state) == (
        "FAILED",
        "SUCCEEDED",
        "FAILED",
    )
    assert view.error.startswith("task 'work' failed: exit code 3")
