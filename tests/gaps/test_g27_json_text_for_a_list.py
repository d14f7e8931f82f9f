"""G27: JSON text where a list or a struct is declared."""

from __future__ import annotations

import pytest

from builders.specs import container, dag, dag_input, output, pipeline
from gaps.gap import Gap
from gaps.shells import OUTPUT, given

GAP = Gap(
    "G27",
    "A string is given where LIST or STRUCT is declared",
    kfp="an error that names neither the input nor the kind, in some places only; loops take the same text",
    here="never converted, so that a string stays a string; the sentence names input, type and value, and says what to do",
)
AS_TEXT = "JSON text is not parsed, pass the value itself"


def taking(declared: str):
    return container(["sh", "-ec", 'printf %s "$1" > "$0"', OUTPUT, given("x")], inputs={"x": declared}).output()


@pytest.mark.parametrize(("declared", "text"), [("LIST", "[1, 2]"), ("STRUCT", '{"a": 1}')])
def test_a_run_is_not_created_with_json_text(gaps, declared, text):
    flow = pipeline().input("x", declared).task("use", taking(declared), {"x": dag_input("x")})
    shown = text.replace('"', '\\"')
    assert gaps.refused(flow, x=text) == [f"parameter 'x' expects {declared}, got STRING \"{shown}\": {AS_TEXT}"]


def test_a_task_that_is_given_text_at_run_time_fails_with_the_sentence(gaps):
    flow = pipeline().input("s", "STRUCT").task("use", taking("LIST"), {"x": dag_input("s").field("items")})
    view = gaps.run(flow, s={"items": "[1, 2]"})
    assert view.state == "FAILED"
    assert view.tasks["use"].error == (f"task 'use': input 'x' expects LIST, got STRING \"[1, 2]\": {AS_TEXT}")
    assert gaps.run(flow, s={"items": [1, 2]}).tasks["use"].outputs == {"Output": "[1,2]"}


def test_a_task_that_returns_text_for_a_list_fails_with_the_sentence(gaps):
    script = 'printf %s \'{"parameterValues": {"Output": "[1, 2]"}}\' > "$0"'
    made = container(["sh", "-ec", script, "{{$.outputs.output_file}}"], outputs={"Output": "LIST"})
    flow = pipeline().task("make", made).task("use", taking("LIST"), {"x": output("make")})
    assert gaps.run(flow).tasks["make"].error == f"output 'Output' expects LIST, got STRING \"[1, 2]\": {AS_TEXT}"


def test_items_are_checked_one_by_one_and_a_loop_takes_the_text_of_a_list(gaps):
    body = dag({"item": "STRUCT"}).task("use", taking("STRUCT"), {"x": dag_input("item")})
    flow = pipeline().input("l", "STRING").task("loop", body, {"items": dag_input("l")}, over="items")
    view = gaps.run(flow, l='[{"a": 1}, "{\\"a\\": 2}"]')
    assert view.tasks["loop[0]/use"].outputs == {"Output": '{"a":1}'}
    assert view.tasks["loop[1]"].error == (
        f"item 1 of loop 'loop': input 'item' expects STRUCT, got STRING \"{{\\\"a\\\": 2}}\": {AS_TEXT}"
    )
