"""Loops: where items come from, what a body sees, limits, items that cannot be taken, bodies that are no DAG; and OneOf."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders.specs import Dag, artifact, artifact_input, container, dag, dag_input, importer, output, pipeline
from builders.worlds import World, failed, succeeded, values
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import beginning
from headrace_scheduler.engine import facts as f

STEP = container(outputs={"Output": "STRING"})


def taking(**inputs: str):
    return container(inputs=inputs, outputs={"Output": "STRING"})


def arguments(world: World, attempt: str) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in world.launches[attempt].parameters.items()}


def uris(world: World, attempt: str, name: str) -> list[str]:
    return [one.uri for one in world.launches[attempt].inputs[name].artifacts]


# ---- items


@pytest.mark.parametrize(("type_", "given"), [("LIST", [1, "b", {"c": None}]), ("STRING", '[1, "b", {"c": null}]')])
def test_items_are_a_list_or_its_text(type_, given):
    body = dag({"item": "STRING"}).input("items", type_).task("work", taking(x="STRING"), {"x": dag_input("item")})
    flow = pipeline().input("all", type_).task("loop", body, {"items": dag_input("all")}, over="items")
    world = World(flow, {"all": given}).run()
    assert [arguments(world, f"loop[{i}]/work#1")["x"] for i in range(3)] == ["1", "b", '{"c":null}']


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": 1}', "loop 'loop': 'items' must be a list, it is STRUCT {\"a\":1}"),
        ("7", "loop 'loop': 'items' must be a list, it is NUMBER_INTEGER 7"),
        ("nonsense", "loop 'loop': the text in 'items' is not JSON: Expecting value at character 0"),
    ],
)
def test_what_is_no_list_is_named(text, sentence):
    body = dag({"item": "STRING", "items": "STRING"}).task("work", STEP)
    flow = pipeline().input("all").task("loop", body, {"items": dag_input("all")}, over="items")
    assert World(flow, {"all": text}).run().error("loop").message == sentence


def test_a_list_that_is_too_long_is_counted(monkeypatch):
    monkeypatch.setattr(beginning, "MAX_ITERATIONS", 2)
    body = dag({"item": "STRING", "items": "LIST"}).task("work", STEP)
    flow = pipeline().input("all", "LIST").task("loop", body, {"items": dag_input("all")}, over="items")
    assert World(flow, {"all": ["a", "b"]}).run().outcome == "SUCCEEDED"
    world = World(flow, {"all": ["a", "b", "c"]}).run()
    assert world.error("loop").message == "loop 'loop': 'items' has 3 items; a loop can have 2 iterations"


def test_a_list_of_artifacts_that_is_too_long_is_counted_too(monkeypatch):
    monkeypatch.setattr(beginning, "MAX_ITERATIONS", 1)
    body = dag().input_artifact("item").input_artifact("items", as_list=True).task("work", STEP)
    flow = pipeline().task("make", container().output_artifact("parts", as_list=True))
    flow.task("loop", body, {"items": artifact("make", "parts")}, over_artifacts="items")
    world = World(flow, results={"make": succeeded(artifacts={"parts": ["s3://b/0", "s3://b/1"]})}).run()
    assert world.states == {"make": "SUCCEEDED", "loop": "FAILED"}
    assert world.error("loop").message == "loop 'loop': 'items' has 2 items; a loop can have 1 iterations"


def test_nothing_at_all_is_no_list():
    body = dag({"item": "STRING", "items": "LIST"}).task("work", STEP)
    flow = pipeline().input("all", "LIST", optional=True)
    flow.task("loop", body, {"items": dag_input("all")}, over="items")
    assert World(flow).run().error("loop").message == "loop 'loop': 'items' must be a list, it is nothing"


def over(body: Dag, items: list[Any]) -> World:
    """A loop over a list that is not known before the run."""
    body.input("items", "LIST")
    flow = pipeline().input("all", "LIST").task("loop", body, {"items": dag_input("all")}, over="items")
    return World(flow, {"all": items}).run()


def test_an_item_of_the_wrong_type_fails_its_iteration_alone():
    body = dag({"item": "NUMBER_INTEGER"}).task("work", taking(x="NUMBER_INTEGER"), {"x": dag_input("item")})
    world = over(body, [1, "x", 3])
    assert [world.states[f"loop[{i}]"] for i in range(3)] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert world.error("loop[1]").message == (
        "item 1 of loop 'loop': input 'item' expects NUMBER_INTEGER, got STRING \"x\""
    )


def test_a_body_sees_the_whole_list_beside_its_item():
    body = dag({"item": "STRING", "items": "LIST"})
    body.task("work", taking(x="STRING", all="LIST"), {"x": dag_input("item"), "all": dag_input("items")})
    flow = pipeline().input("all", "LIST").task("loop", body, {"items": dag_input("all")}, over="items")
    world = World(flow, {"all": ["a", "b"]}).run()
    assert arguments(world, "loop[1]/work#1") == {"x": "b", "all": ["a", "b"]}


def test_selectors_of_a_loop_are_applied_once():
    """KFP applies those of the loop task again in each iteration, and loses the items for what is inside."""
    inner = dag({"n": "NUMBER_INTEGER", "numbers": "LIST", "name": "STRING"})
    inner.task("work", taking(x="NUMBER_INTEGER", name="STRING"), {"x": dag_input("n"), "name": dag_input("name")})
    outer = dag({"one": "STRUCT"}).task(
        "inner",
        inner,
        {"numbers": dag_input("one").field("numbers"), "name": dag_input("one").field("name").field("name")},
        over="numbers",
        item="n",
    )
    outer.tasks["inner"][1]["inputs"]["parameters"]["name"] = dag_input("one").field("name").source
    items = [{"name": '{"name": "twice"}', "numbers": [1, 2]}]
    world = World(pipeline().task("outer", outer, items=json.dumps(items), item="one")).run()
    assert arguments(world, "outer[0]/inner[1]/work#1") == {"x": 2, "name": '{"name": "twice"}'}


def test_a_null_item_is_empty_text_or_absent():
    texts = dag({"item": "STRING"}).task("work", taking(x="STRING"), {"x": dag_input("item")})
    assert arguments(over(texts, [None]), "loop[0]/work#1") == {"x": ""}
    numbers = dag({"item": "NUMBER_INTEGER"})
    numbers.task("work", container().input("x", "NUMBER_INTEGER", default=7), {"x": dag_input("item")})
    world = over(numbers, [None, 3])
    assert [arguments(world, f"loop[{i}]/work#1")["x"] for i in range(2)] == [7, 3]


# ---- bodies


def test_a_container_may_be_the_body_of_a_loop():
    flow = pipeline().task("loop", taking(x="STRING", y="STRING"), {"y": "same"}, items='["a","b"]', item="x")
    flow.task("join", container(inputs={"all": "LIST"}), {"all": output("loop")})
    world = World(flow, results={"loop[0]": succeeded({"Output": "A"}), "loop[1]": succeeded({"Output": "B"})}).run()
    assert arguments(world, "loop[1]#1") == {"x": "b", "y": "same"}
    assert arguments(world, "join#1") == {"all": ["A", "B"]}


def test_constants_of_a_container_loop_are_filled_with_the_item():
    given = {"text": "{{$.inputs.parameters['x']}} of {{$.inputs.parameters['y']}}", "y": "two"}
    flow = pipeline().task("loop", taking(x="STRING", y="STRING", text="STRING"), given, items='["a","b"]', item="x")
    world = World(flow).run()
    assert arguments(world, "loop[1]#1") == {"x": "b", "y": "two", "text": "b of two"}


def test_each_iteration_of_a_container_retries_for_itself():
    flow = pipeline().task("loop", taking(x="STRING"), items='["a","b"]', item="x", retry={"maxRetryCount": 1})
    world = World(flow, results={"loop[0]#1": failed()}).run()
    assert [world.rows.tasks[f"loop[{i}]"].attempts for i in range(2)] == [2, 1]


def test_an_importer_may_be_the_body_of_a_loop():
    flow = pipeline().task("loop", importer(), items='["s3://b/0","s3://b/1"]', item="uri")
    flow.task("join", container().input_artifact("all", as_list=True), {"all": artifact("loop")})
    assert uris(World(flow).run(), "join#1", "all") == ["s3://b/0", "s3://b/1"]


def test_a_container_may_go_over_artifacts():
    made = container().output_artifact("parts", as_list=True)
    read = container(outputs={"Output": "STRING"}).input_artifact("one").input_artifact("parts", as_list=True)
    flow = pipeline().task("make", made)
    flow.task("loop", read, {"parts": artifact("make", "parts")}, over_artifacts="parts", item="one")
    world = World(flow, results={"make": succeeded(artifacts={"parts": ["s3://b/0", "s3://b/1"]})}).run()
    assert uris(world, "loop[1]#1", "one") == ["s3://b/1"]
    assert uris(world, "loop[1]#1", "parts") == ["s3://b/0", "s3://b/1"]


def test_a_loop_over_no_artifacts_succeeds():
    body = dag().input_artifact("one").input_artifact("parts", as_list=True).task("work", STEP)
    flow = pipeline().task("make", container().output_artifact("parts", as_list=True))
    flow.task("loop", body, {"parts": artifact("make", "parts")}, over_artifacts="parts", item="one")
    world = World(flow, results={"make": succeeded()}).run()
    assert (world.outcome, world.rows.tasks["loop"].iteration_count) == ("SUCCEEDED", 0)


def test_lists_of_artifacts_pass_through_groups_whole():
    """KFP keeps one element where a list goes through the input of a DAG."""
    leaf = container().input_artifact("all", as_list=True)
    inner = dag().input_artifact("all", as_list=True).task("leaf", leaf, {"all": artifact_input("all")})
    outer = dag().input_artifact("all", as_list=True).task("inner", inner, {"all": artifact_input("all")})
    flow = pipeline().task("make", container().output_artifact("parts", as_list=True))
    flow.task("outer", outer, {"all": artifact("make", "parts")})
    parts = ["s3://b/0", "s3://b/1", "s3://b/2"]
    world = World(flow, results={"make": succeeded(artifacts={"parts": parts})}).run()
    assert uris(world, "outer/inner/leaf#1", "all") == parts


def test_an_output_list_keeps_every_entry():
    flow = pipeline().task("make", container().output_artifact("parts", as_list=True))
    flow.returns_artifact("parts", ("make", "parts"), as_list=True)
    world = World(flow, results={"make": succeeded(artifacts={"parts": ["s3://b/0", "s3://b/1"]})}).run()
    assert world.outputs() == {"parts": ["s3://b/0", "s3://b/1"]}


# ---- limits


def running(world: World) -> list[str]:
    return sorted(path for path, _, _ in world.state.in_flight())


def test_a_limit_holds_for_each_execution_of_a_loop():
    inner = dag({"n": "NUMBER_INTEGER"}).task("work", STEP)
    outer = dag({"item": "STRING"}).task("inner", inner, items="[1,2,3]", item="n", parallelism=1)
    flow = pipeline().task("outer", outer, items='["a","b","c"]', parallelism=2)
    world = World(flow, behaviour=lambda launch: None).run()
    assert running(world) == ["outer[0]/inner[0]/work", "outer[1]/inner[0]/work"]
    world.tell(f.AttemptEnded("outer[1]/inner[0]/work", 1, succeeded({"Output": "x"})))
    world.run()
    assert running(world) == ["outer[0]/inner[0]/work", "outer[1]/inner[1]/work"]
    for number in (1, 2):
        world.tell(f.AttemptEnded(f"outer[1]/inner[{number}]/work", 1, failed()))
        world.run()
    assert running(world) == ["outer[0]/inner[0]/work", "outer[2]/inner[0]/work"]


def test_a_big_loop_is_expanded_in_parts_and_says_so():
    flow = pipeline().task("loop", taking(x="NUMBER_INTEGER"), items=json.dumps(list(range(3000))), item="x")
    world = World(flow)
    first = world.take()
    assert first.more
    assert world.rows.tasks["loop"].iteration_count - len(world.rows.tasks) > 1000
    assert world.rows.tasks["loop"].waiting_on.cause == ev.EXPANSION
    assert world.rows.tasks["loop"].waiting_on.detail == "3000 tasks are being created"
    assert any(getattr(one, "path", "") == "loop[0]" for one in world.commands), (
        "the first starts before the last exists"
    )
    world.reload()
    world.tell()
    assert len(world.rows.tasks) == 3001
    assert not world.rows.tasks["loop"].waiting_on.cause


@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize("body", ["container", "dag", "nested"])
def test_a_limit_holds_when_a_run_is_retried(body, reload):
    """The retry opens all that failed again; they take their turns."""
    leaf = dag({"item": "STRING"}).task("a", STEP).task("b", STEP, after=["a"])
    bodies = {"container": taking(item="STRING"), "dag": leaf}
    bodies["nested"] = dag({"item": "STRING"}).task("inner", leaf, items='["x","y"]', parallelism=1)
    flow = pipeline().task("loop", bodies[body], items='["a","b","c","d"]', parallelism=2)
    done = succeeded({"Output": "x"})
    world = World(flow, behaviour=lambda launch: done if "loop[1]" in launch.attempt.path else failed()).run()
    assert world.outcome == "FAILED"
    world.behaviour = lambda launch: None
    world.tell(f.RetryRequested())
    most, ran = 0, set()
    while not world.state.is_terminal:
        if reload:
            world.reload()
        world.run()
        now = running(world)
        loops = {path.partition("/")[0] for path in now}
        assert len(now) == len(loops) <= 2, now
        most, ran = max(most, len(now)), ran | loops
        world.tell(f.AttemptEnded(now[-1], world.rows.tasks[now[-1]].attempts, done))
    assert (world.outcome, most, ran) == ("SUCCEEDED", 2, {"loop[0]", "loop[2]", "loop[3]"})


def test_who_waits_for_a_turn_says_so():
    flow = pipeline().task("loop", taking(item="STRING"), items='["a","b","c"]', parallelism=1)
    world = World(flow, results={f"loop[{i}]#1": failed() for i in range(3)}, behaviour=lambda launch: None).run()
    world.tell(f.RetryRequested())
    world.run()
    assert world.rows.tasks["loop"].waiting_on.detail == "at most 1 of 3 iterations run at a time"
    assert world.rows.tasks["loop[2]"].waiting_on.detail == "at most 1 iterations of 'loop' run at a time"
    for number in range(3):
        world.tell(f.AttemptEnded(f"loop[{number}]", 2, succeeded({"Output": "x"})))
        world.run()
    assert world.outcome == "SUCCEEDED"
    waits = [one.task_waiting.waiting_on.cause for one in world.events if one.HasField("task_waiting")]
    assert waits.count(ev.PARALLELISM) >= 2


# ---- OneOf


def branches(*conditions: str, nested: int = 0) -> Dag:
    made = dag({"coin": "STRING"})
    choices = []
    for number, condition in enumerate(conditions):
        made_by = container(outputs={"Output": "STRING"}, output_artifacts={"artifact": "system.Model"})
        branch = dag({"coin": "STRING"}).task("say", made_by)
        branch.returns("Output", "say").returns_artifact("artifact", ("say", "artifact"))
        for _ in range(nested):
            branch = dag({"coin": "STRING"}).task("in", branch, {"coin": dag_input("coin")})
            branch.returns("Output", "in").returns_artifact("artifact", ("in", "artifact"))
        when = f"inputs.parameter_values['coin'] == '{condition}'"
        made.task(f"branch-{number}", branch, {"coin": dag_input("coin")}, when=when)
        choices.append(f"branch-{number}")
    made.returns_one_of("Output", *[(one, "Output") for one in choices])
    return made.returns_artifact("artifact", *[(one, "artifact") for one in choices])


def choosing(*conditions: str, nested: int = 0):
    flow = pipeline().input("coin").task("branches", branches(*conditions, nested=nested), {"coin": dag_input("coin")})
    after = container().input("x", default="nobody").input_artifact("m", optional=True)
    return flow.task("after", after, {"x": output("branches"), "m": artifact("branches")})


@pytest.mark.parametrize("nested", [0, 2])
@pytest.mark.parametrize("coin", ["a", "b", "c"])
def test_one_of_gives_what_the_branch_that_ran_made(coin, nested):
    world = World(choosing("a", "b", "c", nested=nested), {"coin": coin}).run()
    path = f"branches/branch-{'abc'.index(coin)}" + "/in" * nested + "/say"
    assert arguments(world, "after#1") == {"x": path}
    assert [one.rpartition("/1/")[0].endswith(path) for one in uris(world, "after#1", "m")] == [True]


def test_one_of_takes_a_branch_in_which_everything_came_from_the_cache():
    """KFP's state of such a branch stays RUNNING, so its value is not found."""
    outputs = values({"Output": "cached"}, {"artifact": "s3://b/cached"})
    flow = choosing("a", "b")
    for component, spec in flow.tasks["branches"][0].tasks.values():
        component.tasks["say"][1]["cachingOptions"] = {"enableCache": True}
        assert spec
    world = World(flow, {"coin": "b"}, enable_cache=None, hits={"branches/branch-1/say": outputs}).run()
    assert (world.rows.tasks["branches/branch-1/say"].cached, world.states["branches"]) == (True, "SUCCEEDED")
    assert (arguments(world, "after#1"), uris(world, "after#1", "m")) == ({"x": "cached"}, ["s3://b/cached"])


def test_one_of_with_no_branch_that_ran_is_absent():
    flow = choosing("a", "b").task("needs", taking(x="STRING"), {"x": output("branches")})
    world = World(flow, {"coin": "c"}).run()
    assert (world.states["branches"], world.outputs("branches")) == ("SUCCEEDED", {})
    assert (arguments(world, "after#1"), dict(world.launches["after#1"].inputs)) == ({"x": "nobody"}, {})
    assert world.error("needs").message == (
        "task 'needs': input 'x' (STRING) has no value: its source gave none and it has no default"
    )


def test_one_of_does_not_take_a_branch_that_failed():
    world = World(choosing("a", "a"), {"coin": "a"}, results={"branches/branch-0/say": failed()})
    flow = world.flow
    flow.tasks["after"][1]["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    world = World(flow, {"coin": "a"}, results={"branches/branch-0/say": failed()}).run()
    assert arguments(world, "after#1") == {"x": "branches/branch-1/say"}
    assert world.rows.run.state == ev.RUN_FAILED
