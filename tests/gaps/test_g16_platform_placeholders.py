"""G16: names of the run, of the task and of their places."""

from __future__ import annotations

from gaps.gap import Gap
from headrace_protos.lifecycle import task_id

GAP = Gap(
    "G16",
    "Platform placeholders inside longer texts and in arguments",
    kfp="only where a constant is nothing else, never in arguments; the pipeline's root and the output file stay as they "
    "are written; the task's id is that of its parent",
    here="everywhere in strings; the task's id is its own",
)


def test_names_are_put_in_wherever_they_stand(gaps):
    run_id = gaps.start("g16", display_name="my run")
    view = gaps.view(run_id)
    assert view.state == "SUCCEEDED"
    for task in ("say", "names"):
        name, run, key, root, created = view.tasks[task].outputs["said"].strip("<>").split("|")
        assert (name, run, key) == ("my run", run_id, task)
        assert root.endswith(f"/g16/{run_id}")
        assert created.endswith("Z")
    assert view.tasks["inner/say"].outputs["said"] == f"run {run_id}"
    assert view.tasks["metadata-file"].outputs["said"] == "by file"


def test_user_code_is_told_its_own_output_file(gaps):
    given = gaps.run("g16").tasks["told"].outputs["said"]
    file = given["outputs"]["outputFile"]
    assert file.startswith("/")
    assert given["inputs"]["parameterValues"] == {"path": file, "deep": {"in": [f"<{file}>"]}}


def test_each_task_has_an_id_of_its_own(gaps):
    run_id = gaps.start("g16")
    tasks = gaps.view(run_id).tasks
    for key in ("task-id", "task-id-2"):
        assert tasks[key].outputs["said"] == task_id(run_id, key)
