"""What runs made, in KFP's names: types, metadata, parameters, Pods, producers of a group's outputs."""

from __future__ import annotations

import json

import pytest

from headrace_persistence.metadata import rendering
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import plan_pb2


@pytest.mark.parametrize(
    ("artifact", "name"),
    [
        ({"schema_title": "system.Model"}, "system.Model"),
        ({"schema_title": "google.VertexModel", "schema_version": "0.0.1"}, "google.VertexModel"),
        ({"instance_schema": "title: my.Type\ntype: object\n"}, "my.Type"),
        ({"instance_schema": 'type: object\ntitle: "quoted"\n'}, "quoted"),
        ({"schema_uri": "https://example.com/schema"}, "system.Artifact"),
        ({}, "system.Artifact"),
        ({"schema_title": "a\0b"}, "ab"),
    ],
)
def test_types_are_titles(artifact, name):
    assert rendering.type_name(ev.Artifact(**artifact)) == name


@pytest.mark.parametrize(
    ("held", "value"),
    [
        (1, ms.Value(double_value=1)),
        (0.5, ms.Value(double_value=0.5)),
        (True, ms.Value(int_value=1)),
        ("text", ms.Value(string_value="text")),
        ("half \ud800", ms.Value(string_value="half ?")),
        ([1, "a"], ms.Value(struct_value={"list": [1, "a"]})),
        ({"a": {"b": None}}, ms.Value(struct_value={"struct": {"a": {"b": None}}})),
        (None, None),
        (10**400, ms.Value(double_value=float("inf"))),
    ],
)
def test_metadata_is_written_as_kfp_does(held, value):
    assert rendering.value(held) == value


def test_an_artifact_has_its_metadata_and_its_name():
    told = rendering.artifact(ev.Artifact(name="model", metadata_json='{"a":1,"b":null,"_kfp_workspace":true}'))
    assert told == {"a": ms.Value(double_value=1), "display_name": ms.Value(string_value="model")}
    named = rendering.artifact(ev.Artifact(name="model", metadata_json='{"display_name":"Mine"}'))
    assert named == {"display_name": ms.Value(string_value="Mine")}
    assert set(rendering.artifact(ev.Artifact(metadata_json="[1]"))) == {"display_name"}


def test_metadata_that_is_too_deep_or_too_long_does_no_harm():
    deep = rendering.artifact(ev.Artifact(metadata_json=f'{{"a":{"[" * 60}{"]" * 60},"n":{"9" * 5000}}}'))
    assert ms.Value.FromString(deep["a"].SerializeToString()) == deep["a"]
    assert deep["n"].double_value == float("inf")
    assert set(rendering.artifact(ev.Artifact(metadata_json="[" * 200_000))) == {"display_name"}


def task(path: str, kind: int = ev.RUNTIME, **fields: object) -> rendering.Task:
    told = {"definition": ev.TaskCreated(dag=0, task=0, iteration=3), "inputs": ev.Values(), "outputs": ev.Values()}
    told |= {"parent": 5, "iteration_count": 4, "namespace": "team"}
    return rendering.Task(path=path, kind=kind, **{**told, **fields})  # type: ignore[arg-type]  # of a table


PLAN = plan_pb2.Plan(
    dags=[
        plan_pb2.DagTemplate(tasks=[plan_pb2.PlanTask(key="train", executor=0), plan_pb2.PlanTask(key="inner", dag=1)]),
        plan_pb2.DagTemplate(
            tasks=[plan_pb2.PlanTask(key="one", executor=0), plan_pb2.PlanTask(key="two", executor=0)],
            outputs=[
                plan_pb2.DagOutput(name="p", selectors=[plan_pb2.OutputSelector(task=1, key="x")]),
                plan_pb2.DagOutput(name="m", is_artifact=True, selectors=[plan_pb2.OutputSelector(task=0, key="y")]),
            ],
        ),
    ],
    executors=[plan_pb2.ExecutorTemplate(container=plan_pb2.Container(image="python:3.11"))],
)


def test_a_container():
    values = ev.Values(
        parameters={"n": ev.Value(json='{"a":[1,true]}'), "big": ev.Value(uri="s3://b/big", size=1 << 20)}
    )
    told = rendering.task(
        task("for-loop-1[3]/train", inputs=values, handle="team/pod-1/uid-1", cache_key="k", cached=77), PLAN
    )
    plain = {name: getattr(one, str(one.WhichOneof("value"))) for name, one in told.items()}
    inputs = plain.pop("inputs")
    assert inputs["n"]["a"][1] is True
    assert inputs["big"] == "s3://b/big"
    plain.pop("outputs")
    assert plain == {
        "display_name": "train", "task_name": "train", "parent_dag_id": 5, "image": "python:3.11", "pod_name": "pod-1",
        "pod_uid": "uid-1", "namespace": "team", "cache_fingerprint": "k", "cached_execution_id": "77",
    }  # fmt: skip


def test_loops_and_iterations():
    loop, iteration = (
        rendering.task(task("for-loop-1", ev.LOOP), None),
        rendering.task(task("for-loop-1[3]", ev.LOOP_ITERATION), None),
    )
    assert loop["iteration_count"].int_value == 4
    assert "iteration_index" not in loop
    assert (iteration["iteration_index"].int_value, iteration["task_name"].string_value) == (3, "for-loop-1")
    assert "iteration_count" not in iteration


def test_a_group_tells_who_gives_its_outputs():
    told = rendering.task(task("inner", ev.DAG, definition=ev.TaskCreated(dag=0, task=1)), PLAN)
    one = json.loads(told["parameter_producer_task"].struct_value["p"])
    assert one == {"valueFromParameter": {"producerSubtask": "two", "outputParameterKey": "x"}}
    selectors = json.loads(told["artifact_producer_task"].string_value)
    assert told["total_dag_tasks"].int_value == 2
    assert selectors == {"m": {"artifact_selectors": [{"producer_subtask": "one", "output_artifact_key": "y"}]}}


def test_a_process_has_no_pod():
    told = rendering.task(task("train", handle="4711@99"), PLAN)
    assert told["pod_name"].string_value == told["pod_uid"].string_value == ""


@pytest.mark.parametrize(
    ("root", "uri", "place"),
    [
        ("s3://b/root/?x=1", "", "s3://b/root/my%20pipe/R"),
        ("", "file:///home/artifacts/my%20pipe/R/train/1/model", "file:///home/artifacts/my%20pipe/R"),
        ("", "https://elsewhere", ""),
        ("", "", ""),
    ],
)
def test_where_a_run_publishes(root, uri, place):
    assert rendering.published("R", "my pipe", root, uri) == place


def test_every_name_that_is_given_is_kept_for_runs():
    given = set(rendering.root(ev.Values(), ev.Values(), "x"))
    for one in (task("a[1]"), task("a", ev.LOOP), task("inner", ev.DAG, definition=ev.TaskCreated(dag=0, task=1)),
                task("a", cache_key="k", cached=1)):  # fmt: skip
        given |= set(rendering.task(one, PLAN))
    assert given <= rendering.TASK_KEYS
    assert set(rendering.run("R", "p", "n", "")) == rendering.RUN_KEYS
