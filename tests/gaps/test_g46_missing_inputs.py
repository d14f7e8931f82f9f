"""G46: remote inputs that are not there."""

from __future__ import annotations

from builders.specs import artifact, container, importer, pipeline
from gaps.gap import Gap
from gaps.shells import OUTPUT

GAP = Gap(
    "G46",
    "An input artifact of which nothing is stored",
    kfp="ignored: the task starts with nothing on its disk",
    here="the task fails and says what is missing; an optional input is left out, with a warning",
)


def test_nothing_there_fails_the_reader(gaps, pages):
    run_id = gaps.start("g46", {"uri": pages.root + "/missing"})
    assert gaps.client.wait(run_id, timeout=90).state == "FAILED"
    tasks = {task.path: task for task in gaps.client.tasks(run_id)}
    assert tasks["importer"].state == "SUCCEEDED"
    assert tasks["need"].error.reason == "MissingInput"
    assert "input artifact 'data' is missing: " in tasks["need"].error.message
    assert "the server answered 404: there is nothing" in tasks["need"].error.message


def test_an_optional_input_is_left_out(gaps, pages):
    word = '{"IfPresent": {"InputName": "data", "Then": "given", "Else": "absent"}}'
    script = 'printf "%s:%s" "$1" "$2" > "$0"'
    step = container(["sh", "-ec", script, OUTPUT, word, "{{$.inputs.artifacts['data'].path}}"])
    step.output("Output", "STRING").input_artifact("data", "system.Dataset", optional=True)
    flow = pipeline("g46-optional").task("get", importer(), {"uri": pages.root + "/missing"})
    run_id = gaps.start(flow.task("try", step, {"data": artifact("get")}), enable_cache=False)
    assert gaps.client.wait(run_id, timeout=90).state == "SUCCEEDED"
    (task,) = [one for one in gaps.client.tasks(run_id) if one.path == "try"]
    assert task.outputs == {"Output": "given:"}
    assert any("the input is optional, so the task runs without it" in one for one in task.attempts[0].warnings)
