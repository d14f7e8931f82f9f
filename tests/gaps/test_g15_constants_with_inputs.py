"""G15: constants that embed inputs."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G15",
    "Constants that embed inputs, such as f-strings",
    kfp="put in late as raw text: quotes and line breaks corrupt the ExecutorInput, and a nested pipeline gets the template",
    here="put in when the task's inputs are resolved, at any depth of a constant, whatever the text holds",
)
PROJECT = "a \"quoted\"\n{{$.inputs.parameters['x']}} \\ é"


def test_an_input_inside_a_constant_is_exactly_its_text_everywhere(gaps):
    view = gaps.run("g15", project=PROJECT)
    assert view.state == "SUCCEEDED"
    assert view.tasks["say"].outputs["said"] == f"Project = {PROJECT}"
    assert view.tasks["show"].outputs["said"] == {"name": f"<{PROJECT}>", "deep": [{"name": f"{PROJECT}!"}]}
    assert view.tasks["inner/say"].outputs["said"] == f"nested {PROJECT}"


def test_the_executor_input_stays_json(gaps):
    view = gaps.run("g15", project=PROJECT)
    assert view.tasks["whole"].outputs["said"]["inputs"]["parameterValues"]["text"] == f"whole {PROJECT}"
