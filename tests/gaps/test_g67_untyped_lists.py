"""G67: loops over lists whose items have no declared type."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G67",
    "A loop over a `list` that says nothing of its items",
    kfp="the item becomes a text, so that a task which takes an int, float, bool, list or dict fails: got string",
    here="the item stays what it is, and each task that takes it decides; an item that does not fit fails its task alone",
)


def test_each_task_gets_the_item_as_what_it_takes(gaps):
    view = gaps.run("g67")
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": ["40 3 True 20", "40 5 True 20"]})


def test_an_item_that_does_not_fit_fails_its_task(gaps):
    view = gaps.run("g67", numbers=[2, "3 pieces"])
    doubled = {path: task for path, task in view.tasks.items() if path.endswith("/double")}
    said = [task.error for task in doubled.values() if task.state == "FAILED"]
    assert view.state == "FAILED"
    assert sorted(task.state for task in doubled.values()) == ["FAILED", "FAILED", "SUCCEEDED", "SUCCEEDED"]
    assert set(said) == {"task 'double': input 'number' expects NUMBER_INTEGER, got STRING \"3 pieces\""}
