"""G44: what becomes of a value on its way through groups, loops, files and the database."""

from __future__ import annotations

import json

import pytest

from builders.specs import container, dag, dag_input, output, pipeline
from gaps.gap import Gap
from gaps.shells import OUTPUT, given

GAP = Gap(
    "G44",
    "Values are stored as they are",
    kfp="a bool becomes a number on some paths, every number a double, a list is wrapped, a null cannot be stored at all",
    here="JSON text throughout: bool, null, integers of any length, nesting and text come back as they went in",
)
EXACT = {
    "true": True,
    "false": False,
    "null": None,
    "zero": 0,
    "integral": 3.0,
    "precise": 0.1,
    "tiny": 5e-324,
    "beyond doubles": 2**53 + 1,
    "long": -(10**30),
    "nested": [[], {}, [None, False, 0, "", [{"": [1.5]}]]],
    "text": "ü\n\t\\ \"quoted\" '$HOME' {{$.inputs.parameters['x']}} 🎉 \u2028",
    "kéy": "null",
}


def texts(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def passing(declared: str):
    script = 'printf %s "$1" > "$0"'
    return container(["sh", "-ec", script, OUTPUT, given("x")], inputs={"x": declared}, outputs={"Output": declared})


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("STRUCT", EXACT),
        ("LIST", [EXACT, [EXACT]]),
        ("BOOLEAN", False),
        ("NUMBER_INTEGER", 2**53 + 1),
        ("NUMBER_DOUBLE", 1e-7),
        ("STRING", "null"),
        ("STRING", ""),
    ],
)
def test_a_value_goes_through_groups_and_files_unchanged(gaps, declared, value):
    inner = dag({"x": declared}).task("pass", passing(declared), {"x": dag_input("x")})
    inner.returns("Output", "pass", type_=declared)
    flow = pipeline().input("x", declared).task("group", inner, {"x": dag_input("x")})
    flow.task("again", passing(declared), {"x": output("group")}).returns("Output", "again", type_=declared)
    run = gaps.client.wait(gaps.start(flow, {"x": value}), timeout=60)
    wanted = texts(value).replace("3.0", "3")
    assert (run.state, texts(run.outputs["Output"])) == ("SUCCEEDED", wanted)
    assert texts(run.parameters["x"]) == wanted


def test_items_and_collected_values_are_exact(gaps):
    items = [True, None, 1, 1.5, "1", [1], {"a": None}]
    body = dag({"item": "STRUCT"}).task("pass", passing("STRUCT"), {"x": dag_input("item")})
    body.returns("Output", "pass", type_="STRUCT")
    flow = pipeline().input("l", "LIST").task("loop", body, {"items": dag_input("l")}, over="items")
    flow.returns("Output", "loop", type_="LIST")
    run = gaps.client.wait(gaps.start(flow, {"l": [{"v": item} for item in items]}), timeout=60)
    assert texts(run.outputs["Output"]) == texts([{"v": item} for item in items])


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("a\0b", "parameter 'x' holds a NUL character (position 1)"),
        (["\ud800"], "parameter 'x' holds a lone surrogate (position 0), which is not text"),
    ],
)
def test_what_no_database_or_file_can_hold_is_refused(gaps, value, sentence):
    declared = "LIST" if isinstance(value, list) else "STRING"
    flow = pipeline().input("x", declared).task("pass", passing(declared), {"x": dag_input("x")})
    assert gaps.refused(flow, x=value) == [sentence]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (r'"a\u0000b"', "output 'Output' holds a NUL character (position 1)"),
        (r'"\ud800"', "output 'Output' holds a lone surrogate (position 0), which is not text"),
        ("NaN", "output 'Output' holds NaN, which JSON cannot express"),
    ],
)
def test_an_output_that_cannot_be_held_fails_its_task(gaps, said, sentence):
    made = container(["sh", "-ec", 'printf %s "$1" > "$0"', OUTPUT, f"[{said}]"], outputs={"Output": "LIST"})
    assert gaps.run(pipeline().task("make", made)).tasks["make"].error == sentence
