"""Bodies of volume claims: of CreatePVC and DeletePVC tasks, and of a run's workspace."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from builders.pods import OPTIONS, RUN, task
from headrace_protos.lifecycle import task_id
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.platform_settings import workspace_spec
from headrace_scheduler.executors.kubernetes import claims
from headrace_scheduler.executors.kubernetes.options import PodDefaults
from headrace_scheduler.executors.kubernetes.problems import Refused
from headrace_scheduler.executors.port import Launch
from headrace_scheduler.executors.task_settings import TaskSettings

NEEDED = {"access_modes": ["ReadWriteOnce"], "size": "5Gi"}


def create(**parameters: Any) -> Launch:
    given = {**NEEDED, **parameters}
    return replace(task(), parameters={name: json.dumps(value) for name, value in given.items() if value is not ...})


def body(**parameters: Any) -> dict[str, Any]:
    return claims.new_claim(create(**parameters), OPTIONS)


def test_a_claim_of_the_default_class():
    made = body()
    assert made["metadata"]["name"] == task_id(RUN, "train")
    assert made["metadata"]["namespace"] == "team-a"
    assert made["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}}


@pytest.mark.parametrize(
    ("given", "name"),
    [({"pvc_name": "data"}, "data"), ({"pvc_name_suffix": "-data"}, f"{task_id(RUN, 'train')}-data")],
)
def test_the_name_of_a_claim(given, name):
    assert body(**given)["metadata"]["name"] == name


def test_everything_that_a_claim_can_be():
    source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"}
    made = body(storage_class_name="", volume_name="pv-1", annotations={"a": "b"}, data_source=source, size="500K")
    assert made["metadata"]["annotations"] == {"a": "b"}
    assert made["spec"] == {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "500k"}}, "storageClassName": "",
        "volumeName": "pv-1", "dataSource": source,
    }  # fmt: skip
    assert "storageClassName" not in body(storage_class_name=None)["spec"]


def test_a_claim_that_is_there_is_known_as_the_tasks_own_by_any_attempt():
    launch = create()
    made = claims.new_claim(launch, OPTIONS)
    again = replace(launch, attempt=replace(launch.attempt, number=2))
    other = replace(launch, attempt=replace(launch.attempt, path="other"))
    assert claims.new_claim(again, OPTIONS) == made
    assert claims.is_of_task(made, again, OPTIONS)
    assert not claims.is_of_task(made, other, OPTIONS)
    assert not claims.is_of_task({"metadata": {"name": "x"}}, launch, OPTIONS)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"pvc_name": "a", "pvc_name_suffix": "b"}, "give pvc_name or pvc_name_suffix, not both"),
        ({"size": "much"}, "size must be how much storage to claim, such as '10Gi', it is STRING \"much\""),
        ({"size": "0"}, "size must be how much storage to claim, such as '10Gi', it is STRING \"0\""),
        (
            {"access_modes": ["Sometimes"]},
            "access_modes must be a list of some of ReadOnlyMany, ReadWriteMany, ReadWriteOnce, ReadWriteOncePod, it is "
            "LIST",
        ),
        ({"volume_name": 3}, "volume_name must be a text, it is NUMBER_INTEGER 3"),
        ({"annotations": {"a": 1}}, "annotations must be an object whose values are texts, it is STRUCT"),
    ],
)
def test_claims_that_cannot_be_made(given, sentence):
    with pytest.raises(Refused) as refused:
        body(**given)
    assert str(refused.value).startswith(sentence)


def test_a_claim_to_delete():
    named = replace(task(), parameters={"pvc_name": '"data"'})
    assert claims.claim_to_delete(named) == "data"
    with pytest.raises(Refused, match="pvc_name is missing: give the claim's name"):
        claims.claim_to_delete(task())
    with pytest.raises(Refused, match="the volume claim 'data-headrace-postgres-0' is the platform's own"):
        claims.claim_to_delete(replace(task(), parameters={"pvc_name": '"data-headrace-postgres-0"'}))


def test_what_the_tasks_put_out():
    made = claims.made("data")
    assert made.state == claims.deleted().state == ev.ATTEMPT_SUCCEEDED
    assert made.outputs.parameters["name"].json == '"data"'
    assert not claims.deleted().outputs.parameters


# ---- workspaces


@pytest.mark.parametrize(
    ("config", "spec"),
    [
        ({}, {}),
        ({"workspace": {"size": "10Gi"}}, {"resources": {"requests": {"storage": "10Gi"}}}),
        (
            {"workspace": {"size": "1Gi", "kubernetes": {
                "pvcSpecPatch": {"accessModes": ["ReadWriteMany"], "storageClassName": "nfs"}}}},
            {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadWriteMany"], "storageClassName": "nfs"},
        ),
        (
            {"workspace": {"size": "1Gi", "kubernetes": {"pvc_spec_patch": {"storageClassName": "nfs"}}}},
            {"resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "nfs"},
        ),
    ],
)  # fmt: skip
def test_what_a_pipeline_says_of_its_workspace(config, spec):
    assert workspace_spec(json.dumps(config)) == spec
    assert workspace_spec("") == {}


def test_the_claim_behind_a_runs_workspace():
    settings = TaskSettings(
        workspace_claim="p-1-kfp-workspace", workspace_spec=workspace_spec('{"workspace":{"size":"2Gi"}}')
    )
    made = claims.workspace(task(settings), OPTIONS)
    assert made["metadata"]["name"] == "p-1-kfp-workspace"
    assert made["metadata"]["labels"]["headrace.io/run"] == RUN
    assert made["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    assert claims.workspace(task(settings, path="other"), OPTIONS) == made


def test_the_operators_kind_of_workspace():
    given = {"accessModes": ["ReadWriteMany"], "storageClassName": "nfs"}
    options = replace(OPTIONS, defaults=PodDefaults(workspace=given))
    settings = TaskSettings(workspace_claim="w", workspace_spec={"storageClassName": "fast"})
    assert claims.workspace(task(settings), options)["spec"] == {
        "accessModes": ["ReadWriteMany"], "storageClassName": "fast",
    }  # fmt: skip


def test_a_workspace_that_the_pipeline_does_not_have():
    with pytest.raises(Refused) as refused:
        claims.workspace(task(TaskSettings(workspace_claim="w")), OPTIONS)
    assert str(refused.value) == (
        "the task uses the run's workspace, but the pipeline has none: give the pipeline one with its size "
        "(PipelineConfig(workspace=WorkspaceConfig(size='10Gi')))"
    )
