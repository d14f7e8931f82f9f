"""G3: importers with a condition or an iterator of their own."""

from __future__ import annotations

import json

from builders.specs import artifact, container, dag_input, importer, pipeline
from gaps.gap import Gap
from gaps.shells import OUTPUT

GAP = Gap(
    "G3",
    "An importer with a trigger condition",
    kfp="run creation fails",
    here="skipped or imported as the condition says; an iterator imports each item",
)

WHEN = "inputs.parameter_values['wanted'] == true"


def flow(uri):
    made = pipeline("g3").input("wanted", "BOOLEAN")
    get = importer().input("wanted", "BOOLEAN")
    made.task("get", get, {"uri": uri, "wanted": dag_input("wanted")}, when=WHEN)
    read = container(["sh", "-ec", 'cat "$1" > "$0"', OUTPUT, "{{$.inputs.artifacts['data'].path}}"])
    read.output("Output", "STRING").input_artifact("data", "system.Dataset")
    return made.task("read", read, {"data": artifact("get")})


def test_the_condition_decides(gaps, tmp_path):
    (tmp_path / "data").write_text("hello")
    uri = (tmp_path / "data").as_uri()
    imported = gaps.run(flow(uri), wanted=True)
    assert (imported.state, imported.tasks["read"].outputs) == ("SUCCEEDED", {"Output": "hello"})
    skipped = gaps.run(flow(uri), wanted=False)
    assert skipped.state == "SUCCEEDED"
    assert [skipped.tasks[one].state for one in ("get", "read")] == ["SKIPPED", "SKIPPED"]


def test_each_item_is_imported(gaps, tmp_path):
    uris = []
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
        uris.append((tmp_path / name).as_uri())
    made = pipeline("g3-loop").task("get", importer(), items=json.dumps(uris), item="uri")
    read = container(["sh", "-ec", 'echo "$1" > "$0"', OUTPUT, "{{$.inputs.artifacts['all']}}"])
    read.output("Output", "STRING").input_artifact("all", "system.Dataset", as_list=True)
    view = gaps.run(made.task("read", read, {"all": artifact("get")}))
    assert view.state == "SUCCEEDED"
    assert [one.content["text"] for path in ("get[0]", "get[1]") for one in view.tasks[path].outputs["artifact"]] == [
        "a",
        "b",
    ]
