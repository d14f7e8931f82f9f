"""When a task runs: conditions before inputs, skips and their reasons, exit tasks at every place, what they are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders.specs import (
    Dag,
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
from builders.worlds import World, failed, succeeded
from headrace_scheduler.engine import facts as f

STEP = container(outputs={"Output": "STRING"})
TOLD = container(inputs={"status": "TASK_FINAL_STATUS"})
HEADS = "inputs.parameter_values['x'] == 'heads'"


def taking(**inputs: str):
    return container(inputs=inputs, outputs={"Output": "STRING"})


def arguments(world: World, attempt: str) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in world.launches[attempt].parameters.items()}


def status(world: World, attempt: str) -> dict[str, Any]:
    told: dict[str, Any] = arguments(world, attempt)["status"]
    return told


def exiting(flow: Dag, *upstream: str, key: str = "exit", **trigger: Any) -> Dag:
    return flow.task(
        key, TOLD, {"status": final_status(upstream[0])}, after=list(upstream), on_completion=True, **trigger
    )


def sub(*names: str) -> Dag:
    made = dag()
    for name in names:
        made.task(name, STEP)
    return made


# ---- conditions


def test_a_condition_looks_at_nothing_but_the_inputs_that_it_mentions():
    """KFP resolves all inputs first, so that a task that is to be skipped fails for another input's sake."""
    spec, wrong = taking(x="STRING", y="STRING"), output("a").field("name")
    flow = pipeline().task("a", STEP).task("b", spec, {"x": "tails", "y": wrong}, when=HEADS)
    flow.task("c", spec, {"x": "heads", "y": wrong}, when=HEADS)
    world = World(flow, results={"a": succeeded({"Output": "{}"})}).run()
    assert (world.states["b"], world.skip_reason("b")) == ("SKIPPED", "condition")
    assert world.error("c").reason == "InputResolution"
    assert world.error("c").message == "task 'c': input 'y': there is no key 'name' (at character 23)"


def test_a_condition_sees_defaults_and_nulls():
    with_default = container().input("x", default="heads")
    without = container().input("x", optional=True)
    flow = (
        pipeline().task("a", with_default, when=HEADS).task("b", without, when="inputs.parameter_values['x'] == null")
    )
    flow.task("c", without, when="inputs.parameter_values['x'] != null")
    assert World(flow).run().states == {"a": "SUCCEEDED", "b": "SUCCEEDED", "c": "SKIPPED"}


def test_a_condition_on_what_a_failed_task_did_not_write_sees_null():
    flow = pipeline().task("a", STEP)
    flow.task("b", container().input("x", optional=True), {"x": output("a")}, when=HEADS, on_completion=True)
    world = World(flow, results={"a": failed()}).run()
    assert world.states["b"] == "SKIPPED"


def test_a_condition_may_look_at_artifacts():
    maker = container(output_artifacts={"artifact": "system.Model"})
    taker = container().input_artifact("m")
    one = "inputs.artifacts['m'].artifacts[0]"
    flow = pipeline().task("a", maker)
    flow.task("b", taker, {"m": artifact("a")}, when=f"{one}.uri == 's3://b/m' && {one}.metadata['f1'] > 0.5")
    flow.task("c", taker, {"m": artifact("a")}, when=f"{one}.type.schema_title == 'system.Dataset'")
    flow.task("d", taker, {"m": artifact("a")}, when="size(inputs.artifacts['m'].artifacts) == 1")
    result = succeeded(artifacts={"artifact": "s3://b/m"})
    result.outputs.artifacts["artifact"].artifacts[0].metadata_json = '{"f1":0.75}'
    result.outputs.artifacts["artifact"].artifacts[0].schema_title = "system.Model"
    world = World(flow, results={"a": result}).run()
    assert [world.states[one] for one in "bcd"] == ["SUCCEEDED", "SKIPPED", "SUCCEEDED"]


@pytest.mark.parametrize("items", [None, '["a"]'])
def test_a_condition_sees_an_artifact_that_was_not_given_as_an_empty_list(items):
    taker = container(inputs={"item": "STRING"}).input_artifact("m", optional=True)
    given = {} if items else {"item": "a"}
    nothing = "size(inputs.artifacts['m'].artifacts) == 0 && inputs.parameter_values['item'] == 'a'"
    world = World(pipeline().task("b", taker, given, when=nothing, items=items)).run()
    assert set(world.states.values()) == {"SUCCEEDED"}


