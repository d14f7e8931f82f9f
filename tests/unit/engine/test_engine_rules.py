"""The rules of kfp-semantics, each on a small pipeline: exit handlers, OneOf, loops, final status, inputs, importers, caching,
retries, budgets, termination, deadline, retry of the run, and what a Launch holds.
"""

from __future__ import annotations

import json

import pytest

from builders.specs import (
    artifact,
    artifact_input,
    container,
    dag,
    dag_input,
    final_status,
    importer,
    output,
    pipeline,
)
from builders.worlds import RUN_ID, SECOND, World, failed, lost, plan_of, preempted, succeeded, values
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import commands as c
from headrace_scheduler.engine import facts as f

STEP = container(outputs={"Output": "STRING"})


def taking(**inputs: str):
    return container(inputs=inputs, outputs={"Output": "STRING"})


def arguments(world: World, attempt: str):
    return {name: json.loads(text) for name, text in world.launches[attempt].parameters.items()}


def kinds(events, path: str):
    return [event.WhichOneof("kind") for event in events if event.path == path]


# ---- exit tasks and final status


def exit_flow():
    flow = pipeline().task("work", STEP)
    told = container(inputs={"status": "TASK_FINAL_STATUS"})
    return flow.task("exit", told, {"status": final_status("work")}, after=["work"], on_completion=True)


def test_an_exit_task_runs_after_a_failure_and_is_told_of_it():
    world = World(exit_flow(), results={"work": failed("boom", exit_code=3)}).run()
    assert world.outcome == "FAILED"
    status = arguments(world, "exit#1")["status"]
    assert status["state"] == "FAILED"
    assert status["error"] == {"code": 3, "message": "boom"}
    assert status["pipelineTaskName"] == "work"
    assert status["pipelineJobResourceName"].endswith(f"-{RUN_ID}")


def test_the_resource_name_is_the_name_of_the_pipeline_and_the_run():
    flow = pipeline().task("a", taking(x="STRING"), {"x": "{{$.pipeline_job_resource_name}}"})
    world = World(flow).run()
    assert arguments(world, "a#1") == {"x": f"{plan_of(flow).pipeline_name}-{RUN_ID}"}


def test_an_exit_task_that_fails_fails_the_run():
    world = World(exit_flow(), results={"exit": failed()}).run()
    assert world.outcome == "FAILED"


def test_a_task_that_ignores_failures_runs_once_after_all_of_them():
    flow = pipeline().task("a", STEP).task("b", STEP).task("c", STEP, after=["a", "b"], on_completion=True)
    flow.task("d", STEP, after=["c"])
    world = World(flow, results={"a": failed()}).run()
    assert world.states["c"] == world.states["d"] == "SUCCEEDED"
    assert world.outcome == "FAILED"


def test_what_a_failed_task_did_not_write_takes_the_default():
    consumer = container().input("x", default="none")
    flow = pipeline().task("a", STEP).task("b", consumer, {"x": output("a")}, after=["a"], on_completion=True)
    world = World(flow, results={"a": failed()}).run()
    assert arguments(world, "b#1") == {"x": "none"}


# ---- groups, branches, loops


@pytest.mark.parametrize(("coin", "expected"), [("heads", "won"), ("tails", "lost")])
def test_one_of_gives_the_output_of_the_branch_that_ran(coin, expected):
    branches = dag({"coin": "STRING"})
    for name, operator in (("condition-2", "=="), ("condition-3", "!=")):
        branch = dag({"coin": "STRING"}).task("say", STEP).returns("Output", "say")
        when = f"inputs.parameter_values['coin'] {operator} 'heads'"
        branches.task(name, branch, {"coin": dag_input("coin")}, when=when)
    branches.returns_one_of("Output", ("condition-2", "Output"), ("condition-3", "Output"))
    flow = pipeline().input("coin").task("condition-branches-1", branches, {"coin": dag_input("coin")})
    flow.task("after", taking(x="STRING"), {"x": output("condition-branches-1")})
    results = {
        "condition-branches-1/condition-2/say": succeeded({"Output": "won"}),
        "condition-branches-1/condition-3/say": succeeded({"Output": "lost"}),
    }
    world = World(flow, {"coin": coin}, results).run()
    assert world.outcome == "SUCCEEDED"
    assert arguments(world, "after#1") == {"x": expected}


