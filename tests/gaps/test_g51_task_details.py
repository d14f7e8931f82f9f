"""G51: what KFP's API says of a run's tasks."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G51",
    "The details of tasks in the run API",
    kfp="inputs, outputs, error, execution_id, executor_detail and parent_task_id stay empty; entries are the engine's steps, "
    "drivers included",
    here="one entry for each task, group and iteration, with all of these; pod_name alone stays empty, because a task need not "
    "have a Pod",
)


def test_each_task_is_told_whole(gaps):
    run_id = gaps.start("g51", enable_cache=False)
    assert gaps.view(run_id).state == "FAILED"
    shown = gaps.platform.get(f"/apis/v2beta1/runs/{run_id}")
    details = {one["display_name"]: one for one in shown["run_details"]["task_details"]}
    assert set(details) == {"inner", "write", "read"}
    inner, write, read = details["inner"], details["write"], details["read"]
    assert {one["run_id"] for one in details.values()} == {run_id}
    assert len({int(one["execution_id"]) for one in details.values()}) == 3
    assert write["parent_task_id"] == inner["task_id"]
    assert inner["child_tasks"] == [{"task_id": write["task_id"]}]
    (made,) = write["outputs"]["data"]["artifact_ids"]
    assert int(made) > 0
    assert inner["outputs"]["Output"]["artifact_ids"] == read["inputs"]["data"]["artifact_ids"] == [made]
    assert (inner["state"], write["state"], read["state"]) == ("SUCCEEDED", "SUCCEEDED", "FAILED")
    assert "exit code 3" in read["error"]["message"]
    assert read["executor_detail"] == {"main_job": "read#2", "failed_main_jobs": ["read#1", "read#2"]}
    assert [one["state"] for one in read["state_history"]] == ["PENDING", "RUNNING", "FAILED"]
    for one in details.values():
        assert one["create_time"] <= one["start_time"] <= one["end_time"]
