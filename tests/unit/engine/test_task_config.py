"""TASK_CONFIG: each field that can be passed on, with and without effect on the task itself (kfp-semantics 7.4)."""

from __future__ import annotations

import json

import pytest

from builders.specs import container, pipeline
from builders.worlds import RUN_ID, World
from headrace_scheduler.engine.task_config import volumes
from headrace_scheduler.executors.task_settings import Mount, MountKind, TaskSettings

TOLERATION = {"key": "gpu", "operator": "Exists"}
TERM = {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
KUBERNETES = {
    "tolerations": [TOLERATION],
    "nodeSelector": {"labels": {"disk": "ssd"}},
    "nodeAffinity": [TERM],
    "secretAsEnv": [{"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "K"}]}],
    "configMapAsEnv": [{"configMapName": "c", "keyToEnv": [{"configMapKey": "k", "envVar": "C"}], "optional": True}],
    "fieldPathAsEnv": [{"name": "POD", "fieldPath": "metadata.name"}],
    "secretAsVolume": [{"secretName": "s", "mountPath": "/s"}],
    "configMapAsVolume": [{"configMapName": "c", "mountPath": "/c", "optional": True}],
    "pvcMount": [{"constant": "data", "mountPath": "/d"}, {"constant": "data", "mountPath": "/e", "subPath": "in"}],
    "emptyDirMounts": [{"volumeName": "scratch", "mountPath": "/x"}],
}
VALUES = {
    "RESOURCES": {"resources": {"limits": {"cpu": "2"}, "requests": {"memory": "1Gi"}}},
    "ENV": {
        "env": [
            {"name": "A", "value": "is X"},
            {"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}}},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ]
    },
    "KUBERNETES_AFFINITY": {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [TERM]}}}},
    "KUBERNETES_TOLERATIONS": {"tolerations": [TOLERATION]},
    "KUBERNETES_NODE_SELECTOR": {"nodeSelector": {"disk": "ssd"}},
    "KUBERNETES_VOLUMES": {
        "volumes": [
            {"name": "s", "secret": {"secretName": "s", "optional": False}},
            {"name": "c", "configMap": {"name": "c", "optional": True}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        ],
        "volumeMounts": [
            {"name": "s", "mountPath": "/s"},
            {"name": "c", "mountPath": "/c"},
            {"name": "data", "mountPath": "/d"},
            {"name": "data", "mountPath": "/e", "subPath": "in"},
        ],
    },
}
RESOURCES = {"resourceCpuLimit": "2", "resourceMemoryRequest": "1Gi"}


def launch_of(fields: dict[str, bool], *, takes_config: bool = True, x: str = "X"):
    step = container(
        ["echo", "{{$.inputs.parameters['config']}}" if takes_config else "nothing"],
        inputs={"x": "STRING"},
        env={"A": "is {{$.inputs.parameters['x']}}"},
        resources=RESOURCES,
        kubernetes=KUBERNETES,
    )
    if takes_config:
        step.input("config", "TASK_CONFIG")
    flow = pipeline().task("launch", step, {"x": x})
    document = flow.build()
    document["components"]["comp-launch"]["taskConfigPassthroughs"] = [
        {"field": field, "applyToTask": True} if applies else {"field": field} for field, applies in fields.items()
    ]
    flow.build = lambda: document  # type: ignore[method-assign] # the builder has no word for passthroughs
    world = World(flow).run()
    assert world.outcome == "SUCCEEDED"
    return world.launches["launch#1"], world


def without(settings: TaskSettings, field: str) -> bool:
    """Whether the task itself does without what FIELD names."""
    gone = {
        "RESOURCES": not settings.resources,
        "ENV": not settings.env,
        "KUBERNETES_AFFINITY": not settings.affinity,
        "KUBERNETES_TOLERATIONS": not settings.tolerations,
        "KUBERNETES_NODE_SELECTOR": not settings.node_selector,
        "KUBERNETES_VOLUMES": [one.kind for one in settings.mounts] == [MountKind.EMPTY_DIR],
    }
    return gone[field]


@pytest.mark.parametrize("applies", [True, False])
@pytest.mark.parametrize("field", sorted(VALUES))
def test_a_field_is_passed_on_and_stays_with_the_task_or_not(field, applies):
    launch, _ = launch_of({field: applies})
    assert json.loads(launch.parameters["config"]) == VALUES[field]
    assert [one for one in VALUES if without(launch.settings, one)] == ([] if applies else [field])
    has_env = field != "ENV" or applies
    assert dict(launch.env) == ({"A": [{"t": "is X"}]} if has_env else {})
    has_resources = field != "RESOURCES" or applies
    assert (launch.request.cpu, launch.request.memory) == ((2, 1024**3) if has_resources else (0, 0))


def test_all_fields_at_once_are_seen_by_the_command_and_recorded_as_an_input():
    launch, world = launch_of(dict.fromkeys(VALUES, True))
    everything = {name: value for part in VALUES.values() for name, value in part.items()}
    assert json.loads(launch.command[1][0]["t"]) == everything
    recorded = world.rows.tasks["launch"].inputs.parameters["config"].json
    assert json.loads(recorded) == everything


def test_nothing_listed_is_an_empty_object():
    launch, _ = launch_of({"KUBERNETES_NODE_SELECTOR": True} | {})
    assert json.loads(launch.parameters["config"]).keys() == {"nodeSelector"}
    assert "config" not in launch_of({})[0].parameters


def test_a_component_without_the_input_keeps_its_settings():
    """KFP loses them; `validate` says that nothing is passed on."""
    launch, _ = launch_of({"KUBERNETES_TOLERATIONS": False}, takes_config=False)
    assert launch.settings.tolerations == (TOLERATION,)
    assert set(launch.parameters) == {"x"}


def test_the_workspace_is_a_volume_that_is_passed_on():
    launch, _ = launch_of({"KUBERNETES_VOLUMES": False}, x="{{$.workspace_path}}/x")
    config = json.loads(launch.parameters["config"])
    name = f"pipeline-{RUN_ID}-kfp-workspace"
    assert config["volumes"][-1]["persistentVolumeClaim"] == {"claimName": name}
    assert config["volumeMounts"][-1]["mountPath"] == "/kfp-workspace"
    assert launch.settings.workspace_claim == ""


def test_names_of_volumes_are_labels_and_never_shared():
    mounts = [
        Mount(MountKind.SECRET, "a.b", "/1"),
        Mount(MountKind.CONFIG_MAP, "a-b", "/2"),
        Mount(MountKind.CLAIM, "x" * 80, "/3"),
        Mount(MountKind.CLAIM, "x" * 79, "/4"),
        Mount(MountKind.EPHEMERAL, "...", "/5", options={"spec": {}}),
        Mount(MountKind.EMPTY_DIR, "m", "/6", options={"medium": "Memory"}),
    ]
    made, mounted = volumes(mounts)
    names = [one["name"] for one in made]
    assert names == ["a-b", "a-b-2", "x" * 63, "x" * 61 + "-2", "volume", "m"]
    assert [one["name"] for one in mounted] == names
    assert made[4]["ephemeral"] == {"volumeClaimTemplate": {"spec": {}}}
    assert made[5]["emptyDir"] == {"medium": "Memory"}
