"""Our messages as KFP shows them."""

from __future__ import annotations

import json

from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2

from headrace_apiserver import convert, convert_runs
from headrace_apiserver.gateway.json_rules import message_to_json
from headrace_protos.kfp.v2beta1 import run_pb2
from headrace_protos.v1 import catalog_pb2, events_pb2, run_query_pb2
from headrace_protos.v1.run_store_pb2 import StorageState

SECOND = 1_000_000
T = 1_700_000_000 * SECOND + 999_999


def shown(message):
    return json.loads(message_to_json(message))


def ours(**changes):
    usual = {
        "run_id": "r1",
        "experiment_id": "e1",
        "display_name": "first",
        "state": events_pb2.RUN_PENDING,
        "storage_state": StorageState.AVAILABLE,
        "created_at_us": T,
        "history": [run_query_pb2.RunStateChange(time_us=T, state=events_pb2.RUN_PENDING)],
    }
    return run_query_pb2.Run(**{**usual, **changes})


def test_a_new_run_reads_as_kfp_answers_it():
    assert shown(convert_runs.run(ours(pipeline_id="p", pipeline_version_id="v"))) == {
        "experiment_id": "e1",
        "run_id": "r1",
        "display_name": "first",
        "storage_state": "AVAILABLE",
        "pipeline_version_reference": {"pipeline_id": "p", "pipeline_version_id": "v"},
        "service_account": "pipeline-runner",
        "created_at": "2023-11-14T22:13:20Z",
        "scheduled_at": "2023-11-14T22:13:20Z",
        "finished_at": "1970-01-01T00:00:00Z",
        "state": "PENDING",
        "state_history": [{"update_time": "2023-11-14T22:13:20Z", "state": "PENDING"}],
    }


def test_an_inline_spec_and_what_was_given_come_back():
    run = convert_runs.run(ours(parameters_json='{"a":1,"b":[true,null]}', pipeline_root="s3://x"), '{"root":{"k":2}}')
    got = shown(run)
    assert got["pipeline_spec"] == {"root": {"k": 2}}
    assert got["runtime_config"] == {"parameters": {"a": 1, "b": [True, None]}, "pipeline_root": "s3://x"}


def test_an_empty_parameters_object_is_shown_and_none_is_not():
    assert shown(convert_runs.run(ours(parameters_json="{}")))["runtime_config"] == {}
    assert "runtime_config" not in shown(convert_runs.run(ours()))


def test_a_failed_run_carries_its_error():
    error = events_pb2.Error(reason="DeadlineExceeded", message="the run took 3 h", log_tail="last")
    got = convert_runs.run(ours(state=events_pb2.RUN_FAILED, error=error, finished_at_us=T))
    assert got.state == run_pb2.FAILED
    assert (got.error.code, got.error.message) == (
        code_pb2.DEADLINE_EXCEEDED,
        "DeadlineExceeded: the run took 3 h\nlast",
    )


def task(path, task_id, **changes):
    usual = {
        "path": path,
        "task_id": task_id,
        "key": path.rpartition("/")[2],
        "state": events_pb2.TASK_SUCCEEDED,
        "created_at_us": T,
        "started_at_us": T + SECOND,
        "finished_at_us": T + 2 * SECOND,
    }
    return run_query_pb2.Task(**{**usual, **changes})


def test_each_task_instance_has_a_detail_with_parent_and_children():
    tasks = [
        task("loop", "t1", id=11),
        task("loop[0]", "t2", parent="loop", key="loop", iteration=0),
        task("loop[0]/train", "t3", parent="loop[0]", key="train"),
    ]
    loop, iteration, train = convert_runs.task_details("r1", tasks)
    assert (loop.execution_id, loop.parent_task_id, [c.task_id for c in loop.child_tasks]) == (11, "", ["t2"])
    assert (iteration.display_name, iteration.parent_task_id) == ("loop[0]", "t1")
    assert (train.parent_task_id, train.run_id, list(train.child_tasks)) == ("t2", "r1", [])
    assert [s.state for s in train.state_history] == [run_pb2.PENDING, run_pb2.RUNNING, run_pb2.SUCCEEDED]


def test_a_failed_task_names_its_attempts_and_its_error():
    attempts = [
        run_query_pb2.Attempt(number=1, state=events_pb2.ATTEMPT_LOST),
        run_query_pb2.Attempt(number=3, state=events_pb2.ATTEMPT_FAILED),
    ]
    error = events_pb2.Error(reason="UserError", message="exit code 2")
    (detail,) = convert_runs.task_details(
        "r1", [task("train", "t", state=events_pb2.TASK_FAILED, attempts=attempts, error=error)]
    )
    assert detail.executor_detail.main_job == "train#3"
    assert list(detail.executor_detail.failed_main_jobs) == ["train#1", "train#3"]
    assert detail.error.message == "UserError: exit code 2" == detail.state_history[-1].error.message


def test_a_task_that_has_not_started_has_the_epoch_for_never():
    (detail,) = convert_runs.task_details(
        "r", [task("a", "t", state=events_pb2.TASK_READY, started_at_us=0, finished_at_us=0)]
    )
    assert shown(detail)["end_time"] == "1970-01-01T00:00:00Z"
    assert [s.state for s in detail.state_history] == [run_pb2.PENDING]


