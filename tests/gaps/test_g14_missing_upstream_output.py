"""G14: outputs that an upstream task never wrote."""

from __future__ import annotations

from builders.specs import artifact, container, output, pipeline
from gaps.gap import Gap
from gaps.shells import given, say, shell

GAP = Gap(
    "G14",
    "An output that the upstream task never wrote",
    kfp="empty text for a STRING, an error of the driver for other types, a crash for an artifact",
    here="absent, whatever its type: the default, else nothing where the input is optional, else the consumer fails and says so",
)


def test_a_number_that_was_never_written_is_the_default(gaps):
    view = gaps.run("g14")
    assert view.state == "FAILED"
    assert (view.tasks["fail"].state, view.tasks["say"].outputs) == ("FAILED", {"said": "7"})


def test_every_type_of_input_is_treated_alike(gaps):
    maker = container(["sh", "-ec", "exit 3"], outputs={"text": "STRING", "list": "LIST"})
    maker.output_artifact("data", "system.Dataset")
    flow = pipeline("g14-types").task("fails", maker)
    present = '{"IfPresent": {"InputName": "x", "Then": "there", "Else": "absent"}}'
    asks = shell('printf %s "$1" > "$0"', present).input("x", optional=True)
    flow.task("text", asks, {"x": output("fails", "text")}, on_completion=True)
    artifacts = shell('printf %s "$1" > "$0"', present).input_artifact("x", "system.Dataset", optional=True)
    flow.task("data", artifacts, {"x": artifact("fails", "data")}, on_completion=True)
    needs = shell('printf %s "$1" > "$0"', given("x"), x="LIST")
    flow.task("needs", needs, {"x": output("fails", "list")}, on_completion=True)
    view = gaps.run(flow.task("fine", say("fine")))
    assert [view.tasks[one].outputs for one in ("text", "data")] == [{"Output": "absent"}] * 2
    assert view.tasks["needs"].error.startswith(
        "task 'needs': input 'x' (LIST) has no value: its source gave none and it has no default"
    )
