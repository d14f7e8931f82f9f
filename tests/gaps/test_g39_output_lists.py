"""G39: outputs that are lists of artifacts."""

from __future__ import annotations

from builders.specs import artifact as made_by
from builders.specs import artifact_input as item_of
from builders.specs import container, dag, pipeline
from gaps.gap import Gap
from gaps.shells import OUTPUT

GAP = Gap(
    "G39",
    "An output that is a list of artifacts",
    kfp="one artifact is planned and registered; further entries of what the code reports are dropped",
    here="every entry that the code reports is stored and registered, in order",
)

SCRIPT = """
folder=$(dirname "$0")
mkdir -p "$folder/parts"
for one in x y z; do printf %s "$one" > "$folder/parts/$one"; done
printf '{"artifacts": {"parts": {"artifacts": [{"uri": "%s"}, {"uri": "%s"}, {"uri": "%s"}]}}}' \
  "$folder/parts/x" "$folder/parts/y" "$folder/parts/z" > "$0"
"""


def test_every_entry_is_stored_and_can_be_looped_over(gaps):
    make = container(["sh", "-ec", SCRIPT, "{{$.outputs.output_file}}"])
    make.output_artifact("parts", "system.Dataset", as_list=True)
    read = container(["sh", "-ec", 'cat "$1" > "$0"', OUTPUT, "{{$.inputs.artifacts['data'].path}}"])
    read.input_artifact("data", "system.Dataset").output("Output")
    body = dag().input_artifact("one", "system.Dataset").input_artifact("parts", "system.Dataset", as_list=True)
    body.task("read", read, {"data": item_of("one")}).returns("Output", "read", type_="LIST")
    flow = pipeline("g39").task("make", make)
    flow.task("loop", body, {"parts": made_by("make", "parts")}, over_artifacts="parts", item="one")
    flow.returns("texts", "loop", type_="LIST").returns_artifact("parts", ("make", "parts"), as_list=True)
    view = gaps.run(flow)
    assert (view.state, view.outputs["texts"]) == ("SUCCEEDED", ["x", "y", "z"])
    assert [list(one.content.values()) for one in view.outputs["parts"]] == [["x"], ["y"], ["z"]]