def test_nested_loops_collect_one_flat_list():
    inner = dag({"item": "STRING", "outer": "STRING"}).task("work", taking(x="STRING"), {"x": dag_input("item")})
    inner.returns("Output", "work", type_="LIST")
    outer = dag({"outer": "STRING"}).task("for-loop-2", inner, {"outer": dag_input("outer")}, items='["x","y"]')
    outer.returns("Output", "for-loop-2", type_="LIST")
    flow = pipeline().task("for-loop-1", outer, items='["a","b"]', item="outer")
    flow.task("join", container(inputs={"all": "LIST"}), {"all": output("for-loop-1")})
    world = World(flow).run()
    assert len(arguments(world, "join#1")["all"]) == 4
    assert "for-loop-1[1]/for-loop-2[0]/work" in world.states


def test_a_parallelism_limit_holds_for_one_loop_and_says_so():
    body = dag({"item": "STRING"}).task("work", taking(x="STRING"), {"x": dag_input("item")})
    flow = pipeline().task("loop", body, items="[1,2,3,4,5]", parallelism=2)
    world = World(flow, behaviour=lambda launch: None)
    world.tell()
    for _ in range(4):
        commands, world.commands = world.commands, []
        world.tell(*[fact for command in commands for fact in world.answer(command)])
    assert [path for path in world.states if path.endswith("work")] == ["loop[0]/work", "loop[1]/work"]
    assert world.rows.tasks["loop"].waiting_on.cause == ev.PARALLELISM
    assert world.rows.tasks["loop"].waiting_on.detail == "at most 2 of 5 iterations run at a time"
    world.tell(f.AttemptEnded("loop[0]/work", 1, succeeded({"Output": "done"})))
    assert "loop[2]/work" in world.states


def test_a_loop_over_artifacts_gives_one_to_each_iteration_and_collects_theirs():
    body = (
        dag()
        .input_artifact("item")
        .task(
            "work",
            container(output_artifacts={"model": "system.Model"}).input_artifact("data"),
            {"data": artifact_input("item")},
        )
    )
    body.returns_artifact("model", ("work", "model"), type_="system.Model", as_list=True)
    source = container().output_artifact("parts", as_list=True)
    flow = pipeline().task("source", source)
    body.input_artifact("parts", as_list=True)
    flow.task("loop", body, {"parts": artifact("source", "parts")}, over_artifacts="parts")
    flow.task("join", container().input_artifact("models", as_list=True), {"models": artifact("loop", "model")})
    world = World(flow, results={"source": succeeded(artifacts={"parts": ["s3://b/0", "s3://b/1"]})}).run()
    assert world.outcome == "SUCCEEDED"
    assert [one.uri for one in world.launches["loop[1]/work#1"].inputs["data"].artifacts] == ["s3://b/1"]
    assert len(world.launches["join#1"].inputs["models"].artifacts) == 2


def test_a_loop_over_what_is_no_list_fails_with_the_reason():
    body = dag({"item": "STRING", "items": "STRING"}).task("work", STEP)
    flow = pipeline().task("a", STEP).task("loop", body, {"items": output("a")}, over="items")
    world = World(flow, results={"a": succeeded({"Output": '{"a": 1}'})}).run()
    assert world.states == {"a": "SUCCEEDED", "loop": "FAILED"}
    assert world.error("loop").message == "loop 'loop': 'items' must be a list, it is STRUCT {\"a\":1}"


def test_a_condition_that_cannot_be_decided_fails_its_task():
    flow = pipeline().task("a", taking(x="STRING"), {"x": "text"}, when="inputs.parameter_values['x'] < 3")
    world = World(flow).run()
    assert world.states == {"a": "FAILED"}
    assert world.error("a").reason == "ConditionFailed"


# ---- inputs


def test_null_passes_through_groups_and_takes_the_default_inside():
    leaf = container().input("x", default="inner")
    middle = dag({"x": "STRING"}).task("leaf", leaf, {"x": dag_input("x")})
    flow = pipeline().input("x", optional=True).task("group", middle, {"x": dag_input("x")})
    world = World(flow).run()
    assert arguments(world, "group/leaf#1") == {"x": "inner"}


