"""What a resume names: paths against the pipeline, each mistake with its place and the nearest name."""

from __future__ import annotations

import pytest

from builders.specs import container, dag, dag_input, pipeline
from builders.worlds import plan_of
from headrace_apiserver.resuming import indexes, unknown_task

STEP = container(outputs={"Output": "STRING"})


@pytest.fixture(scope="module")
def plan():
    inner = dag({"item": "STRING"}).task("train", STEP)
    body = dag({"item": "STRING"}).task("inner", inner, {"item": dag_input("item")})
    flow = pipeline().task("load", STEP).task("loop", body, items='["a"]')
    return plan_of(flow.task("each", container(inputs={"item": "STRING"}), items='["a", "b"]'))


@pytest.mark.parametrize(
    "path", ["load", "loop", "loop[0]", "loop[12]/inner/train", "loop/inner/train", "each[1]", "each", "loop[0]/inner"]
)
def test_tasks_groups_and_iterations_may_be_named(plan, path):
    assert unknown_task(plan, path) == ""


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("laod", "there is no task 'laod' in the pipeline; did you mean 'load'?"),
        ("zzz", "there is no task 'zzz' in the pipeline; there are each, load, loop"),
        ("loop[0]/iner", "there is no task 'iner' in 'loop[0]'; did you mean 'loop[0]/inner'?"),
        ("loop[0]/inner/trian", "there is no task 'trian' in 'loop[0]/inner'; did you mean 'loop[0]/inner/train'?"),
        ("load[0]", "'load' is no loop, it has no item 0"),
        ("load/train", "there are no tasks in 'load'"),
        ("", "there is no task '' in the pipeline; there are each, load, loop"),
        ("loop[x]", "there is no task 'loop[x]' in the pipeline; did you mean 'loop'?"),
        ("loop//train", "there is no task '' in 'loop'; there are inner"),
    ],
)
def test_what_is_not_there_is_said_with_its_place(plan, path, sentence):
    assert unknown_task(plan, path) == f"from task '{path}': {sentence}"


def test_the_items_that_a_path_names():
    assert indexes("a[3]/b/c[10]") == [("a[3]/b/c", 10), ("a", 3)]
    assert indexes("a/b") == []
