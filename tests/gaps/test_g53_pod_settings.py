"""G53: settings that KFP's backend drops, or makes into Pods that no cluster takes. The Pods themselves are looked at here."""

from __future__ import annotations

from typing import Any

from builders.pods import OPTIONS, settings_of, task
from gaps.gap import Gap
from headrace_scheduler.executors.kubernetes.pods import pod

GAP = Gap(
    "G53",
    "Kubernetes settings that are dropped",
    kfp="pod affinity and shared memory ignored, volume names clash, an optional claim that is null is an error",
    here="all of them are on the Pod; volumes have names of their own; what was not given is left out",
)


def spec(document: dict[str, Any]) -> dict[str, Any]:
    return pod(task(settings_of(document)), OPTIONS).body["spec"]


def test_pod_affinity_is_on_the_pod():
    held = spec({"podAffinity": [{"matchPodLabels": {"app": "db"}, "topologyKey": "zone"}]})
    (term,) = held["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term == {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "zone"}


def test_shared_memory_is_on_the_pod():
    held = spec({"enabledSharedMemory": {"volumeName": "shm", "size": "2Gi"}})
    (mount,) = [one for one in held["containers"][0]["volumeMounts"] if one["mountPath"] == "/dev/shm"]
    (volume,) = [one for one in held["volumes"] if one["name"] == mount["name"]]
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": "2Gi"}


def test_volumes_have_names_of_their_own():
    held = spec(
        {
            "secretAsVolume": [
                {"secretName": "a.b", "mountPath": "/1"},
                {"secretName": "a.b", "mountPath": "/2"},
            ],
            "configMapAsVolume": [{"configMapName": "a.b", "mountPath": "/3"}],
            "pvcMount": [{"constant": "a.b", "mountPath": "/4"}, {"constant": "a.b", "mountPath": "/5"}],
        }
    )
    names = [one["name"] for one in held["volumes"]]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "." in name]
    assert [one["name"] for one in held["volumes"] if not one["name"].startswith("headrace")] == [
        "a-b",
        "a-b-2",
        "a-b-3",
    ]


def test_a_claim_that_was_not_given_is_left_out():
    held = spec({"pvcMount": [{"componentInputParameter": "claim", "mountPath": "/data"}]})
    assert "/data" not in [one["mountPath"] for one in held["containers"][0]["volumeMounts"]]