def test_a_required_input_that_got_nothing_fails_the_task():
    group = dag({"x": "STRING"}).task("leaf", taking(x="STRING"), {"x": dag_input("x")})
    flow = pipeline().input("x", optional=True).task("group", group, {"x": dag_input("x")})
    world = World(flow).run()
    assert world.error("group/leaf").reason == "InputResolution"
    assert "input 'x' (STRING) has no value" in world.error("group/leaf").message


def test_constants_are_filled_with_the_tasks_own_inputs():
    given = {"who": dag_input("name"), "text": "Hello {{$.inputs.parameters['who']}} of {{$.pipeline_job_name}}"}
    flow = pipeline().input("name").task("a", taking(who="STRING", text="STRING"), given)
    world = World(flow, {"name": "Ada"}).run()
    assert arguments(world, "a#1")["text"] == "Hello Ada of my run"


def test_a_selector_takes_a_field_of_an_item():
    body = dag({"item": "STRUCT"}).task("work", taking(x="STRING"), {"x": dag_input("item").field("name")})
    world = World(pipeline().task("loop", body, items='[{"name":"a"},{"name":"b"}]')).run()
    assert arguments(world, "loop[1]/work#1") == {"x": "b"}


def test_the_runs_outputs_are_those_of_the_root():
    world = World(pipeline().task("a", STEP).returns("result", "a"), results={"a": succeeded({"Output": "42"})}).run()
    assert world.outputs() == {"result": "42"}


# ---- importer


def test_an_importer_gives_its_artifact_without_an_attempt():
    flow = pipeline().input("where").task("get", importer(), {"uri": dag_input("where")})
    flow.task("use", container().input_artifact("data"), {"data": artifact("get")})
    world = World(flow, {"where": "s3://bucket/data"}).run()
    assert world.outcome == "SUCCEEDED"
    assert world.launches["use#1"].inputs["data"].artifacts[0].uri == "s3://bucket/data"
    assert "get#1" not in world.launches


def test_an_import_that_fails_fails_the_task():
    world = World(pipeline().task("get", importer(), {"uri": "s3://bucket/data"}))
    world.tell()
    world.tell(f.Imported("get", problem="no such scheme"))
    assert (world.error("get").reason, world.error("get").message) == ("Import", "no such scheme")


# ---- caching


def cached_flow():
    return pipeline().task("a", STEP, cache=True)


def test_a_hit_ends_the_task_without_an_attempt():
    world = World(cached_flow(), enable_cache=None, hits={"a": values({"Output": "old"})}).run()
    assert world.outcome == "SUCCEEDED"
    assert world.rows.tasks["a"].cached
    assert world.outputs("a") == {"Output": "old"}
    assert not world.launches


def test_a_miss_runs_and_is_committed():
    world = World(cached_flow(), enable_cache=None).run()
    commits = [one for one in world.commands if isinstance(one, c.CommitCache)]
    assert [(one.path, one.token) for one in commits] == [("a", "token of a")]
    assert commits[0].ingredients.image == "python:3.11"


def test_a_failure_gives_the_reservation_back():
    world = World(cached_flow(), enable_cache=None, results={"a": failed()}).run()
    assert [one.token for one in world.commands if isinstance(one, c.ReleaseCache)] == ["token of a"]


def test_the_run_can_switch_the_cache_off_and_on():
    off = World(cached_flow(), enable_cache=False).run()
    assert not any(isinstance(one, (c.CommitCache, c.AskCache)) for one in off.commands)
    on = World(pipeline().task("a", STEP), enable_cache=True)
    on.tell()
    assert [type(one) for one in on.commands] == [c.AskCache]


def asked(world):
    world.tell()
    return next(one for one in world.commands if isinstance(one, c.AskCache))


def test_a_refresh_asks_and_is_committed():
    world = World(cached_flow(), enable_cache=None, hits={"a": values({"Output": "old"})})
    world.rows.run.caching.refresh.append("a")
    world.reload()
    assert asked(world).refresh
    assert world.run().outputs("a") == {"Output": "a"}
    assert [one.path for one in world.commands if isinstance(one, c.CommitCache)] == ["a"]


def test_a_group_that_is_refreshed_is_all_that_is_in_it():
    flow = pipeline().task("g", dag().task("a", STEP, cache=True)).task("b", STEP, cache=True)
    world = World(flow, enable_cache=None)
    world.rows.run.caching.refresh.append("g")
    world.reload()
    world.tell()
    assert {one.path: one.refresh for one in world.commands if isinstance(one, c.AskCache)} == {"b": False, "g/a": True}


