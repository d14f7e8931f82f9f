"""G25: importers whose URI and metadata are made while the run goes on."""

from __future__ import annotations

from gaps.gap import Gap

GAP = Gap(
    "G25",
    "Dynamic URI and metadata of an importer",
    kfp="metadata is stored as it stands in the spec; the URI comes from the enclosing pipeline's inputs alone; its "
    "display name is taken for its name",
    here="any source for the URI, placeholders at any depth of the metadata; without reimport the newest artifact of the same "
    "type, URI and metadata is linked",
)


def imported(gaps, run_id):
    (task,) = [one for one in gaps.client.tasks(run_id) if one.kind == "IMPORTER"]
    return task.artifacts["artifact"][0]


def start(gaps, path, who):
    run_id = gaps.start("g25", {"where": path.as_uri(), "who": who})
    view = gaps.view(run_id)
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": f'{who} {{"list":["{who}",1]}}'})
    assert (view.tasks["read"].outputs["text"], view.tasks["importer"].kind) == ("hello", "IMPORTER")
    return imported(gaps, run_id)


def test_uri_and_metadata_come_from_other_tasks_and_inputs(gaps, tmp_path):
    path = tmp_path / "data"
    path.write_text("hello")
    first, second, other = start(gaps, path, "me"), start(gaps, path, "me"), start(gaps, path, "you")
    assert first.uri == path.as_uri()
    assert first.artifact_id == second.artifact_id != other.artifact_id
