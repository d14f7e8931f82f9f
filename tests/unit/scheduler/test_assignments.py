"""What a Pod's companion is told means the same as what a companion in this process is told."""

from __future__ import annotations

from dataclasses import replace

from headrace_companion import wire
from headrace_companion.templates import join, json_part, late_part, text_part
from headrace_ir.references import ValueRef
from headrace_protos.v1 import assignments_pb2, events_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.assignments import assignment_of, message_of
from headrace_scheduler.executors.task_settings import EnvKind, EnvSource, TaskSettings

LAUNCH = port.Launch(
    attempt=port.AttemptId("run", "for[1]/train", 3),
    namespace="default",
    pipeline_name="p",
    run_name="r",
    task_key="train",
    image="python:3.11",
    command=["sh", [text_part("-c")], [text_part("a "), late_part("inputs.parameters['x']"), "é\ud800"]],
    args=[[json_part("outputs.artifacts['m'].uri")]],
    env={"A": [text_part("1")], "B": ["2"], "TAKEN": ["no"]},
    parameters={"x": "3", "s": '"é"', "n": "null", "l": '[1.5,{"a":true}]'},
    inputs={
        "data": events_pb2.ArtifactList(
            artifacts=[
                events_pb2.Artifact(
                    artifact_id="id",
                    name="data",
                    uri="s3://b/k",
                    schema_title="system.Dataset",
                    metadata_json='{"a":1}',
                )
            ]
        ),
        "none": events_pb2.ArtifactList(),
    },
    output_parameters={"Output": 3},
    output_artifacts=[
        port.OutputArtifact("m", "system.Model", "0.0.1", metadata_json='{"k":"v"}'),
        port.OutputArtifact("many", "", instance_schema="title: x", is_list=True),
        port.OutputArtifact("odd", "", schema_uri="https://schema"),
    ],
    optional_outputs=frozenset({"m"}),
    optional_inputs=frozenset({"none"}),
    task_root="s3://bucket/run/for/1/train/3",
    timeout_s=1.5,
    traceparent="00-a-b-01",
    references={"big": ValueRef("s3://bucket/big", 40_000, "sha256:0", "LIST")},
    late_parameters={"s": [late_part("outputs.output_file")]},
    settings=TaskSettings(env=(EnvSource("TAKEN", EnvKind.SECRET, "name", "key"),), workspace_claim="claim"),
)


def told(message: assignments_pb2.Assignment):
    return wire.assignment(assignments_pb2.Assignment.FromString(message.SerializeToString()))


def shown(template):
    return join(template, lambda reference: f'<{reference}">')


def test_both_ways_mean_the_same():
    message = message_of(LAUNCH, 1000, 30.0)
    there, here = told(message), assignment_of(LAUNCH, 1000)
    assert [shown(one) for one in there.argv] == [shown(one) for one in here.argv]
    ours = {"KFP_RUN_ID": "run", "PYTHONUNBUFFERED": "1"}
    assert {name: shown(one) for name, one in there.env.items()} == {"A": "1", "B": "2", **ours}
    assert {name: shown(one) for name, one in there.late_parameters.items()} == {"s": '<outputs.output_file">'}
    templates = {"argv": (), "env": {}, "late_parameters": {}}
    assert replace(there, **templates) == replace(here, **templates)


def test_what_is_the_pods_is_told_beside():
    message = message_of(LAUNCH, 1000, 30.0)
    assert (message.timeout_s, message.grace_s, message.traceparent, message.image) == (
        1.5,
        30,
        "00-a-b-01",
        "python:3.11",
    )
    assert message.workspace == "/kfp-workspace"
    assert message_of(replace(LAUNCH, settings=TaskSettings()), 1, 1.0).workspace == ""


def test_the_tasks_own_variables_come_before_ours_and_the_pods_before_both():
    taken = TaskSettings(env=(EnvSource("KFP_POD_UID", EnvKind.FIELD, "metadata.name"),))
    launch = replace(LAUNCH, settings=taken, env={"KFP_POD_NAME": ["mine"], "KFP_POD_UID": ["no"]})
    env = {name: shown(one) for name, one in told(message_of(launch, 1000, 1.0, pod=("name", "uid"))).env.items()}
    assert env == {"KFP_POD_NAME": "mine", "KFP_RUN_ID": "run", "PYTHONUNBUFFERED": "1"}
    env = {name: shown(one) for name, one in told(message_of(LAUNCH, 1000, 1.0, pod=("name", "uid"))).env.items()}
    assert (env["KFP_POD_NAME"], env["KFP_POD_UID"]) == ("name", "uid")


def test_a_home_that_the_task_chooses_is_left():
    chosen = TaskSettings(env=(EnvSource("HOME", EnvKind.CONFIG_MAP, "name", "key"),))
    assert not message_of(LAUNCH, 1, 1.0).own_home
    assert message_of(replace(LAUNCH, env={"HOME": ["/h"]}), 1, 1.0).own_home
    assert message_of(replace(LAUNCH, settings=chosen), 1, 1.0).own_home


def test_the_grace_is_the_tasks_if_it_says_one():
    settings = TaskSettings(annotations={"headrace.io/termination-grace-seconds": "120"})
    assert message_of(replace(LAUNCH, settings=settings), 1, 30.0).grace_s == 120.0
    assert message_of(LAUNCH, 1, 30.0).grace_s == 30.0
