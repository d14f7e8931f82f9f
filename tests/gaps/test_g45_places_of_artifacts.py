"""G45: artifacts wherever they lie."""

from __future__ import annotations

import shutil
from pathlib import Path

from builders.specs import artifact, container, dag_input, importer, pipeline
from gaps.gap import Gap
from gaps.shells import OUTPUT

GAP = Gap(
    "G45",
    "Artifacts outside the run's root, in folders, and on web servers",
    kfp="an artifact outside the run's root fails its task; folders cannot be roots; importers take object stores only",
    here="folders of the machine are roots and places of artifacts like any other; what code says to lie in an object store is "
    "put there (tests/acceptance/test_imports.py); importers take `https://`, `s3://`, `gs://` and `file://`, and tasks get "
    "the content",
)


def reader():
    read = container(["sh", "-ec", 'cat "$1" > "$0"', OUTPUT, "{{$.inputs.artifacts['data'].path}}"])
    return read.output("Output", "STRING").input_artifact("data", "system.Dataset")


def said(gaps, flow, **parameters):
    run_id = gaps.start(flow, parameters, enable_cache=False)
    run = gaps.client.wait(run_id, timeout=90)
    tasks = {task.path: task for task in gaps.client.tasks(run_id)}
    assert run.state == "SUCCEEDED", [task.error for task in tasks.values()]
    return tasks


def test_what_a_web_server_has_can_be_imported(gaps, pages):
    uri = pages.put("/set/data.csv", b"a,b\n", etag='"1"')
    flow = pipeline("g45-https").input("uri").task("get", importer(), {"uri": dag_input("uri")})
    flow.task("read", reader(), {"data": artifact("get")}).task("again", reader(), {"data": artifact("get")})
    tasks = said(gaps, flow, uri=uri)
    assert [tasks[one].outputs["Output"] for one in ("read", "again")] == ["a,b\n"] * 2
    assert tasks["get"].artifacts["artifact"][0].uri == uri
    assert pages.whole == 1


def test_an_artifact_may_lie_outside_the_runs_root(gaps, tmp_path):
    """Code that writes to a place of its own and names it."""
    place = tmp_path / "shared" / "model"
    script = 'mkdir -p "$(dirname "$2")"; printf mine > "$2"; mkdir -p "$(dirname "$0")"; printf %s "$1" > "$0"'
    said_of_it = '{"artifacts":{"data":{"artifacts":[{"name":"data","uri":"' + place.as_uri() + '","metadata":{}}]}}}'
    write = container(["sh", "-ec", script, "{{$.outputs.output_file}}", said_of_it, str(place)])
    write.output_artifact("data", "system.Dataset")
    flow = pipeline("g45-outside").task("write", write).task("read", reader(), {"data": artifact("write", "data")})
    tasks = said(gaps, flow)
    assert tasks["read"].outputs["Output"] == "mine"
    assert tasks["write"].artifacts["data"][0].uri == place.as_uri()
    assert Path(place).read_text() == "mine"
    shutil.rmtree(place.parent)