@pytest.mark.parametrize("kind", ["condition", "loop"])
def test_null_goes_into_a_group_whose_inputs_are_not_optional(kind):
    """The SDK declares the inputs of condition and loop groups as required; KFP fails there."""
    group = dag({"x": "STRING"}).task("leaf", container().input("x", default="inner"), {"x": dag_input("x")})
    flow = pipeline().input("x", optional=True)
    if kind == "condition":
        flow.task("group", group, {"x": dag_input("x")}, when="inputs.parameter_values['x'] != 'a'")
    else:
        group.input("item")
        flow.task("group", group, {"x": dag_input("x")}, items='["a"]')
    world = World(flow).run()
    assert world.outcome == "SUCCEEDED"
    assert next(arguments(world, one) for one in world.launches) == {"x": "inner"}


@pytest.mark.parametrize("type_", ["STRING", "NUMBER_INTEGER", "BOOLEAN", "LIST", "STRUCT"])
def test_an_output_that_is_missing_is_absent_whatever_its_type(type_):
    maker = container(outputs={"Output": type_})
    flow = pipeline().task("a", maker)
    flow.task("b", container().input("x", type_, optional=True), {"x": output("a")}, on_completion=True)
    flow.task("c", container(inputs={"x": type_}), {"x": output("a")}, on_completion=True)
    world = World(flow, results={"a": failed()}).run()
    assert arguments(world, "b#1") == {}
    assert (
        world.error("c").message
        == f"task 'c': input 'x' ({type_}) has no value: its source gave none and it has no default"
    )


def test_an_artifact_that_is_missing_is_absent_too():
    maker = container(output_artifacts={"artifact": "system.Model"})
    flow = pipeline().task("a", maker)
    flow.task("b", container().input_artifact("m", optional=True), {"m": artifact("a")}, on_completion=True)
    flow.task("c", container().input_artifact("m"), {"m": artifact("a")}, on_completion=True)
    world = World(flow, results={"a": failed()}).run()
    assert (world.states["b"], dict(world.launches["b#1"].inputs)) == ("SUCCEEDED", {})
    assert world.error("c").message == "task 'c': input artifact 'm' is missing: its source gave none"


def test_an_optional_artifact_that_was_not_given_is_absent_through_two_groups():
    leaf = container().input_artifact("m", optional=True)
    inner = dag().input_artifact("m", optional=True).task("leaf", leaf, {"m": artifact_input("m")})
    outer = dag().input_artifact("m", optional=True).task("inner", inner, {"m": artifact_input("m")})
    assert World(pipeline().task("outer", outer)).run().outcome == "SUCCEEDED"


# ---- skipping


def test_skips_go_on_and_say_what_they_come_from():
    flow = pipeline().task("a", taking(x="STRING"), {"x": "tails"}, when=HEADS).task("b", STEP, after=["a"])
    flow.task("c", STEP, after=["b"]).task("d", STEP)
    world = World(flow).run()
    assert (world.outcome, world.states["d"]) == ("SUCCEEDED", "SUCCEEDED")
    assert [world.skip_reason(one) for one in "abc"] == ["condition", "upstream skipped: a", "upstream skipped: b"]


def test_a_failed_upstream_is_named_before_a_skipped_one():
    flow = pipeline().task("a", taking(x="STRING"), {"x": "tails"}, when=HEADS).task("b", STEP)
    flow.task("c", STEP, after=["a", "b"])
    world = World(flow, results={"b": failed()}).run()
    assert world.skip_reason("c") == "upstream failed: b"


def test_a_group_in_which_everything_was_skipped_has_succeeded_without_outputs():
    group = dag().task("leaf", taking(x="STRING"), {"x": "tails"}, when=HEADS).returns("Output", "leaf")
    flow = pipeline().task("group", group).task("after", STEP, after=["group"])
    flow.task("needs", taking(x="STRING"), {"x": output("group")})
    flow.task("may", container().input("x", default="none"), {"x": output("group")})
    world = World(flow).run()
    assert (world.states["group"], world.states["after"], world.outputs("group")) == ("SUCCEEDED", "SUCCEEDED", {})
    assert (world.error("needs").reason, arguments(world, "may#1")) == ("InputResolution", {"x": "none"})


@pytest.mark.parametrize("items", ['["a","b"]', "[]"])
def test_a_loop_whose_condition_is_false_is_skipped_with_what_follows(items):
    body = dag({"item": "STRING", "x": "STRING"}).task("leaf", STEP)
    flow = pipeline().task("loop", body, {"x": "tails"}, items=items, when=HEADS).task("after", STEP, after=["loop"])
    world = World(flow).run()
    assert world.states == {"loop": "SKIPPED", "after": "SKIPPED"}
    assert (world.skip_reason("loop"), world.skip_reason("after")) == ("condition", "upstream skipped: loop")


