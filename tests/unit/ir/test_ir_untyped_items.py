"""Items of lists that say nothing of them: which inputs are left open, and which keep the type that is declared."""

from __future__ import annotations

from typing import Any

import pytest

from builders.specs import Component, container, dag, dag_input, output, pipeline
from headrace_ir.plan import compile_plan
from headrace_ir.reading import Package, read_spec
from headrace_ir.validating import validate
from headrace_protos.v1 import plan_pb2

ITEM = "pipelinechannel--items-loop-item"
NUMBER = container(inputs={"x": "NUMBER_INTEGER"}, outputs={"Output": "STRING"})
TEXT = container(inputs={"x": "STRING"}, outputs={"Output": "STRING"})


def over(body: Component, /, *, item: str = ITEM, **options: Any) -> Package:
    """A loop over a run's list."""
    flow = pipeline().input("items", "LIST")
    where = {"items": options["items"]} if options else {"over": "items"}
    flow.task("loop", body, {} if options else {"items": dag_input("items")}, item=item, **where)
    return read_spec(flow.build())


def opened(package: Package) -> list[tuple[str, str]]:
    return [
        (component.name, name)
        for component in package.spec.components.values()
        for name, declared in component.inputs.items()
        if declared.open
    ]


def said(package: Package) -> list[str]:
    return [str(problem) for problem in validate(package)]


def body(component: Component, name: str = ITEM) -> Any:
    return dag({name: "STRING"}).input("items", "LIST", optional=True).task("work", component, {"x": dag_input(name)})


def test_an_item_that_is_taken_as_a_number_is_left_open() -> None:
    package = over(body(NUMBER))
    assert opened(package) == [("comp-loop", ITEM)]
    assert said(package) == []
    (_, loop) = compile_plan(package).dags
    assert {one.name: one.type for one in loop.parameters}[ITEM] == plan_pb2.PARAMETER_TYPE_UNSPECIFIED


def test_it_stays_open_in_the_groups_inside() -> None:
    inner = dag({ITEM: "STRING", "pipelinechannel--other": "STRING"}).task("work", NUMBER, {"x": dag_input(ITEM)})
    outer = dag({ITEM: "STRING"}).input("items", "LIST", optional=True)
    outer.task("text", TEXT, {"x": dag_input(ITEM)})
    outer.task("group", inner, {ITEM: dag_input(ITEM), "pipelinechannel--other": "1"})
    package = over(outer)
    assert sorted(opened(package)) == [("comp-group", ITEM), ("comp-loop", ITEM)]
    assert said(package) == []


def test_an_item_that_is_taken_as_a_text_alone_is_a_text() -> None:
    package = over(body(TEXT))
    assert opened(package) == []


def test_a_field_of_an_item_opens_nothing() -> None:
    chosen = dag_input(ITEM).field("n")
    package = over(dag({ITEM: "STRING"}).input("items", "LIST", optional=True).task("work", NUMBER, {"x": chosen}))
    assert (opened(package), said(package)) == ([], [])


@pytest.mark.parametrize("name", ["x", "item"])
def test_an_input_that_an_author_has_typed_stays_typed(name: str) -> None:
    package = over(body(NUMBER, name), item=name)
    assert opened(package) == []
    assert [one.partition(": ")[2] for one in said(package)] == [
        f"'{name}' is STRING, but the input 'x' is declared NUMBER_INTEGER"
    ]


def test_a_nested_pipelines_own_input_is_as_strict_as_before() -> None:
    nested = dag({"x": "STRING"}).task("work", NUMBER, {"x": dag_input("x")})
    package = over(body(nested))
    assert opened(package) == []
    assert [one.partition(": ")[2] for one in said(package)] == [
        "'x' is STRING, but the input 'x' is declared NUMBER_INTEGER"
    ]


def test_a_list_that_is_written_down_is_checked_item_by_item() -> None:
    package = over(body(NUMBER), items='[1, "a"]')
    assert opened(package) == []
    assert len(said(package)) == 1


def test_a_nested_pipeline_may_take_it_as_a_number() -> None:
    nested = dag({"x": "NUMBER_INTEGER"}).task("work", NUMBER, {"x": dag_input("x")})
    package = over(body(nested))
    assert (opened(package), said(package)) == ([("comp-loop", ITEM)], [])


def test_what_a_loop_is_not_over_is_refused_as_before() -> None:
    flow = pipeline().task("make", container(outputs={"Output": "STRING"}))
    flow.task("work", NUMBER, {"x": output("make")})
    assert [one.partition(": ")[2] for one in said(read_spec(flow.build()))] == [
        "'Output' of 'make' is STRING, but the input 'x' is declared NUMBER_INTEGER"
    ]


def test_groups_in_a_circle_are_followed_to_an_end() -> None:
    """A pipeline that nobody can run; what it is refused for is another check's."""
    flow = pipeline().input("items", "LIST")
    flow.task("loop", body(TEXT), {"items": dag_input("items")}, over="items", item=ITEM)
    document = flow.build()
    (work,) = document["components"]["comp-loop"]["dag"]["tasks"].values()
    work["componentRef"]["name"] = "comp-loop"
    work["inputs"]["parameters"] = {ITEM: {"componentInputParameter": ITEM}}
    package = read_spec(document)
    assert opened(package) == []
    assert said(package) != []