@pytest.mark.parametrize(
    ("of_task", "of_run", "of_pipeline", "expected"),
    [(1.0, 2.0, 3.0, 1.0), (0.0, 2.0, 3.0, 2.0), (0.0, 0.0, 3.0, 3.0), (0.0, 0.0, 0.0, 0.0)],
)
def test_the_most_special_age_is_asked_for(of_task, of_run, of_pipeline, expected):
    plan = plan_of(cached_flow())
    plan.dags[0].tasks[0].cache.max_age_s = of_task
    plan.config.cache_max_age_s = of_pipeline
    world = World(plan, enable_cache=None)
    world.rows.run.caching.max_age_s = of_run
    world.reload()
    assert asked(world).max_age_s == expected


def test_an_identical_task_elsewhere_is_waited_for():
    world = World(cached_flow(), enable_cache=None)
    world.tell()
    world.tell(f.CacheAnswered("a", "key", held_by="other/a"))
    assert world.rows.tasks["a"].waiting_on.cause == ev.CACHE_RESERVATION
    wake = next(one for one in world.commands if isinstance(one, c.WakeAt))
    assert wake.at_us == world.now_us + 5 * SECOND
    world.commands.clear()
    world.now_us = wake.at_us
    world.tell()
    assert [type(one) for one in world.commands] == [c.AskCache]


def test_a_task_that_waits_for_an_identical_one_asks_again_as_soon_as_that_has_ended():
    world = World(cached_flow(), enable_cache=None)
    world.tell()
    world.tell(f.CacheAnswered("a", "key", held_by="other/a"))
    world.commands.clear()
    world.tell(f.CacheSettled("a"))
    assert [type(one) for one in world.commands] == [c.AskCache]
    world.tell(f.CacheSettled("a"))
    assert [type(one) for one in world.commands] == [c.AskCache]


# ---- attempts


def test_retries_wait_longer_each_time_up_to_the_cap():
    retry = {"maxRetryCount": 3, "backoffDuration": "10s", "backoffFactor": 3.0, "backoffMaxDuration": "50s"}
    world = World(pipeline().task("a", STEP, retry=retry), results={"a": failed()}).run()
    finished = [one for one in world.events if one.HasField("attempt_finished")]
    waits = [round((one.attempt_finished.retry_at_us - one.time_us) / SECOND) for one in finished[:-1]]
    assert waits == [10, 30, 50]
    assert finished[-1].attempt_finished.retry_at_us == 0
    assert world.states == {"a": "FAILED"}


def test_a_wait_between_attempts_says_why_there_is_to_be_another():
    retry = {"maxRetryCount": 1, "backoffDuration": "10s"}
    world = World(pipeline().task("a", STEP, retry=retry), results={"a": failed()}).run()
    waits = [one.task_waiting.waiting_on for one in world.events if one.HasField("task_waiting")]
    backoff = next(one for one in waits if one.cause == ev.BACKOFF)
    why = next(one.attempt_finished.error.message for one in world.events if one.HasField("attempt_finished"))
    assert why
    assert backoff.detail == f"attempt 2, retry 1 of 1: {why}"


def test_a_groups_retry_policy_holds_for_tasks_without_one():
    group = dag().task("a", STEP).task("b", STEP, retry={"maxRetryCount": 0})
    flow = pipeline().task("group", group, retry={"maxRetryCount": 1})
    world = World(flow, results={"group/a#1": failed(), "group/b#1": failed()}).run()
    assert (world.rows.tasks["group/a"].attempts, world.states["group/a"]) == (2, "SUCCEEDED")


def test_what_the_platform_loses_is_not_paid_from_the_users_retries():
    results = {f"a#{number}": lost() for number in range(1, 11)}
    assert World(pipeline().task("a", STEP), results=results).run().outcome == "SUCCEEDED"
    world = World(pipeline().task("a", STEP), results={"a": lost()}).run()
    assert (world.outcome, world.rows.tasks["a"].attempts, world.error("a").reason) == ("FAILED", 11, "Lost")
    assert world.error("a").message.endswith(
        "(lost to failures of the platform 11 times; the task is tried again 10 times)"
    )


