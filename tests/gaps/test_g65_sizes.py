"""G65: how large a pipeline can be."""

from __future__ import annotations

from builders.specs import container, dag, pipeline
from gaps.gap import Gap
from gaps.shells import say

GAP = Gap(
    "G65",
    "Large pipelines",
    kfp="spec, arguments and loops share one engine object of about 1 MiB, and fail with its errors; no limit is explicit",
    here="rows of a database; explicit limits (32 MiB of spec, 100,000 tasks in it, 50 DAGs within each other, 1,000,000 "
    "iterations of a loop), each with a sentence",
)


def test_a_spec_of_several_mebibytes_runs(gaps):
    flow = pipeline("g65").task("first", say("x"))
    for number in range(40):
        huge = container(["sh", "-c", "#" * 100_000])
        flow.task(f"huge-{number}", huge, after=["first"], when="1 == 2")
    document = flow.returns("Output", "first").build()
    view = gaps.run(document)
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "x"})
    assert {task.state for path, task in view.tasks.items() if path.startswith("huge")} == {"SKIPPED"}


def test_limits_are_said(gaps):
    group = dag().task("leaf", say("x"))
    deep = group
    for _ in range(60):
        deep = dag().task("in", deep)
    wide = group
    for _ in range(30):
        wide = dag().task("a", wide).task("b", wide)
    assert gaps.refused(pipeline("g65").task("a", deep)) == ["root: DAGs are nested 62 deep; at most 50 are possible"]
    assert gaps.refused(pipeline("g65").task("a", wide)) == [
        "root: a run would have at least 3,221,225,471 tasks; at most 10,000,000 are possible"
    ]
    items = "[" + ",".join(["1"] * 1_000_001) + "]"
    loop = dag({"item": "NUMBER_INTEGER"}).task("leaf", say("x"))
    assert gaps.refused(pipeline("g65").task("a", loop, items=items)) == [
        "root.dag.tasks.a.parameterIterator.items.raw: the list has 1,000,001 items; a loop can have 1,000,000 iterations"
    ]
