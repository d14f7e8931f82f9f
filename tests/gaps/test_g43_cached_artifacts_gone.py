"""G43: cached results whose artifacts are gone."""

from __future__ import annotations

from builders.specs import container, pipeline
from corpus.viewing import local_path
from gaps.gap import Gap

GAP = Gap(
    "G43",
    "Cached results that are too old, or whose artifacts are gone",
    kfp="entries are used for ever, and nobody looks whether their artifacts still exist",
    here="a hit whose artifacts are gone is no hit and is forgotten; tasks, runs, pipelines, namespaces and the installation "
    "bound the age of entries (tested in tests/integration/cache)",
)


def test_an_artifact_that_is_gone_is_made_again(gaps):
    make = container(["sh", "-ec", 'mktemp -u > "$0"', "{{$.outputs.artifacts['data'].path}}"])
    make.output_artifact("data", "system.Dataset")
    flow = pipeline("g43").task("make", make, cache=True)
    runs = [gaps.start(flow)]
    first = gaps.view(runs[0]).tasks["make"].outputs["data"][0]
    assert gaps.run(flow).tasks["make"].outputs["data"][0] == first
    (task,) = gaps.client.tasks(runs[0])
    local_path(task.artifacts["data"][0].uri).unlink()
    again = gaps.run(flow)
    assert again.state == "SUCCEEDED"
    made = again.tasks["make"].outputs["data"][0].content["text"]
    assert made not in ("", first.content["text"])
    assert gaps.run(flow).tasks["make"].outputs["data"][0].content["text"] == made