def test_a_loops_condition_on_its_item_is_decided_for_each():
    body = dag({"x": "STRING"}).task("leaf", STEP).returns("Output", "leaf", type_="LIST")
    flow = pipeline().task("loop", body, items='["heads","tails"]', item="x", when=HEADS)
    flow.task("after", container(inputs={"all": "LIST"}), {"all": output("loop")})
    world = World(flow).run()
    assert (world.states["loop[0]"], world.states["loop[1]"]) == ("SUCCEEDED", "SKIPPED")
    assert arguments(world, "after#1") == {"all": ["loop[0]/leaf"]}
    none = pipeline().task("loop", body, items='["tails"]', item="x", when=HEADS).task("after", STEP, after=["loop"])
    assert World(none).run().states == {"loop": "SKIPPED", "loop[0]": "SKIPPED", "after": "SKIPPED"}


# ---- exit tasks and tasks that tolerate failures


@pytest.mark.parametrize("upstream", ["container", "group", "loop", "importer", "skipped", "unresolvable"])
@pytest.mark.parametrize("fails", [False, True])
def test_an_exit_task_runs_after_whatever_it_waits_for(upstream, fails):
    flow = pipeline()
    path, state = "work", "FAILED" if fails else "SUCCEEDED"
    match upstream:
        case "container":
            flow.task("work", STEP)
        case "group":
            flow.task("work", sub("leaf"))
            path = "work/leaf"
        case "loop":
            flow.task("work", dag({"item": "STRING"}).task("leaf", STEP), items='["a","b"]')
            path = "work[1]/leaf"
        case "importer":
            flow.input("where", default="" if fails else "s3://bucket/data")
            flow.task("work", importer(), {"uri": dag_input("where")})
        case "skipped":
            flow.task("first", STEP).task("work", taking(x="STRING"), {"x": "tails"}, after=["first"], when=HEADS)
            path, state = "first", "SKIPPED"
        case "unresolvable":
            flow.task("first", STEP).task("work", taking(x="STRING"), {"x": output("first").field("name")})
            path = "nobody"
    exiting(flow, "work")
    results = {"first": succeeded({"Output": "{}" if fails else '{"name": "x"}'})}
    if fails:
        results[path] = failed("boom")
    world = World(flow, results=results).run()
    told = status(world, "exit#1")
    assert (world.states["exit"], told["state"], told["pipelineTaskName"]) == ("SUCCEEDED", state, "work")
    assert world.rows.tasks["exit"].attempts == 1
    if state == "FAILED":
        assert told["error"]["code"]
        assert told["error"]["message"]


def test_the_error_of_a_group_is_that_of_the_descendant_that_failed_first():
    inner = dag({"item": "STRING"}).task("leaf", STEP)
    flow = exiting(pipeline().task("work", dag().task("loop", inner, items='["a","b"]')), "work")
    world = World(flow, results={"work/loop[1]/leaf": failed("boom", exit_code=7)}).run()
    assert status(world, "exit#1")["error"] == {"code": 7, "message": "task 'work/loop[1]/leaf' failed: boom"}
    assert world.error().message == "task 'work/loop[1]/leaf' failed: boom"


@pytest.mark.parametrize("reload", [False, True])
def test_first_is_by_time_at_every_depth(reload):
    """The group that ends last holds what failed first."""
    flow = pipeline().task("group", dag().task("early", STEP).task("long", STEP)).task("late", STEP)
    world = World(flow, behaviour=lambda launch: None).run()
    for path, result in (
        ("group/early", failed("first")),
        ("late", failed("second")),
        ("group/long", succeeded({"Output": "x"})),
    ):
        world.now_us += 1000
        if reload:
            world.reload()
        world.tell(f.AttemptEnded(path, 1, result))
    assert world.error().message == "task 'group/early' failed: first"


def test_a_status_is_of_the_task_that_it_names_and_nobody_elses():
    """KFP tells of the first dependency."""
    flow = pipeline().task("a", STEP).task("b", STEP)
    flow.task("exit", TOLD, {"status": final_status("b")}, after=["a", "b"], on_completion=True)
    world = World(flow, results={"b": failed("boom")}).run()
    assert (status(world, "exit#1")["pipelineTaskName"], status(world, "exit#1")["state"]) == ("b", "FAILED")


