"""G47: outputs that a task does not give."""

from __future__ import annotations

from builders.specs import container, output, pipeline
from gaps.gap import Gap
from gaps.shells import given, shell

GAP = Gap(
    "G47",
    "An output that is null",
    kfp="every declared output has to be produced; a null that a task says cannot be stored and fails it",
    here="a null that a task says in its output metadata is an output: consumers take their default, or are optional; what was "
    "not written at all fails with its name and type (neither SDK nor IR can declare an output optional)",
)


def saying(document: str):
    return container(
        ["sh", "-ec", 'printf %s "$1" > "$0"', "{{$.outputs.output_file}}", document], outputs={"Output": "STRING"}
    )


def test_a_null_that_was_said_is_absent_downstream(gaps):
    use = shell('printf %s "$1" > "$0"', given("x")).input("x", "STRING", default="fallback")
    flow = (
        pipeline().task("make", saying('{"parameterValues": {"Output": null}}')).task("use", use, {"x": output("make")})
    )
    view = gaps.run(flow.returns("Output", "use"))
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "fallback"})
    assert view.tasks["make"].outputs == {}


def test_a_consumer_without_a_default_says_what_is_missing(gaps):
    flow = pipeline().task("make", saying('{"parameterValues": {"Output": null}}'))
    view = gaps.run(flow.task("use", shell("true", given("x"), x="STRING"), {"x": output("make")}))
    assert view.tasks["make"].state == "SUCCEEDED"
    assert view.tasks["use"].error == (
        "task 'use': input 'x' (STRING) has no value: its source gave none and it has no default"
    )


def test_an_output_that_was_not_written_is_named(gaps):
    assert (
        gaps.run(pipeline().task("make", saying("{}"))).tasks["make"].error
        == "output 'Output' (STRING) was not written"
    )
    assert gaps.run("g47").tasks["nothing"].error == (
        "output 'Output' (STRING) was not written; a Python function that returns None writes no output: return a value"
    )
