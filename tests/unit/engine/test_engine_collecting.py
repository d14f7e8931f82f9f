"""What leaves a group: Collected of parameters and artifacts at every depth (ADR 0004), OneOf, and what is absent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.specs import Dag, artifact, container, dag, dag_input, output, pipeline
from builders.worlds import World, failed, succeeded

ODD = "int(inputs.parameter_values['item']) % 2 == 1"
JOIN = container(inputs={"all": "LIST"})


def arguments(world: World, attempt: str) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in world.launches[attempt].parameters.items()}


def body(*, when: str | None = None) -> Dag:
    """A loop's body: a leaf that says its own path, in a group that may have a condition."""
    leaf = container(
        inputs={"x": "STRING"}, outputs={"Output": "STRING"}, output_artifacts={"artifact": "system.Model"}
    )
    group = dag({"item": "NUMBER_INTEGER"}).task("leaf", leaf, {"x": dag_input("item")})
    group.returns("Output", "leaf").returns_artifact("artifact", ("leaf", "artifact"))
    made = dag({"item": "NUMBER_INTEGER"}).task("group", group, {"item": dag_input("item")}, when=when)
    return made.returns("Output", "group", type_="LIST").returns_artifact(
        "artifact", ("group", "artifact"), as_list=True
    )


def collecting(items: str, **loop: Any):
    flow = pipeline().task("loop", body(**loop), items=items)
    models = container(inputs={"all": "LIST"}).input_artifact("models", as_list=True)
    return flow.task("join", models, {"all": output("loop"), "models": artifact("loop")})


def collected(world: World) -> tuple[list[Any], int]:
    launch = world.launches["join#1"]
    return arguments(world, "join#1")["all"], len(launch.inputs["models"].artifacts)


def test_an_iteration_whose_producer_was_skipped_is_left_out():
    world = World(collecting("[1,2,3]", when=ODD)).run()
    assert world.outcome == "SUCCEEDED"
    assert collected(world) == (["loop[0]/group/leaf", "loop[2]/group/leaf"], 2)


@pytest.mark.parametrize("items", ["[]", "[2,4]"])
def test_no_iteration_or_none_with_a_value_gives_an_empty_list(items):
    world = World(collecting(items, when=ODD)).run()
    assert (world.outcome, collected(world)) == ("SUCCEEDED", ([], 0))


def test_a_failed_iteration_is_left_out_for_whoever_tolerates_it():
    flow = pipeline().task("loop", body(), items="[1,2]")
    flow.task("join", JOIN, {"all": output("loop")}, on_completion=True)
    world = World(flow, results={"loop[0]/group/leaf": failed()}).run()
    assert (world.outcome, arguments(world, "join#1")["all"]) == ("FAILED", ["loop[1]/group/leaf"])


def test_a_list_that_one_iteration_gives_stays_a_list():
    leaf = container(inputs={"x": "STRING"}, outputs={"Output": "LIST"})
    one = dag({"item": "STRING"}).task("leaf", leaf, {"x": dag_input("item")}).returns("Output", "leaf", type_="LIST")
    flow = pipeline().task("loop", one, items='["a","b"]').task("join", JOIN, {"all": output("loop")})
    world = World(flow, behaviour=lambda launch: succeeded({"Output": [1, 2]} if "loop" in launch.attempt.path else {}))
    assert arguments(world.run(), "join#1")["all"] == [[1, 2], [1, 2]]


def nest(depth: int) -> Dag:
    """`depth` loops one in another, each in a group of its own; the items of the next are the item of the last."""
    if depth == 0:
        return body(when=ODD)
    made = dag({"item": "LIST"}).task("again", nest(depth - 1), {"items": dag_input("item")}, over="items", item="item")
    made.tasks["again"][0].input("items", "LIST")
    made.returns("Output", "again", type_="LIST").returns_artifact("artifact", ("again", "artifact"), as_list=True)
    group = dag({"item": "LIST"}).task("inside", made, {"item": dag_input("item")})
    return group.returns("Output", "inside", type_="LIST").returns_artifact(
        "artifact", ("inside", "artifact"), as_list=True
    )


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2).flatmap(lambda depth: st.tuples(st.just(depth), _items(depth + 1))))
def test_nested_loops_give_one_flat_list_of_what_there_is(drawn):
    depth, items = drawn
    flow = pipeline().task("loop", nest(depth), items=json.dumps(items))
    models = container(inputs={"all": "LIST"}).input_artifact("models", as_list=True)
    flow.task("join", models, {"all": output("loop"), "models": artifact("loop")})
    world = World(flow, behaviour=echo).run()
    expected = [str(one) for one in _leaves(items) if one % 2]
    assert world.outcome == "SUCCEEDED"
    assert collected(world) == (expected, len(expected))


def _items(depth: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.integers(1, 9) if depth == 1 else _items(depth - 1), max_size=3)


def _leaves(items: Any) -> list[int]:
    return [items] if isinstance(items, int) else [leaf for one in items for leaf in _leaves(one)]


def echo(launch: Any) -> Any:
    given = launch.parameters.get("x")
    artifacts = {one.name: f"{launch.task_root}/{one.name}" for one in launch.output_artifacts}
    return succeeded({"Output": json.loads(given)} if given else {}, artifacts)
