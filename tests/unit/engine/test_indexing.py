"""The Plan as the engine reads it: each task at its first use, and the same whichever is asked for first."""

from __future__ import annotations

import pytest

from builders.specs import container, dag, dag_input, output, pipeline
from headrace_ir.plan import compile_plan
from headrace_ir.reading import read_spec
from headrace_protos.v1 import plan_pb2
from headrace_scheduler.engine import indexing
from headrace_scheduler.engine.indexing import PlanIndex


def plan_of(flow) -> plan_pb2.Plan:
    return compile_plan(read_spec(flow.build()))


def step():
    return container(inputs={"x": "STRING", "n": "NUMBER_INTEGER"}, outputs={"Output": "STRING"})


def chain(length: int) -> plan_pb2.Plan:
    flow, shared = pipeline(), step()
    for number in range(length):
        before = output(f"t{number - 1:04}") if number else "x"
        flow.task(f"t{number:04}", shared, {"x": before, "n": number}, when="inputs.parameter_values['x'] != 'y'")
    return plan_of(flow)


def test_a_task_is_read_when_it_is_asked_for(monkeypatch):
    read: list[int] = []
    original = indexing._Reader.task
    monkeypatch.setattr(
        indexing._Reader,
        "task",
        lambda self, dag, index, after: read.append(index) or original(self, dag, index, after),
    )
    tasks = PlanIndex(chain(1000)).dags[0].tasks
    assert (len(tasks), read) == (1000, [])
    assert tasks[500] is tasks[500]
    assert (tasks[500].key, tasks[500].upstream, list(tasks[500].dependents)) == ("t0500", ("t0499",), [501])
    assert read == [500]
    assert [task.key for task in tasks[:2]] == ["t0000", "t0001"]
    assert tasks[-1].index == 999
    assert read == [500, 0, 1, 999]
    with pytest.raises(IndexError):
        tasks[1000]


def test_tasks_of_one_component_share_its_interface_and_equal_conditions():
    first, second = PlanIndex(chain(2)).dags[0].tasks
    assert first.declarations is second.declarations
    assert first.condition is second.condition
    assert (first.parameters[0].constant, second.parameters[0].constant) == (0, 1)


def test_what_comes_from_a_loop_at_any_depth_is_flat():
    body = dag({"item": "STRING"})
    body.task("a", step(), {"x": dag_input("item"), "n": 1}).returns("out", "a", type_="LIST")
    outer = dag({"item": "STRING"})
    outer.task("loop", body, items='["1"]').task("b", step(), {"x": "1", "n": 1})
    outer.returns("all", "loop", "out", type_="LIST").returns("one", "b")
    wrapper = dag()
    wrapper.task("outer", outer, items='["2"]').returns("all", "outer", "all", type_="LIST")
    flow = pipeline()
    flow.task("wrapper", wrapper).returns("all", "wrapper", "all", type_="LIST")
    dags = {one.component: one for one in PlanIndex(plan_of(flow)).dags}
    assert dags["root"].tasks[0].flat_outputs == {"all"}
    assert dags["comp-wrapper"].tasks[0].flat_outputs == {"all"}
    assert [task.flat_outputs for task in dags["comp-outer"].tasks] == [frozenset(), frozenset()]
    assert dags["comp-loop"].tasks[0].flat_outputs == frozenset()


def test_an_artifact_keeps_whichever_schema_it_is_declared_with():
    flow = pipeline()
    flow.task("a", container(output_artifacts={"t": "system.Model", "u": "x", "i": "x", "n": "x"}))
    document = flow.build()
    kinds = {"u": {"schemaUri": "https://s/x.yaml"}, "i": {"instanceSchema": "title: a\n"}, "n": {}}
    for name, kind in kinds.items():
        document["components"]["comp-a"]["outputDefinitions"]["artifacts"][name]["artifactType"] = kind
    made = {one.name: one for one in PlanIndex(compile_plan(read_spec(document))).dags[0].tasks[0].output_artifacts}
    shown = {name: (one.schema_title, one.schema_uri, one.instance_schema) for name, one in made.items()}
    assert shown == {
        "t": ("system.Model", "", ""),
        "u": ("", "https://s/x.yaml", ""),
        "i": ("", "", "title: a\n"),
        "n": ("system.Artifact", "", ""),
    }
