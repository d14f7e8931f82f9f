"""A retry of the run, where groups come after what runs again: they run from their beginning, with new inputs, inside the same
executions. Aspects: loops that get longer or shorter, groups that are skipped now, groups that had failed, large ones, deaths.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from builders.specs import Dag, container, dag, dag_input, output, pipeline
from builders.worlds import World, failed, succeeded
from headrace_protos.v1 import plan_pb2
from headrace_scheduler.engine import Step
from headrace_scheduler.engine import facts as f

STEP = container(outputs={"Output": "STRING"})
ECHO = container(inputs={"x": "STRING"}, outputs={"Output": "STRING"})


@dataclass
class Measured(World):
    """Keeps how many events each step had."""

    sizes: list[int] = field(default_factory=list)

    def take(self, *facts: f.Fact) -> Step:
        taken = super().take(*facts)
        self.sizes.append(len(taken.events))
        return taken


def tolerant(type_: str = "LIST"):
    """Puts out its input, which is a default where the task before it has failed."""
    default: Any = ["x", "y"] if type_ == "LIST" else "none"
    return container(outputs={"Output": type_}).input("given", type_, default=default)


def behaviour(launch: Any) -> Any:
    """Tasks put out what they are given; `a` fails at first."""
    if launch.attempt.path == "a" and launch.attempt.number == 1:
        return failed()
    given = {name: json.loads(text) for name, text in launch.parameters.items()}
    done = ["one"] if launch.output_parameters["Output"] == plan_pb2.LIST else "done"
    return succeeded({"Output": given.get("given", given.get("x", done))})


def looping(body: Dag | None = None):
    """A task that fails, one that does not mind, and a loop over what that gives."""
    if body is None:
        body = dag({"item": "STRING"}).task("leaf", ECHO, {"x": dag_input("item")}).returns("Output", "leaf")
        body.outputs["Output"] = {"parameterType": "LIST"}
    body.input("items", "LIST")
    flow = pipeline().task("a", container(outputs={"Output": "LIST"}))
    flow.task("b", tolerant(), {"given": output("a")}, on_completion=True)
    flow.task("loop", body, {"items": output("b")}, over="items")
    return flow.returns("all", "loop", type_="LIST")


@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize("items", [["one"], ["one", "two"], ["one", "two", "three"], []])
def test_a_loop_that_ended_well_goes_over_its_new_items(items, reload):
    def after(launch: Any) -> Any:
        is_first = launch.attempt.path == "a" and launch.attempt.number == 2
        return succeeded({"Output": items}) if is_first else behaviour(launch)

    world = World(looping(), behaviour=after).run()
    assert (world.outcome, world.outputs()) == ("FAILED", {"all": ["x", "y"]})
    world.tell(f.RetryRequested())
    for _ in range(100):
        if world.state.is_terminal:
            break
        if reload:
            world.reload()
            world.tell()
        commands, world.commands = world.commands, []
        world.tell(*[fact for command in commands for fact in world.answer(command)])
    assert (world.outcome, world.outputs()) == ("SUCCEEDED", {"all": items})
    states = [world.states[f"loop[{i}]"] for i in range(max(len(items), 2))]
    assert states == ["SUCCEEDED"] * len(items) + ["SKIPPED"] * (2 - len(items))
    if len(items) == 1:
        assert world.skip_reason("loop[1]") == "the loop has 1 items now"
        assert world.skip_reason("loop[1]/leaf") == "upstream skipped: loop[1]"
    if items:
        assert world.rows.tasks["loop[0]/leaf"].attempts == 2, "attempts are numbered on"


def test_a_group_that_is_not_wanted_any_more_is_skipped_with_all_that_was_in_it():
    inner = dag({"x": "STRING"}).task("leaf", STEP)
    group = dag({"x": "STRING"}).task("inner", inner, {"x": dag_input("x")})
    flow = pipeline().task("a", STEP).task("b", tolerant("STRING"), {"given": output("a")}, on_completion=True)
    flow.task("group", group, {"x": output("b")}, when="inputs.parameter_values['x'] == 'none'")
    flow.task("after", STEP, after=["group"])
    world = World(flow, behaviour=behaviour).run()
    assert world.states["group/inner/leaf"] == "SUCCEEDED"
    world.tell(f.RetryRequested())
    world.run()
    inside = {"group": "SKIPPED", "group/inner": "SKIPPED", "group/inner/leaf": "SKIPPED", "after": "SKIPPED"}
    assert (world.outcome, world.states) == ("SUCCEEDED", {"a": "SUCCEEDED", "b": "SUCCEEDED", **inside})
    assert world.skip_reason("group/inner/leaf") == "upstream skipped: group/inner"


def test_a_group_that_failed_gets_its_new_inputs():
    group = dag({"x": "STRING"}).task("leaf", ECHO, {"x": dag_input("x")}).task("ok", STEP)
    flow = pipeline().task("a", STEP).task("b", tolerant("STRING"), {"given": output("a")}, on_completion=True)
    flow.task("group", group, {"x": output("b")})
    world = World(flow, results={"group/leaf#1": failed()}, behaviour=behaviour).run()
    world.tell(f.RetryRequested())
    world.run()
    assert (world.outcome, world.outputs("group/leaf")) == ("SUCCEEDED", {"Output": "done"})
    assert world.rows.tasks["group/ok"].attempts == 2, "it comes after what ran again"


def test_a_group_that_failed_by_itself_keeps_what_it_has_done():
    group = dag({"x": "STRING"}).task("leaf", ECHO, {"x": dag_input("x")}).task("ok", STEP)
    world = World(pipeline().task("group", group, {"x": "x"}), results={"group/leaf#1": failed()}).run()
    world.tell(f.RetryRequested())
    world.run()
    assert (world.outcome, world.rows.tasks["group/ok"].attempts) == ("SUCCEEDED", 1)


def test_a_group_that_waits_for_its_beginning_can_be_cancelled_with_all_that_is_in_it():
    world = World(looping(), behaviour=behaviour).run()
    world.behaviour = lambda launch: None
    world.tell(f.RetryRequested())
    world.run()
    assert world.states["loop[0]/leaf"] == "PENDING"
    world.tell(f.TerminateRequested())
    world.run()
    assert (world.outcome, set(world.states.values())) == ("CANCELED", {"CANCELED"})
    world.behaviour = behaviour
    world.tell(f.RetryRequested())
    world.run()
    assert (world.outcome, world.outputs()) == ("SUCCEEDED", {"all": ["one"]})


@pytest.mark.parametrize("items", [1500, 900, 3])
def test_a_large_loop_runs_again_in_parts(items):
    body = dag({"item": "STRING"}).task("leaf", ECHO, {"x": dag_input("item")})
    flow = pipeline().task("a", container(outputs={"Output": "LIST"}))
    flow.task("b", tolerant(), {"given": output("a")}, on_completion=True)
    flow.task("loop", body.input("items", "LIST"), {"items": output("b")}, over="items", parallelism=100)
    first = [str(number) for number in range(1200)]

    def twice(launch: Any) -> Any:
        if launch.attempt.path == "b":
            count = {1: 1200, 2: items}[launch.attempt.number]
            return succeeded({"Output": [str(number) for number in range(count)]})
        return behaviour(launch)

    world = Measured(flow, behaviour=twice)
    world.run()
    assert (world.outcome, world.rows.tasks["loop"].iteration_count) == ("FAILED", len(first))
    world.reload()
    world.sizes.clear()
    step = world.take(f.RetryRequested())
    while step.more:
        world.reload()
        step = world.take()
    world.run()
    assert max(world.sizes) < 2200
    assert (world.outcome, world.rows.tasks["loop"].iteration_count) == ("SUCCEEDED", items)
    ran = [task for path, task in world.rows.tasks.items() if path.endswith("leaf") and task.attempts == 2]
    assert len(ran) == min(items, 1200)
