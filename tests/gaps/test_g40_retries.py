"""G40: retry policies."""

from __future__ import annotations

from builders.specs import importer, pipeline
from gaps.gap import Gap
from gaps.shells import shell

GAP = Gap(
    "G40",
    "Retries",
    kfp="no maximum disables them; a first attempt longer than the maximum is never retried; factors must be whole numbers; of a "
    "component used twice the first task's policy counts; importers are not retried; attempts share their folder",
    here="the maximum caps each wait (an hour if none is given); fractions count; each task has its own policy, or its group's; "
    "importers too; each attempt has a folder of its own",
)

FLAKY = 'echo >> "$1"; tries=$(wc -l < "$1"); test "$tries" -ge "$2"; printf %s "$tries" > "$0"'


def test_each_task_has_the_policy_that_it_was_given(gaps, tmp_path):
    view = gaps.run("g40", one=str(tmp_path / "one"), four=str(tmp_path / "four"))
    assert view.state == "SUCCEEDED", view.error
    assert (view.tasks["flaky"].outputs, view.tasks["flaky-2"].outputs) == ({"tries": "1"}, {"tries": "4"})


def test_a_policy_without_a_maximum_and_with_fractions_is_followed(gaps, tmp_path):
    retry = {"maxRetryCount": 2, "backoffDuration": "0.05s", "backoffFactor": 1.5}
    step = shell(FLAKY, str(tmp_path / "tries"), "3")
    view = gaps.run(pipeline("g40-fractions").task("flaky", step, retry=retry))
    assert (view.state, view.tasks["flaky"].outputs) == ("SUCCEEDED", {"Output": "3"})


def test_an_importer_is_tried_again_until_its_file_is_there(gaps, tmp_path):
    late = tmp_path / "late"
    retry = {"maxRetryCount": 400, "backoffDuration": "0.1s", "backoffFactor": 1.0}
    flow = pipeline("g40-importer").task("get", importer(), {"uri": late.as_uri()}, retry=retry)
    run_id = gaps.start(flow)
    while not any(task.attempts for task in gaps.client.tasks(run_id)):
        pass
    late.write_text("here")
    view = gaps.view(run_id)
    assert (view.state, view.tasks["get"].outputs["artifact"][0].content) == ("SUCCEEDED", {"text": "here"})
