"""G7: what is looked at before anything is stored."""

from __future__ import annotations

import json

from builders.specs import dag, dag_input, output, pipeline
from corpus.driving import upload
from gaps.gap import Gap
from gaps.shells import given, say, shell
from headrace_embedded.validating import judge

GAP = Gap(
    "G7",
    "Checking the graph",
    kfp="almost nothing of the graph is checked at upload; an inline spec's name passes a loose pattern; components that "
    "contain each other are skipped in silence",
    here="the whole graph, at upload, for inline specs and by `headrace validate`: every problem at once, with its place",
)
TAKES = shell('printf %s "$1" > "$0"', given("text"), text="STRING", count="NUMBER_INTEGER")


def wrong():
    """One mistake in each task, in a pipeline with a name that KFP takes inline."""
    inner, outer = dag(), dag()
    inner.task("again", outer)
    outer.task("in", inner)
    flow = pipeline("G7 pipeline").input("size", "STRING")
    flow.task("load", say("x")).task("cycle", outer)
    flow.task("unknown", TAKES, {"text": output("laod"), "count": 1})
    flow.task("mistyped", TAKES, {"text": output("load"), "count": dag_input("size")})
    flow.task("missing", TAKES, {"txt": "a", "count": 1}, when="inputs.parameter_values['counts'] > 1")
    flow.task("loop", TAKES, {"text": "a"}, items='{"a": 1}', item="count")
    return flow


T = "root.dag.tasks"
EXPECTED = [
    "pipelineInfo.name: 'G7 pipeline' is not a valid name: expected lower-case letters, digits and '-', not starting with "
    "'-', at most 128 characters",
    f"{T}.unknown.inputs.parameters.text.taskOutputParameter.producerTask: unknown task 'laod'; did you mean 'load'?",
    f"{T}.mistyped.inputs.parameters.count: 'size' is STRING, but the input 'count' is declared NUMBER_INTEGER",
    f"{T}.missing.inputs.parameters.txt: unknown input 'txt'; did you mean 'text'?",
    "components: a cycle: these components contain each other: comp-in → comp-cycle → comp-in",
    f"{T}.missing.triggerPolicy.condition: the task has no input parameter 'counts'; did you mean 'count'?",
    f"{T}.loop.parameterIterator.items.raw: expected a JSON array as text, got '{{\"a\": 1}}'",
]


def test_an_inline_spec_is_refused_with_every_problem(gaps):
    assert gaps.refused(wrong().build()) == EXPECTED


def test_an_upload_is_refused_with_every_problem(gaps, tmp_path):
    file = tmp_path / "g7.json"
    file.write_text(json.dumps(wrong().build()))
    status, said = upload(gaps.platform.url, file)
    assert status == 400
    assert all(line in json.loads(said)["error_message"] for line in EXPECTED)


def test_the_command_line_says_the_same_without_a_platform():
    problems, _ = judge(json.dumps(wrong().build()).encode(), "g7.json")
    assert [str(problem) for problem in problems] == EXPECTED
