"""G9: artifacts whose type is a schema's address or its text."""

from __future__ import annotations

import json

from builders.specs import artifact, container, pipeline
from gaps.gap import Gap
from gaps.shells import OUTPUT

GAP = Gap(
    "G9",
    "Schemas by address and by text",
    kfp="an address is refused; of a text only the title is kept",
    here="both are kept as they are written, and consumers see them",
)
TEXT = "title: acme.Table\ntype: object\nproperties:\n  rows:\n    type: integer\n"


def test_consumers_see_the_address_and_the_text(gaps):
    make = container(["sh", "-ec", "true"]).output_artifact("by_uri").output_artifact("by_text")
    look = container(["sh", "-ec", 'printf %s "$1" > "$0"', OUTPUT, "{{$}}"], outputs={"Output": "STRING"})
    look.input_artifact("a").input_artifact("b")
    flow = pipeline("g9").task("make", make)
    flow.task("look", look, {"a": artifact("make", "by_uri"), "b": artifact("make", "by_text")})
    document = flow.returns("Output", "look").build()
    declared = document["components"]["comp-make"]["outputDefinitions"]["artifacts"]
    declared["by_uri"]["artifactType"] = {"schemaUri": "https://schemas.test/table.yaml", "schemaVersion": "2"}
    declared["by_text"]["artifactType"] = {"instanceSchema": TEXT}
    view = gaps.run(document)
    assert view.state == "SUCCEEDED"
    seen = json.loads(view.outputs["Output"])["inputs"]["artifacts"]
    kinds = {name: seen[name]["artifacts"][0]["type"] for name in ("a", "b")}
    assert kinds == {
        "a": {"schemaUri": "https://schemas.test/table.yaml", "schemaVersion": "2"},
        "b": {"instanceSchema": TEXT},
    }
