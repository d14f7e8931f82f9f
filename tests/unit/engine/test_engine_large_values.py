"""Values above 32 KiB: by reference through the engine, contents asked for only where they decide, and nothing lost when the
replica dies between any two steps.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders.specs import constant, container, dag, dag_input, output, pipeline
from builders.worlds import World, plain, succeeded
from headrace_ir.references import ValueRef, digest_of
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import RunState, fold
from headrace_scheduler.engine import commands as c

LONG = "x" * 40_000
LIST = [LONG[:300]] * 200
STRUCT = {"kind": "good", "rest": LIST}
MAKE = {
    "STRING": container(outputs={"Output": "STRING"}),
    "LIST": container(outputs={"Output": "LIST"}),
    "STRUCT": container(outputs={"Output": "STRUCT"}),
}


class Dying(World):
    """A replica that dies after every append: what it asked for is asked again by the next one."""

    def tell(self, *facts: Any) -> tuple[ev.Event, ...]:
        events = super().tell(*facts)
        if events and not self.state.is_terminal:
            self.reload()
        return events


WORLDS = pytest.mark.parametrize("kind", [World, Dying])


def made(kind: Any, value: Any, *tasks: Any) -> Any:
    """A run in which `make` gives VALUE."""
    name = {str: "STRING", list: "LIST", dict: "STRUCT"}[type(value)]
    flow = pipeline().task("make", MAKE[name])
    for task in tasks:
        task(flow)
    world = kind(flow, results={"make": succeeded({"Output": value})})
    world.run()
    return world


def given(world: World, attempt: str) -> dict[str, Any]:
    launch = world.launches[attempt]
    inline = {name: json.loads(text) for name, text in launch.parameters.items()}
    return inline | {name: json.loads(world.contents[ref.uri]) for name, ref in launch.references.items()}


def first(world: World) -> Any:
    """The run as it was delivered."""
    snapshot = World(world.flow, world.inputs).rows.snapshot()
    return snapshot


def sizes(world: World) -> int:
    """The longest value in any event."""
    texts = [len(event.SerializeToString()) for event in world.events]
    return max(texts)


@WORLDS
@pytest.mark.parametrize("value", [LONG, LIST, STRUCT])
def test_a_large_output_passes_on_by_reference_without_being_read(kind, value):
    declared = {str: "STRING", list: "LIST", dict: "STRUCT"}[type(value)]
    use = container(["use", "--x={{$.inputs.parameters['x']}}"], inputs={"x": declared})
    inner = dag({"x": declared}).task("use", use, {"x": dag_input("x")})
    world = made(kind, value, lambda flow: flow.task("group", inner, {"x": output("make")}))
    launch = world.launches["group/use#1"]
    data = json.dumps(value, separators=(",", ":")).encode()
    uri = f"file:///store/pipeline/{world.state.run_id}/values/{digest_of(data).removeprefix('sha256:')}"
    assert world.outcome == "SUCCEEDED"
    assert launch.references["x"] == ValueRef(uri, len(data), digest_of(data), declared)
    assert launch.command[1] == [{"t": "--x="}, {"p": "inputs.parameters['x']"}]
    assert not any(isinstance(command, c.ReadValues) for command in world.commands)
    assert sizes(world) < 4096


@WORLDS
def test_a_loop_goes_over_a_large_list(kind):
    body = dag({"item": "STRING"}).task(
        "leaf", container(inputs={"x": "STRING"}, outputs={"Output": "STRING"}), {"x": dag_input("item")}
    )
    body.returns("Output", "leaf")
    world = made(
        kind,
        LIST,
        lambda flow: flow.task("loop", body, {"list": output("make")}, over="list"),
        lambda flow: flow.task("join", container(inputs={"all": "LIST"}), {"all": output("loop")}),
    )
    assert world.outcome == "SUCCEEDED"
    assert given(world, "loop[7]/leaf#1") == {"x": LIST[7]}
    assert len(given(world, "join#1")["all"]) == len(LIST)
    assert sizes(world) < 4096


def test_a_loop_over_more_items_than_a_step_holds_stores_each_list_once():
    items = [f"{number:030}" for number in range(1500)]
    leaf = container(inputs={"x": "STRING"}, outputs={"Output": "STRING"})
    body = dag({"item": "STRING"}).task("leaf", leaf, {"x": dag_input("item")}).returns("Output", "leaf")
    flow = pipeline().input("items", "LIST").task("loop", body, {"items": dag_input("items")}, over="items")
    flow.task("join", container(inputs={"all": "LIST"}), {"all": output("loop")}).returns(
        "Output", "loop", type_="LIST"
    )
    world = World(flow, inputs={"items": items}, behaviour=lambda launch: succeeded(json_of(launch))).run()
    assert world.outcome == "SUCCEEDED"
    assert len(world.contents) == 1  # what goes in comes out, and equal lists are one
    assert world.outputs() == {"Output": items} == {"Output": given(world, "join#1")["all"]}


def json_of(launch: Any) -> dict[str, Any]:
    """Every output is the input."""
    return {name: json.loads(launch.parameters["x"]) for name in launch.output_parameters}


@WORLDS
@pytest.mark.parametrize("nested", [False, True])
def test_collected_lists_are_joined_from_parts(kind, nested):
    leaf = container(inputs={"x": "NUMBER_INTEGER"}, outputs={"Output": "STRING"})
    body = dag({"item": "NUMBER_INTEGER"}).task("leaf", leaf, {"x": dag_input("item")}).returns("Output", "leaf")
    if nested:
        inner = body
        body = dag({"item": "NUMBER_INTEGER"}).task("inner", inner, items="[0,1]")
        body.returns("Output", "inner", type_="LIST")

    def behaviour(launch: Any) -> Any:
        number = int(json.loads(launch.parameters.get("x", "0")))
        return succeeded(dict.fromkeys(launch.output_parameters, LONG if number else "small"))

    flow = pipeline().task("loop", body, items="[0,1]")
    flow.task("join", container(inputs={"all": "LIST"}), {"all": output("loop")})
    world = kind(flow, behaviour=behaviour).run()
    assert world.outcome == "SUCCEEDED"
    assert given(world, "join#1")["all"] == ["small", LONG] * (2 if nested else 1)
    reference = world.launches["join#1"].references["all"]
    assert reference.size == len(world.contents[reference.uri])
    assert reference.type == "LIST"


@WORLDS
def test_conditions_selectors_constants_and_texts_read_contents(kind):
    echo = container(inputs={"x": "STRING"})
    text = "inputs.parameter_values['x'].startsWith('xxx')"
    world = made(
        kind,
        LONG,
        lambda flow: flow.task("when", echo, {"x": output("make")}, when=text),
        lambda flow: flow.task("embed", echo, {"x": constant("<{{$.inputs.parameters['y']}}>"), "y": output("make")}),
    )
    assert world.states == {"make": "SUCCEEDED", "when": "SUCCEEDED", "embed": "SUCCEEDED"}
    assert given(world, "embed#1")["x"] == f"<{LONG}>"
    picked = made(kind, STRUCT, lambda flow: flow.task("pick", echo, {"x": output("make").field("kind")}))
    assert given(picked, "pick#1") == {"x": "good"}
    as_text = made(kind, LIST, lambda flow: flow.task("text", echo, {"x": output("make")}))
    assert given(as_text, "text#1") == {"x": json.dumps(LIST, separators=(",", ":"))}


def test_a_reference_of_the_wrong_type_fails_its_producer_without_being_read():
    wrong = succeeded()
    wrong.outputs.parameters["Output"].CopyFrom(ev.Value(uri="file:///store/a", size=40_002, type="STRING"))
    world = World(pipeline().task("make", MAKE["LIST"]), results={"make": wrong}).run()
    assert world.error("make").reason == "WrongOutput"
    assert world.error("make").message == "output 'Output' expects LIST, got a STRING of 40002 bytes"


def test_a_value_that_is_gone_fails_the_task_that_needs_it():
    flow = pipeline().task("make", MAKE["LIST"])
    flow.task("loop", dag({"item": "STRING"}).task("leaf", container()), {"l": output("make")}, over="l")
    world = World(flow)
    gone = succeeded()
    gone.outputs.parameters["Output"].CopyFrom(
        ev.Value(uri="file:///store/gone", size=40_000, digest="sha256:0", type="LIST")
    )
    world.results = {"make": gone}
    world.run()
    assert world.outcome == "FAILED"
    assert (world.error("loop").reason, world.error("loop").message) == ("MissingInput", "task 'loop': it is gone")


def test_a_value_above_the_limit_fails_whoever_makes_it():
    flow = pipeline().task("make", MAKE["STRING"])
    world = World(flow, results={"make": succeeded({"Output": LONG})})
    world.plan.max_value_bytes = 40_001
    world.run()
    assert world.error("make").message == (
        "output 'Output' is 40002 bytes long, above the limit of 40001: write large data to an artifact"
    )
    leaf = container(outputs={"Output": "STRING"})
    body = dag({"item": "NUMBER_INTEGER"}).task("leaf", leaf).returns("Output", "leaf")
    world = World(
        pipeline().task("loop", body, items="[0,1,2]"), behaviour=lambda launch: succeeded({"Output": LONG[:20_000]})
    )
    world.plan.max_value_bytes = 60_000
    world.run()
    assert world.error("loop").message == (
        "task 'loop': output 'Output' is 60010 bytes long, above the limit of 60000: write large data to an artifact"
    )


def test_large_parameters_of_a_run_are_stored_when_it_starts():
    use = container(inputs={"x": "STRING"})
    flow = pipeline().input("x", "STRING").task("use", use, {"x": dag_input("x")})
    world = World(flow, inputs={"x": LONG}).run()
    assert world.outcome == "SUCCEEDED"
    assert given(world, "use#1") == {"x": LONG}
    assert plain(world.rows.run.inputs, world.contents) == {"x": LONG}
    assert len(world.rows.run.inputs.parameters["x"].SerializeToString()) < 400


def test_equal_contents_have_one_cache_key_and_fold_is_load():
    world = made(World, LIST, lambda flow: flow.task("use", container(inputs={"x": "LIST"}), {"x": output("make")}))
    again = fold(world.plan, first(world), world.events)
    loaded = RunState.load(world.plan, world.rows.snapshot())
    for path in ("make", "use"):
        assert plain(again.known(path).inputs.message()) == plain(loaded.known(path).inputs.message())
        assert plain(again.known(path).outputs.message()) == plain(loaded.known(path).outputs.message())
