"""A run from its first step to its end: order, failure, skipping, nesting, loops."""

from __future__ import annotations

from builders.specs import container, dag, dag_input, output, pipeline
from builders.worlds import World, failed, succeeded

STEP = container(outputs={"Output": "STRING"})


def taking(*names: str):
    return container(inputs=dict.fromkeys(names, "STRING"), outputs={"Output": "STRING"})


def test_a_chain_runs_in_order_and_passes_values():
    flow = pipeline().task("a", STEP).task("b", taking("x"), {"x": output("a")})
    world = World(flow, results={"a": succeeded({"Output": "from a"})}).run()
    assert world.outcome == "SUCCEEDED"
    assert world.states == {"a": "SUCCEEDED", "b": "SUCCEEDED"}
    assert world.launches["b#1"].parameters == {"x": '"from a"'}


def test_a_failure_skips_what_follows_and_leaves_the_rest():
    flow = pipeline().task("a", STEP).task("b", STEP, after=["a"]).task("c", STEP, after=["b"]).task("d", STEP)
    world = World(flow, results={"a": failed("boom")}).run()
    assert world.outcome == "FAILED"
    assert world.states == {"a": "FAILED", "b": "SKIPPED", "c": "SKIPPED", "d": "SUCCEEDED"}
    assert world.skip_reason("b") == "upstream failed: a"
    assert world.skip_reason("c") == "upstream skipped: b"
    assert world.error().message == "task 'a' failed: boom"


def test_a_condition_group_runs_or_is_skipped():
    group = dag({"coin": "STRING"}).task("flip", taking("c"), {"c": dag_input("coin")})
    flow = pipeline().task("coin", STEP)
    when = "inputs.parameter_values['coin'] == 'heads'"
    flow.task("condition-1", group, {"coin": output("coin")}, when=when)
    flow.task("after", STEP, after=["condition-1"])
    heads = World(flow, results={"coin": succeeded({"Output": "heads"})}).run()
    assert heads.states["condition-1/flip"] == heads.states["after"] == "SUCCEEDED"
    tails = World(flow, results={"coin": succeeded({"Output": "tails"})}).run()
    assert tails.outcome == "SUCCEEDED"
    assert tails.states == {"coin": "SUCCEEDED", "condition-1": "SKIPPED", "after": "SKIPPED"}
    assert tails.skip_reason("condition-1") == "condition"


def test_a_loop_runs_its_body_for_each_item_and_collects():
    body = dag({"item": "STRING"}).task("work", taking("x"), {"x": dag_input("item")}).returns("Output", "work")
    body.outputs["Output"] = {"parameterType": "LIST"}
    flow = pipeline().task("for-loop-1", body, items='["a","b","c"]')
    flow.task("join", container(inputs={"all": "LIST"}), {"all": output("for-loop-1")})
    world = World(flow).run()
    assert world.outcome == "SUCCEEDED"
    assert world.launches["for-loop-1[1]/work#1"].parameters == {"x": '"b"'}
    assert world.launches["join#1"].parameters == {
        "all": '["for-loop-1[0]/work","for-loop-1[1]/work","for-loop-1[2]/work"]'
    }
    assert world.launches["for-loop-1[1]/work#1"].task_root.endswith("/for-loop-1/1/work/1")


def test_a_failed_iteration_fails_the_loop_and_the_others_run():
    body = dag({"item": "STRING"}).task("work", taking("x"), {"x": dag_input("item")})
    world = World(pipeline().task("loop", body, items='["a","b"]'), results={"loop[0]/work": failed("boom")}).run()
    assert world.outcome == "FAILED"
    assert world.states["loop[1]"] == "SUCCEEDED"
    assert world.error("loop").message == "task 'loop[0]/work' failed: boom"


def test_an_empty_loop_succeeds_and_collects_nothing():
    body = dag({"item": "STRING"}).task("work", taking("x"), {"x": dag_input("item")}).returns("Output", "work")
    body.outputs["Output"] = {"parameterType": "LIST"}
    flow = pipeline().task("loop", body, items="[]")
    flow.task("join", container(inputs={"all": "LIST"}), {"all": output("loop")})
    world = World(flow).run()
    assert world.outcome == "SUCCEEDED"
    assert world.launches["join#1"].parameters == {"all": "[]"}
