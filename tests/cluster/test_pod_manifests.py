"""The API server takes every Pod and claim that we make: a dry run with strict fields, under both Pod Security levels."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders.pods import OPTIONS, settings_of, task
from cluster.bringup.kube import Kube, KubeError
from fixtures.fix_cluster import new_namespace, set_quota
from headrace_scheduler.engine.problems import TaskProblem
from headrace_scheduler.executors.kubernetes import claims
from headrace_scheduler.executors.kubernetes.options import PodDefaults, PodOptions, Profile
from headrace_scheduler.executors.kubernetes.pods import pod
from headrace_scheduler.executors.kubernetes.problems import Refused
from headrace_scheduler.executors.kubernetes.refusals import Refusal, meaning
from headrace_scheduler.executors.port import Launch, Request
from headrace_scheduler.executors.task_settings import TaskSettings

COMPILED = Path(__file__).parents[1] / "sdk_corpus" / "compiled"
MOUNT = {"volumeName": "v", "mountPath": "/v"}
EXPRESSION = {"key": "k", "operator": "In", "values": ["v"]}
FIELDS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "secretAsVolume": {"secretAsVolume": [
        {"secretName": "my.secret", "mountPath": "/a"}, {"secretName": "my.secret", "mountPath": "/b", "optional": True},
    ]},
    "secretAsEnv": {"secretAsEnv": [
        {"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "A"}], "optional": True},
    ]},
    "configMapAsVolume": {"configMapAsVolume": [{"configMapName": "c.d", "mountPath": "/a", "optional": True}]},
    "configMapAsEnv": {"configMapAsEnv": [{"configMapName": "c", "keyToEnv": [{"configMapKey": "k", "envVar": "A"}]}]},
    "pvcMount": {"pvcMount": [
        {"constant": "data", "mountPath": "/a"}, {"constant": "data", "mountPath": "/b", "subPath": "x"},
    ]},
    "genericEphemeralVolume": {"genericEphemeralVolume": [
        {**MOUNT, "accessModes": ["ReadWriteOnce"], "size": "1Gi", "storageClassName": "standard",
         "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}},
        {"volumeName": "w", "mountPath": "/w", "size": "1Gi", "defaultStorageClass": True},
    ]},
    "emptyDirMounts": {"emptyDirMounts": [{**MOUNT, "medium": "Memory", "sizeLimit": "1Gi"}]},
    "enabledSharedMemory": {"enabledSharedMemory": {"volumeName": "shm", "size": "1Gi"}},
    "fieldPathAsEnv": {"fieldPathAsEnv": [
        {"name": "A", "fieldPath": "spec.nodeName"}, {"name": "B", "fieldPath": "metadata.labels['headrace.io/run']"},
    ]},
    "tolerations": {"tolerations": [
        {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": "5"}, {"operator": "Exists"},
    ]},
    "nodeSelector": {"nodeSelector": {"labels": {"a": "b"}}},
    "nodeAffinity": {"nodeAffinity": [
        {"matchExpressions": [EXPRESSION]}, {"matchExpressions": [EXPRESSION], "weight": 5},
    ]},
    "podAffinity": {"podAffinity": [
        {"matchPodExpressions": [EXPRESSION], "matchPodLabels": {"a": "b"}, "topologyKey": "zone", "namespaces": ["x"],
         "matchNamespaceLabels": {"a": "b"}, "matchNamespaceExpressions": [EXPRESSION]},
        {"matchPodLabels": {"a": "b"}, "topologyKey": "zone", "weight": 5, "anti": True},
    ]},
    "imagePullPolicy": {"imagePullPolicy": "Always"},
    "imagePullSecret": {"imagePullSecret": [{"secretName": "hub"}, {"secretName": "hub"}]},
    "podMetadata": {"podMetadata": {"labels": {"a": "b"}, "annotations": {"headrace.io/termination-grace-seconds": "5"}}},
    "securityContext": {"securityContext": {"runAsUser": "1000", "runAsGroup": "1000", "runAsNonRoot": True}},
    "initContainers": {
        "emptyDirMounts": [MOUNT],
        "initContainers": [
            {"name": "fetch", "image": "busybox", "command": ["true"], "args": ["x"], "env": [{"name": "A", "value": "B"}],
             "volumeMounts": [MOUNT], "resources": {"limits": {"cpu": "10m", "memory": "1K"}, "requests": {"cpu": "5m"}}},
            {"name": "proxy", "image": "busybox", "restartPolicy": "Always"},
        ],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def levels(kube: Kube) -> Iterator[dict[Profile, PodOptions]]:
    """Options for a namespace of each Pod Security level."""
    made = {level: replace(OPTIONS, namespace=f"t-{level}-{secrets.token_hex(4)}", profile=level) for level in Profile}
    for level, options in made.items():
        labels = {"pod-security.kubernetes.io/enforce": level.value}
        new_namespace(kube, options.namespace, level is Profile.RESTRICTED, labels=labels)
    yield made
    for options in made.values():
        kube.delete("Namespace", options.namespace)


def accept(kube: Kube, body: dict[str, Any], kind: str = "pods") -> None:
    namespace = body["metadata"]["namespace"]
    kube.request("POST", f"/api/v1/namespaces/{namespace}/{kind}?dryRun=All&fieldValidation=Strict", body)


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_a_field_of_the_platform_config(kube: Kube, levels: dict[Profile, PodOptions], field: str) -> None:
    for options in levels.values():
        accept(kube, pod(task(settings_of(FIELDS[field])), options).body)


@pytest.mark.parametrize(
    "more",
    [
        {"task_key": "A very long key of a task, " * 9, "path": "for-loop-1[12]/" * 40 + "train", "number": 123},
        {"timeout_s": 12.5},
        {
            "request": Request(accelerators=2),
            "settings": TaskSettings(
                resources={
                    "limits": {"nvidia.com/gpu": "2", "cpu": "500m", "memory": "1.5Gi"},
                    "requests": {"memory": "500K"},
                },
                workspace_claim="pipeline-1-kfp-workspace",
            ),
        },
    ],
    ids=["long names", "a time-out", "GPUs and a workspace"],
)
def test_what_else_a_launch_says(kube: Kube, levels: dict[Profile, PodOptions], more: dict[str, Any]) -> None:
    given = dict(more)
    settings = given.pop("settings", TaskSettings())
    for options in levels.values():
        accept(kube, pod(task(settings, **given), options).body)


def test_the_operators_defaults(kube: Kube, levels: dict[Profile, PodOptions]) -> None:
    defaults = PodDefaults(
        labels={"team": "ml"},
        annotations={"a": "b"},
        node_selector={"pool": "tasks"},
        tolerations=({"key": "tasks", "operator": "Exists"},),
        pull_secrets=("hub",),
        priority_class="system-cluster-critical",
        scheduler_name="mine",
        resources={"requests": {"cpu": "100m"}},
    )
    for options in levels.values():
        accept(kube, pod(task(), replace(options, defaults=defaults, companion_pull_policy="Always")).body)


@pytest.mark.parametrize("name", sorted(path.stem for path in COMPILED.glob("kube_*.yaml")))
def test_settings_that_compilers_write(kube: Kube, levels: dict[Profile, PodOptions], name: str) -> None:
    for document in _settings(COMPILED / f"{name}.yaml"):
        accept(kube, pod(task(_resolved(document)), levels[Profile.BASELINE]).body)


def _settings(path: Path) -> Iterator[dict[str, Any]]:
    """The Kubernetes settings of all executors of a compiled pipeline."""
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        kubernetes = ((document or {}).get("platforms") or {}).get("kubernetes") or {}
        yield from ((kubernetes.get("deploymentSpec") or {}).get("executors") or {}).values()


class _Anything(dict[str, Any]):
    """A DAG whose every input has the same value."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self._value = value

    def get(self, key: str, default: Any = None) -> Any:
        return self._value