def test_a_task_whose_pod_waits_is_pending_as_the_pod_is():
    waiting = events_pb2.WaitingOn(cause=events_pb2.LAUNCH, detail="no node has 2 free H100")
    first = [run_query_pb2.Attempt(number=1, state=events_pb2.ATTEMPT_RUNNING)]
    running = {"state": events_pb2.TASK_RUNNING, "finished_at_us": 0}
    (detail,) = convert_runs.task_details("r1", [task("a", "t", attempts=first, waiting_on=waiting, **running)])
    assert (detail.state, detail.start_time.seconds) == (run_pb2.PENDING, 0)
    assert [one.state for one in detail.state_history] == [run_pb2.PENDING]
    second = [*first, run_query_pb2.Attempt(number=2, state=events_pb2.ATTEMPT_RUNNING)]
    (detail,) = convert_runs.task_details("r1", [task("a", "t", attempts=second, waiting_on=waiting, **running)])
    assert detail.state == run_pb2.RUNNING, "between attempts it stays RUNNING"
    (detail,) = convert_runs.task_details("r1", [task("a", "t", attempts=first, **running)])
    assert [one.state for one in detail.state_history] == [run_pb2.PENDING, run_pb2.RUNNING]


def test_artifacts_go_by_their_numbers():
    values = events_pb2.Values()
    values.artifacts["model"].artifacts.add(artifact_id="x", id=5)
    (detail,) = convert_runs.task_details("r", [task("a", "t", outputs=values)])
    assert shown(detail)["outputs"] == {"model": {"artifact_ids": ["5"]}}


def test_an_experiment_and_its_last_run():
    found = catalog_pb2.Experiment(experiment_id="e", display_name="x", created_at_us=T, namespace="default")
    assert shown(convert.experiment(found)) == {
        "experiment_id": "e",
        "display_name": "x",
        "created_at": "2023-11-14T22:13:20Z",
        "storage_state": "AVAILABLE",
        "last_run_created_at": "1970-01-01T00:00:00Z",
    }


def test_a_version_carries_its_spec_where_it_is_given():
    found = catalog_pb2.PipelineVersion(
        pipeline_version_id="v", name="n", spec_json='{"a":1}', package_url="u", tags={"k": "v"}
    )
    got = shown(convert.version(found))
    assert (got["pipeline_spec"], got["package_url"], got["tags"], got["display_name"]) == (
        {"a": 1}, {"pipeline_url": "u"}, {"k": "v"}, "n",
    )  # fmt: skip
    assert "pipeline_spec" not in shown(convert.version(catalog_pb2.PipelineVersion(name="n")))


def test_no_time_is_zero_also_from_go():
    assert convert.time_us(Timestamp()) == 0
    assert convert.time_us(Timestamp(seconds=-62135596800)) == 0
    assert convert.time_us(Timestamp(seconds=3, nanos=5000)) == 3_000_005


def test_a_task_that_was_reset_shows_every_round():
    def attempt(number, state, at):
        return run_query_pb2.Attempt(number=number, state=state, created_at_us=at, finished_at_us=at + SECOND)

    rounds = [
        attempt(1, events_pb2.ATTEMPT_FAILED, T + SECOND),
        attempt(2, events_pb2.ATTEMPT_FAILED, T + 3 * SECOND),
        attempt(3, events_pb2.ATTEMPT_CANCELED, T + 11 * SECOND),
        attempt(4, events_pb2.ATTEMPT_SUCCEEDED, T + 21 * SECOND),
    ]
    again = run_query_pb2.Task(
        path="a",
        state=events_pb2.TASK_SUCCEEDED,
        attempts=rounds,
        created_at_us=T,
        started_at_us=T + 21 * SECOND,
        finished_at_us=T + 22 * SECOND,
    )
    stands = run_query_pb2.Task(
        path="b",
        state=events_pb2.TASK_SUCCEEDED,
        attempts=rounds[:1],
        created_at_us=T,
        started_at_us=T + SECOND,
        finished_at_us=T + 2 * SECOND,
    )
    states = [events_pb2.RUN_PENDING, events_pb2.RUN_RUNNING, events_pb2.RUN_FAILED]
    states += [events_pb2.RUN_RUNNING, events_pb2.RUN_CANCELING, events_pb2.RUN_CANCELED, events_pb2.RUN_RUNNING]
    times = [0, 0, 5, 10, 12, 13, 20]
    history = [
        run_query_pb2.RunStateChange(time_us=T + at * SECOND, state=state)
        for at, state in zip(times, states, strict=True)
    ]
    first, second = convert_runs.run(ours(history=history), tasks=[again, stands]).run_details.task_details
    turns = [run_pb2.RuntimeState.Name(turn.state) for turn in first.state_history]
    assert turns == [
        *("PENDING", "RUNNING", "FAILED"),
        *("PENDING", "RUNNING", "CANCELED"),
        *("PENDING", "RUNNING", "SUCCEEDED"),
    ]
    assert [turn.update_time.seconds for turn in first.state_history] == sorted(
        turn.update_time.seconds for turn in first.state_history
    )
    assert len(second.state_history) == 3