def test_preemptions_have_a_budget_of_their_own():
    """Ten of each are survived together, with a retry of the user's; none pays for another."""
    results = {f"a#{number}": preempted() for number in range(1, 11)}
    results |= {f"a#{number}": lost() for number in range(11, 21)} | {"a#21": failed()}
    flow = pipeline().task("a", STEP, retry={"maxRetryCount": 1})
    world = World(flow, results=results).run()
    assert (world.outcome, world.rows.tasks["a"].attempts) == ("SUCCEEDED", 22)
    task = world.rows.tasks["a"]
    assert (task.preemptions, task.infrastructure_failures, task.user_failures) == (10, 10, 1)
    told = [one.task_waiting.waiting_on.detail for one in world.events if one.HasField("task_waiting")]
    assert "attempt 4, preempted 3 of 10 times, which costs none of its retries: its node is gone" in told
    assert "attempt 12, platform failure 1 of 10, which costs none of its retries: the attempt vanished" in told
    world = World(flow, results={"a": preempted(ev.ATTEMPT_FAILED)}).run()
    assert (world.outcome, world.rows.tasks["a"].attempts) == ("FAILED", 11)
    assert world.error("a").message == "its node is gone (preempted 11 times; the task is tried again 10 times)"


@pytest.mark.parametrize(("kind", "reason"), [(ev.OUT_OF_MEMORY, "OutOfMemory"), (ev.TIMEOUT, "TimedOut")])
def test_out_of_memory_and_time_outs_are_paid_from_the_users_retries(kind, reason):
    flow = pipeline().task("a", STEP, retry={"maxRetryCount": 1})
    world = World(flow, results={"a": failed("too much", kind, reason)}).run()
    assert (world.outcome, world.rows.tasks["a"].attempts) == ("FAILED", 2)
    assert (world.error("a").reason, world.error("a").message) == (reason, "too much (its 1 retry is spent)")


def in_flight_world():
    """A task whose attempt has been asked for, and nothing is known of it yet."""
    world = World(pipeline().task("a", STEP))
    world.tell()
    world.tell(f.Admitted("a"))
    return world


def test_a_pod_that_exists_says_what_it_waits_for_until_it_runs():
    world = in_flight_world()
    assert kinds(world.tell(f.AttemptHeld("a", 1, "being created")), "a") == ["task_waiting"]
    assert kinds(world.tell(f.AttemptLaunched("a", 1, "ns/pod/uid")), "a") == ["attempt_launched"]
    assert world.rows.tasks["a"].waiting_on.detail == "being created"
    assert kinds(world.tell(f.AttemptHeld("a", 1, "no node has 2 free H100", "accelerators")), "a") == ["task_waiting"]
    assert world.rows.tasks["a"].waiting_on.resource == "accelerators"
    world.reload()
    again = f.AttemptHeld("a", 1, "no node has 2 free H100", "accelerators")
    assert world.tell(again, f.AttemptLaunched("a", 1, "ns/pod/uid")) == ()
    ran = world.tell(f.AttemptLaunched("a", 1, "ns/pod/uid", "node-1", ("warned",), "file:///log", "H100"))
    assert kinds(ran, "a") == ["task_waiting", "attempt_launched"]
    assert not world.rows.tasks["a"].waiting_on.cause
    launched = ran[1].attempt_launched
    assert (launched.handle, launched.node, launched.accelerator) == ("ns/pod/uid", "node-1", "H100")
    world.reload()
    again = (f.AttemptHeld("a", 1, "late"), f.AttemptLaunched("a", 1, "x"), f.AttemptLaunched("a", 1, "x", "node-1"))
    assert world.tell(*again) == ()


def test_a_pod_that_vanishes_before_it_runs_is_a_lost_attempt():
    world = in_flight_world()
    world.tell(f.AttemptLaunched("a", 1, "ns/pod/uid"), f.AttemptHeld("a", 1, "image"), f.AttemptEnded("a", 1, lost()))
    world.now_us += 2 * SECOND
    world.commands.clear()
    world.tell()
    assert world.rows.tasks["a"].attempt_state == ev.ATTEMPT_LOST
    world.tell(f.Admitted("a"))
    task = world.rows.tasks["a"]
    assert (task.attempts, task.attempt_state, task.handle, task.node) == (2, ev.ATTEMPT_STARTING, "", "")


