"""G38: states of groups whose tasks were cached, skipped or imported."""

from __future__ import annotations

from builders.specs import dag, importer, pipeline
from gaps.gap import Gap
from gaps.shells import say

GAP = Gap(
    "G38",
    "Groups whose tasks were all cached, skipped or importers",
    kfp="stay RUNNING for ever; OneOf over a cached branch fails",
    here="the scheduler alone owns states: a group ends with its last task",
)


def test_one_of_takes_a_branch_that_came_from_the_cache(gaps):
    for expected in (False, True):
        run_id = gaps.start("g38", {"coin": "tails"})
        view = gaps.view(run_id)
        assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "lost and lost"})
        cached = {task.path for task in gaps.client.tasks(run_id) if task.cached}
        assert any(path.endswith("/say-2") for path in cached) is expected
    states = {path: task.state for path, task in view.tasks.items()}
    assert set(states.values()) == {"SUCCEEDED", "SKIPPED"}


def test_groups_of_importers_and_of_skipped_tasks_end(gaps, tmp_path):
    (tmp_path / "data.txt").write_text("data")
    uri = (tmp_path / "data.txt").as_uri()
    group = dag().task("import", importer(uri), {"uri": uri})
    takes = say("x").input("x")
    skipped = dag().task("skips", takes, {"x": "no"}, when="inputs.parameter_values['x'] == 'yes'")
    view = gaps.run(
        pipeline("g38-groups").task("one", group).task("two", skipped).task("c", say("x"), after=["one", "two"])
    )
    assert (view.state, view.tasks["one"].state, view.tasks["two"].state) == ("SUCCEEDED",) * 3