def test_several_exit_tasks_of_one_group_run_once_each_after_all_that_they_wait_for():
    flow = pipeline().task("a", STEP).task("b", STEP)
    exiting(flow, "a", key="one")
    exiting(flow, "a", "b", key="two")
    world = World(flow, behaviour=lambda launch: None).run()
    world.tell(f.AttemptEnded("a", 1, failed()))
    world.run()
    assert list(world.launches) == ["a#1", "b#1", "one#1"]
    world.tell(f.AttemptEnded("b", 1, failed()))
    world.run()
    assert list(world.launches) == ["a#1", "b#1", "one#1", "two#1"]


def test_exit_handlers_nest():
    inner = exiting(dag().task("work", STEP), "work", key="inner-exit")
    flow = exiting(pipeline().task("outer", inner).task("other", STEP), "outer", key="outer-exit")
    world = World(flow, results={"outer/work": failed("boom")}).run()
    assert world.states["outer/inner-exit"] == world.states["outer-exit"] == world.states["other"] == "SUCCEEDED"
    assert (status(world, "outer-exit#1")["state"], world.outcome) == ("FAILED", "FAILED")


def test_an_exit_task_may_be_a_group_a_loop_and_retried():
    group = dag({"status": "TASK_FINAL_STATUS"}).task("tell", TOLD, {"status": dag_input("status")})
    loop = dag({"item": "STRING", "status": "TASK_FINAL_STATUS"}).task("tell", TOLD, {"status": dag_input("status")})
    flow = pipeline().task("work", STEP)
    flow.task("group", group, {"status": final_status("work")}, on_completion=True)
    flow.task("loop", loop, {"status": final_status("work")}, on_completion=True, items='["a","b"]')
    exiting(flow, "work", key="again", retry={"maxRetryCount": 2})
    world = World(flow, results={"work": failed("boom"), "again#1": failed(), "again#2": failed()}).run()
    assert [status(world, one)["state"] for one in ("group/tell#1", "loop[1]/tell#1", "again#3")] == ["FAILED"] * 3
    assert world.states["again"] == "SUCCEEDED"


def test_an_exit_task_with_a_condition_runs_when_both_hold():
    told = container(inputs={"status": "TASK_FINAL_STATUS"})
    failed_only = "inputs.parameter_values['status']['state'] == 'FAILED'"
    flow = pipeline().task("work", STEP)
    flow.task("exit", told, {"status": final_status("work")}, on_completion=True, when=failed_only)
    assert World(flow, results={"work": failed()}).run().states["exit"] == "SUCCEEDED"
    world = World(flow).run()
    assert (world.outcome, world.states["exit"], world.skip_reason("exit")) == ("SUCCEEDED", "SKIPPED", "condition")


def test_what_depends_on_an_exit_task_runs_after_it():
    flow = exiting(pipeline().task("work", STEP), "work").task("last", STEP, after=["exit"])
    assert World(flow, results={"work": failed()}).run().states["last"] == "SUCCEEDED"
    world = World(flow, results={"exit": failed()}).run()
    assert (world.states["last"], world.skip_reason("last")) == ("SKIPPED", "upstream failed: exit")


def test_an_exit_task_that_fails_fails_its_group_and_the_run():
    flow = pipeline().task("group", exiting(dag().task("work", STEP), "work")).task("after", STEP, after=["group"])
    world = World(flow, results={"group/exit": failed("boom")}).run()
    assert (world.states["group"], world.states["after"], world.outcome) == ("FAILED", "SKIPPED", "FAILED")
    assert world.error().message == "task 'group/exit' failed: boom"


def test_an_exit_task_does_not_absorb_the_failure_and_takes_its_values_where_there_are_any():
    tolerant = container().input("x", default="instead").input("y", default="instead")
    flow = pipeline().task("a", STEP).task("b", STEP)
    flow.task("exit", tolerant, {"x": output("a"), "y": output("b")}, on_completion=True)
    world = World(flow, results={"a": failed()}).run()
    assert (world.outcome, arguments(world, "exit#1")) == ("FAILED", {"x": "instead", "y": "b"})


def test_exit_tasks_do_not_run_when_the_run_is_terminated():
    flow = exiting(pipeline().task("work", STEP), "work")
    world = World(flow, behaviour=lambda launch: None).run()
    world.tell(f.TerminateRequested())
    world.run()
    assert (world.outcome, world.states) == ("CANCELED", {"work": "CANCELED", "exit": "CANCELED"})


def test_an_exit_task_that_is_to_run_all_the_same_is_told_of_the_end():
    flow = exiting(pipeline().task("work", STEP), "work")
    world = World(flow, behaviour=lambda launch: None).run()
    world.tell(f.TerminateRequested(run_exit_tasks=True))
    world.run()
    told = status(world, "exit#1")
    assert (told["state"], told["error"]) == ("CANCELLED", {"code": 1, "message": "the run was terminated"})