def test_a_declared_output_that_is_missing_or_wrong_fails_the_attempt():
    world = World(pipeline().task("a", STEP), results={"a": succeeded()}).run()
    assert world.error("a").reason == "MissingOutput"
    number = container(outputs={"n": "NUMBER_INTEGER"})
    world = World(pipeline().task("a", number), results={"a": succeeded({"n": "x"})}).run()
    assert world.error("a").reason == "WrongOutput"


def test_what_can_never_be_placed_fails():
    world = World(pipeline().task("a", STEP))
    world.tell()
    world.tell(f.Unplaceable("a", "needs 8 GPUs, there are 2"))
    assert (world.outcome, world.error("a").reason) == ("FAILED", "Resources")


def test_facts_that_come_twice_or_late_change_nothing():
    world = World(pipeline().task("a", STEP), behaviour=lambda launch: None)
    world.tell()
    world.tell(f.Admitted("a"), f.Admitted("a"))
    ended = f.AttemptEnded("a", 1, succeeded({"Output": "x"}))
    assert kinds(world.tell(ended, ended), "a") == ["attempt_finished", "task_finished"]
    assert world.tell(ended, f.AttemptLaunched("a", 1, "pid"), f.Queued("a", "x"), f.Admitted("b")) == ()


# ---- stopping and going on


def started(flow) -> World:
    world = World(flow, behaviour=lambda launch: None)
    world.tell()
    world.tell(*[fact for command in world.commands for fact in world.answer(command)])
    world.commands.clear()
    return world


def test_terminate_cancels_what_runs_and_what_waits():
    world = started(pipeline().task("a", STEP).task("b", STEP, after=["a"]))
    world.tell(f.TerminateRequested())
    assert [type(one) for one in world.commands] == [c.CancelAttempt]
    assert world.states == {"a": "RUNNING", "b": "CANCELED"}
    world.run()
    assert (world.outcome, world.states["a"]) == ("CANCELED", "CANCELED")


def test_a_run_over_its_deadline_fails():
    plan = plan_of(pipeline().task("a", STEP))
    plan.config.active_deadline_seconds = 60
    world = started(plan)
    world.now_us += 61 * SECOND
    world.tell()
    world.run()
    assert (world.outcome, world.error().reason) == ("FAILED", "DeadlineExceeded")
    assert world.error().message == "the run took longer than its limit of 60 s"


def test_a_retry_runs_again_what_failed_and_what_follows_in_the_same_executions():
    group = dag().task("a", STEP).task("b", STEP, after=["a"]).task("ok", STEP)
    flow = pipeline().task("group", group).task("c", STEP, after=["group"])
    world = World(flow, results={"group/a#1": failed()}).run()
    assert world.outcome == "FAILED"
    world.reload()
    world.tell(f.RetryRequested())
    world.run()
    assert world.outcome == "SUCCEEDED"
    attempts = {path: task.attempts for path, task in world.rows.tasks.items()}
    assert attempts == {"group": 0, "group/a": 2, "group/b": 1, "group/ok": 1, "c": 1}


# ---- the launch


def test_a_launch_holds_everything_that_one_attempt_needs():
    spec = container(
        ["run", "--lr", "{{$.inputs.parameters['lr']}}"],
        ["{{$.outputs.artifacts['model'].path}}"],
        inputs={"lr": "NUMBER_DOUBLE"},
        output_artifacts={"model": "system.Model"},
        env={"NAME": "{{$.pipeline_task_name}}"},
        resources={"resourceCpuLimit": "500m", "resourceMemoryLimit": "1.5Gi"},
    )
    world = World(pipeline("demo").task("train", spec, {"lr": 0.5})).run()
    launch = world.launches["train#1"]
    assert launch.task_root == f"file:///store/demo/{RUN_ID}/train/1"
    assert launch.command == [[{"t": "run"}], [{"t": "--lr"}], [{"t": "0.5"}]]
    assert launch.args == [[{"p": "outputs.artifacts['model'].path"}]]
    assert launch.env == {"NAME": [{"t": "train"}]}
    assert (launch.request.cpu, launch.request.memory) == (0.5, 1610612736)
    assert launch.traceparent.startswith(f"00-{RUN_ID.replace('-', '')}-")
