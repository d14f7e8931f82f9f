"""Pipelines of our own on the whole platform, in both topologies, with exact outputs: what is hard in control flow and data flow.

Aspects: nested loops over an item's field, loops over artifacts, OneOf of artifacts, exit handlers at depth, Collected of
artifacts and of skipped iterations, optional inputs and nulls, ignore-upstream-failure, custom cache keys. The tasks are shell
commands, so that no environment is made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders.specs import (
    Component,
    Pipeline,
    artifact,
    artifact_input,
    container,
    dag,
    dag_input,
    final_status,
    output,
    pipeline,
)
from corpus import driving
from corpus.viewing import RunView
from fixtures.platforms import Platform

OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"
MADE = "{{$.outputs.artifacts['artifact'].path}}"


def given(name: str) -> str:
    return f"{{{{$.inputs.parameters['{name}']}}}}"


def shell(script: str, *arguments: str, **inputs: str) -> Component:
    """`$0` is the file of the output parameter Output."""
    return container(["sh", "-ec", script, OUTPUT, *arguments], inputs=inputs, outputs={"Output": "STRING"})


def say(**inputs: str) -> Component:
    """Joins its inputs with dashes."""
    script = 'first=$1; shift; text=$first; for one in "$@"; do text=$text-$one; done; printf %s "$text" > "$0"'
    return shell(script, *(given(name) for name in inputs), **inputs)


def write() -> Component:
    """An artifact that holds the text `x`."""
    return container(
        ["sh", "-ec", 'printf %s "$1" > "$0"', MADE, given("x")],
        inputs={"x": "STRING"},
        output_artifacts={"artifact": "system.Dataset"},
    )


def read() -> Component:
    """The text of its input artifact."""
    return shell('cat "$1" > "$0"', "{{$.inputs.artifacts['data'].path}}").input_artifact("data", "system.Dataset")


def count_list() -> Component:
    """How many artifacts are in its input list."""
    script = 'printf %s "$1" | grep -o schemaTitle | wc -l | tr -d " \\n" > "$0"'
    return shell(script, "{{$.inputs.artifacts['data']}}").input_artifact("data", "system.Dataset", as_list=True)


def nested_loops() -> Pipeline:
    """The inner loop goes over a field of the outer item, and its body sees both."""
    inner = dag({"name": "STRING", "n": "NUMBER_INTEGER"})
    inner.task("join", say(name="STRING", n="NUMBER_INTEGER"), {"name": dag_input("name"), "n": dag_input("n")})
    inner.returns("Output", "join", type_="LIST")
    outer = dag({"one": "STRUCT"})
    outer.task(
        "inner",
        inner,
        {"name": dag_input("one").field("name"), "numbers": dag_input("one").field("numbers")},
        over="numbers",
        item="n",
    )
    inner.input("numbers", "LIST")
    outer.returns("Output", "inner", type_="LIST")
    items = '[{"name": "a", "numbers": [1, 2]}, {"name": "b", "numbers": []}, {"name": "c", "numbers": [3]}]'
    flow = pipeline("nested-loops").task("outer", outer, items=items, item="one")
    return flow.returns("all", "outer", type_="LIST")


def artifact_loops() -> Pipeline:
    """A loop makes artifacts, another goes over them; they are collected once more as a list."""
    make = dag({"item": "STRING"}).task("write", write(), {"x": dag_input("item")})
    make.returns_artifact("data", ("write", "artifact"), type_="system.Dataset", as_list=True)
    each = dag().input_artifact("item", "system.Dataset").input_artifact("all", "system.Dataset", as_list=True)
    each.task("read", read(), {"data": artifact_input("item")})
    each.returns("Output", "read", type_="LIST")
    flow = pipeline("artifact-loops").task("make", make, items='["x", "y", "z"]')
    flow.task("each", each, {"all": artifact("make", "data")}, over_artifacts="all")
    flow.task("count", count_list(), {"data": artifact("make", "data")})
    return flow.returns("texts", "each", type_="LIST").returns("count", "count")


def one_of_artifacts() -> Pipeline:
    """The artifact of the branch that ran goes on, through the group of branches."""
    branches = dag({"coin": "STRING"})
    for name, operator, text in (("condition-2", "==", "won"), ("condition-3", "!=", "lost")):
        branch = dag({"coin": "STRING"}).task("write", write(), {"x": text})
        branch.returns_artifact("data", ("write", "artifact"), type_="system.Dataset")
        when = f"inputs.parameter_values['coin'] {operator} 'heads'"
        branches.task(name, branch, {"coin": dag_input("coin")}, when=when)
    branches.returns_artifact("data", ("condition-2", "data"), ("condition-3", "data"), type_="system.Dataset")
    flow = pipeline("one-of-artifacts").input("coin", default="tails")
    flow.task("branches", branches, {"coin": dag_input("coin")})
    flow.task("read", read(), {"data": artifact("branches", "data")})
    return flow.returns("text", "read").returns_artifact("data", ("branches", "data"), type_="system.Dataset")


def deep_exit_handler() -> Pipeline:
    """An exit handler in each iteration of a loop: one iteration fails, and each exit task is told of its own."""
    work = dag({"item": "STRING"})
    work.task(
        "work", shell('test "$1" = good && printf %s "$1" > "$0"', given("x"), x="STRING"), {"x": dag_input("item")}
    )
    told = shell(
        'printf %s "$1" | tr -d " " | grep -o \'"state":"[A-Z]*"\' > "$0"', given("status"), status="TASK_FINAL_STATUS"
    )
    body = dag({"item": "STRING"}).task("guarded", work, {"item": dag_input("item")})
    body.task("exit", told, {"status": final_status("guarded")}, after=["guarded"], on_completion=True)
    return pipeline("deep-exit-handler").task("loop", body, items='["good", "bad"]')


def skipped_iterations() -> Pipeline:
    """What a skipped iteration did not make is left out, among parameters and artifacts alike."""
    make = dag({"n": "NUMBER_INTEGER"}).task("write", write(), {"x": dag_input("n")})
    make.task("name", say(n="NUMBER_INTEGER"), {"n": dag_input("n")})
    make.returns("Output", "name").returns_artifact("data", ("write", "artifact"), type_="system.Dataset")
    body = dag({"n": "NUMBER_INTEGER"})
    body.task("condition", make, {"n": dag_input("n")}, when="int(inputs.parameter_values['n']) != 2")
    body.returns("Output", "condition", type_="LIST")
    body.returns_artifact("data", ("condition", "data"), type_="system.Dataset", as_list=True)
    flow = pipeline("skipped-iterations").task("loop", body, items="[1, 2, 3]", item="n")
    flow.task("count", count_list(), {"data": artifact("loop", "data")})
    return flow.returns("names", "loop", type_="LIST").returns("count", "count")


def optional_inputs() -> Pipeline:
    """A null goes through two DAGs and is still no value: the default of whoever has one takes its place."""
    leaf = say(x="STRING").input("x", default="fallback")
    inner = dag().input("x", optional=True).task("leaf", leaf, {"x": dag_input("x")}).returns("Output", "leaf")
    outer = dag().input("x", optional=True).task("inner", inner, {"x": dag_input("x")}).returns("Output", "inner")
    present = '{"IfPresent": {"InputName": "x", "Then": ["there"], "Else": ["absent"]}}'
    asks = shell('printf %s "$1" > "$0"', present).input("x", optional=True)
    flow = pipeline("optional-inputs").input("x", optional=True)
    flow.task("outer", outer, {"x": dag_input("x")}).task("asks", asks, {"x": dag_input("x")})
    return flow.returns("value", "outer").returns("asked", "asks")


def ignored_failure() -> Pipeline:
    """A task that tolerates a failure runs with its default; what follows it runs too; the run has failed all the same."""
    tolerant = say(x="STRING").input("x", default="instead")
    flow = pipeline("ignored-failure").task("fails", shell("exit 3"))
    flow.task("tolerant", tolerant, {"x": output("fails")}, after=["fails"], on_completion=True)
    flow.task("after", say(x="STRING"), {"x": output("tolerant")})
    flow.task("omitted", say(x="STRING"), {"x": output("fails")})
    return flow.returns("text", "after")


def run(platform: Platform, flow: Pipeline, folder: Path, **arguments: Any) -> tuple[RunView, dict[str, Any]]:
    file = folder / f"{flow.name}.json"
    file.write_text(json.dumps(flow.build()))
    said = driving.run(platform.url, file, arguments)
    assert said.stdout, said.stderr
    summary: dict[str, Any] = json.loads(said.stdout)
    return driving.view(platform.url, summary["run_id"]), summary


@pytest.mark.parametrize(
    ("flow", "arguments", "outputs"),
    [
        (nested_loops, {}, {"all": ["a-1", "a-2", "c-3"]}),
        (artifact_loops, {}, {"texts": ["x", "y", "z"], "count": "3"}),
        (one_of_artifacts, {"coin": "heads"}, {"text": "won"}),
        (one_of_artifacts, {}, {"text": "lost"}),
        (skipped_iterations, {}, {"names": ["1", "3"], "count": "2"}),
        (optional_inputs, {}, {"value": "fallback", "asked": "absent"}),
        (optional_inputs, {"x": "given"}, {"value": "given", "asked": "there"}),
    ],
)
def test_a_pipeline_gives_exactly_its_outputs(
    platform: Platform, tmp_path: Path, flow: Any, arguments: Any, outputs: Any
):
    view, _ = run(platform, flow(), tmp_path, **arguments)
    assert (view.state, view.error) == ("SUCCEEDED", "")
    assert {name: value for name, value in view.outputs.items() if name != "data"} == outputs


def test_the_artifact_of_the_branch_that_ran_is_an_output_of_the_run(platform: Platform, tmp_path: Path):
    view, _ = run(platform, one_of_artifacts(), tmp_path, coin="heads")
    assert [one.content for one in view.outputs["data"]] == [{"text": "won"}]
    assert view.tasks["branches/condition-3"].state == "SKIPPED"


def test_exit_tasks_of_iterations_are_told_of_their_own(platform: Platform, tmp_path: Path):
    view, _ = run(platform, deep_exit_handler(), tmp_path)
    states = {path: task.state for path, task in view.tasks.items()}
    assert (view.state, states["loop"], states["loop[0]"], states["loop[1]"]) == (
        "FAILED",
        "FAILED",
        "SUCCEEDED",
        "FAILED",
    )
    told = [view.tasks[f"loop[{i}]/exit"].outputs["Output"] for i in range(2)]
    assert told == ['"state":"SUCCEEDED"\n', '"state":"FAILED"\n']
    assert "exit code 1" in view.error


def test_a_tolerated_failure_is_still_one(platform: Platform, tmp_path: Path):
    view, summary = run(platform, ignored_failure(), tmp_path)
    states = {path: task.state for path, task in view.tasks.items()}
    assert states == {"fails": "FAILED", "tolerant": "SUCCEEDED", "after": "SUCCEEDED", "omitted": "SKIPPED"}
    assert (view.state, view.outputs, summary["outputs"]) == ("FAILED", {"text": "instead"}, {"text": "instead"})


def test_a_cache_key_of_ones_own_is_all_that_counts(platform: Platform, tmp_path: Path):
    """With a custom key a change of the inputs changes nothing; with another key the task runs."""
    key = f"key of {tmp_path}"

    def flow(x: str, cache_key: str) -> Pipeline:
        made = pipeline("custom-keys").task("a", say(x="STRING"), {"x": x}, cache=True, cache_key=cache_key)
        return made.returns("text", "a")

    seen = []
    for x, cache_key in (("one", key), ("two", key), ("two", f"another {key}")):
        view, summary = run(platform, flow(x, cache_key), tmp_path)
        seen.append((view.outputs["text"], summary["tasks"][0]["cached"]))
    assert seen == [("one", False), ("one", True), ("two", False)]
