"""G42: what a cached result depends on."""

from __future__ import annotations

from builders.specs import artifact, container, dag_input, pipeline
from gaps.gap import Gap
from gaps.shells import OUTPUT, given

GAP = Gap(
    "G42",
    "What makes two tasks the same for the cache",
    kfp="environment variables, secrets and the resolved image are left out; artifacts count by their number in the store, "
    "so what an uncached task makes again is never recognised",
    here="all of these count; artifacts count by their content, type and metadata, and what an importer names by what lies "
    "there now",
)

UNIQUE = 'mktemp -u > "$0"'


def unique(value, *, image="python:3.11"):
    return container(["sh", "-ec", UNIQUE, OUTPUT], outputs={"Output": "STRING"}, env={"VALUE": value}, image=image)


def said(gaps, flow, task="a", **parameters):
    view = gaps.run(flow, **parameters)
    assert view.state == "SUCCEEDED", view.error
    return view.tasks[task].outputs["Output"]


def test_another_environment_is_another_task(gaps):
    one = pipeline("g42").task("a", unique("1"), cache=True)
    two = pipeline("g42").task("a", unique("2"), cache=True)
    first = said(gaps, one)
    assert said(gaps, two) != first
    assert said(gaps, one) == first


def test_the_image_counts_as_it_was_resolved(gaps):
    step = unique("x", image=given("image")).input("image")
    flow = pipeline("g42-image").input("image").task("a", step, {"image": dag_input("image")}, cache=True)
    first = said(gaps, flow, image="python:3.11")
    assert said(gaps, flow, image="python:3.12") != first


def test_the_same_content_made_again_is_recognised(gaps):
    make = container(["sh", "-ec", 'printf same > "$0"', "{{$.outputs.artifacts['data'].path}}"])
    make.output_artifact("data", "system.Dataset")
    use = container(["sh", "-ec", UNIQUE, OUTPUT, "{{$.inputs.artifacts['data'].path}}"], outputs={"Output": "STRING"})
    use.input_artifact("data", "system.Dataset")
    flow = (
        pipeline("g42-content")
        .task("make", make, cache=False)
        .task("a", use, {"data": artifact("make", "data")}, cache=True)
    )
    assert said(gaps, flow) == said(gaps, flow)


def test_a_key_of_ones_own_counts_alone(gaps):
    step = container(["sh", "-ec", UNIQUE, OUTPUT], outputs={"Output": "STRING"}).input("x")
    flow = pipeline("g42-key").input("x").task("a", step, {"x": dag_input("x")}, cache=True, cache_key="mine")
    assert said(gaps, flow, x="1") == said(gaps, flow, x="2")


def test_what_changes_no_result_does_not_count(gaps):
    plain = pipeline("g42-same").task("a", unique("1"), cache=True)
    other = pipeline("g42-same").task("a", unique("1"), cache=True, retry={"maxRetryCount": 2})
    assert said(gaps, plain) == said(gaps, other)