def _resolved(document: dict[str, Any]) -> TaskSettings:
    text = json.loads(json.dumps(document).replace('"taskOutputParameter"', '"componentInputParameter"'))
    try:
        return settings_of(_flat(text), _Anything("given"))
    except TaskProblem:
        return settings_of(_flat(text), _Anything({"given": "yes"}))  # a struct is what some of them want


def _flat(value: Any) -> Any:
    """References to other tasks' outputs as references to inputs."""
    if isinstance(value, list):
        return [_flat(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {name: _flat(one) for name, one in value.items()}
    if isinstance(made.get("componentInputParameter"), dict):
        made["componentInputParameter"] = "output"
    return made


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"pvc_name": "data", "storage_class_name": "", "volume_name": "pv-1", "annotations": {"a": "b"}},
        {"pvc_name_suffix": "-data", "data_source": {"apiGroup": "s.k8s.io", "kind": "VolumeSnapshot", "name": "s"}},
    ],
)
def test_claims(kube: Kube, levels: dict[Profile, PodOptions], parameters: dict[str, Any]) -> None:
    given = {"access_modes": ["ReadWriteOnce"], "size": "500K", **parameters}
    launch = replace(task(), parameters={name: json.dumps(value) for name, value in given.items()})
    accept(kube, claims.new_claim(launch, levels[Profile.BASELINE]), "persistentvolumeclaims")


def test_a_workspace(kube: Kube, levels: dict[Profile, PodOptions]) -> None:
    spec = {"resources": {"requests": {"storage": "1Gi"}}}
    settings = TaskSettings(workspace_claim="pipeline-1-kfp-workspace", workspace_spec=spec)
    accept(kube, claims.workspace(task(settings), levels[Profile.BASELINE]), "persistentvolumeclaims")


def refused(kube: Kube, launch: Launch, options: PodOptions) -> Refusal:
    with pytest.raises(KubeError) as error:
        accept(kube, pod(launch, options).body)
    return meaning(error.value.status, {"message": str(error.value).partition(": ")[2]}, "Pod", options.namespace).kind


def test_what_the_cluster_refuses(kube: Kube, levels: dict[Profile, PodOptions]) -> None:
    options = levels[Profile.BASELINE]
    wrong = TaskSettings(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})
    assert refused(kube, task(wrong), options) is Refusal.NEVER
    assert refused(kube, task(), replace(options, namespace="t-nowhere")) is Refusal.STUCK
    unprepared = replace(options, service_account="nobody")
    assert refused(kube, task(), unprepared) is Refusal.STUCK
    as_baseline = replace(levels[Profile.RESTRICTED], profile=Profile.BASELINE)
    assert refused(kube, task(), as_baseline) is Refusal.NEVER
    gpus = task(TaskSettings(resources={"limits": {"nvidia.com/gpu": "2"}}))
    set_quota(kube, options.namespace, {"requests.nvidia.com/gpu": "1"})
    assert refused(kube, gpus, options) is Refusal.WAIT
    kube.delete("ResourceQuota", "quota", options.namespace)


def test_root_in_a_restricted_namespace_is_refused_before_the_cluster_is_asked(
    levels: dict[Profile, PodOptions],
) -> None:
    root = settings_of({"securityContext": {"runAsUser": "0"}})
    with pytest.raises(Refused, match="user 0"):
        pod(task(root), levels[Profile.RESTRICTED])
