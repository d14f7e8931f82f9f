"""The Pod of an attempt: what the design promises of every one, and what each setting of a task adds."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from builders.pods import OPTIONS, RESTRICTED, RUN, settings_of, task
from headrace_companion import pod_layout
from headrace_protos.v1 import events_pb2
from headrace_scheduler.executors.kubernetes import names
from headrace_scheduler.executors.kubernetes.options import PodDefaults
from headrace_scheduler.executors.kubernetes.pods import pod
from headrace_scheduler.executors.kubernetes.problems import Refused
from headrace_scheduler.executors.port import AttemptId, OutputArtifact, Request
from headrace_scheduler.executors.task_settings import TaskSettings

LABEL = re.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def spec(document: dict[str, Any] | None = None, options=OPTIONS, **more: Any) -> dict[str, Any]:
    return pod(task(settings_of(document or {}), **more), options).body["spec"]


def main(document: dict[str, Any] | None = None, options=OPTIONS, **more: Any) -> dict[str, Any]:
    return spec(document, options, **more)["containers"][0]


def companion(options=OPTIONS) -> dict[str, Any]:
    return spec(options=options)["initContainers"][0]


def mounted(held: dict[str, Any], path: str) -> dict[str, Any]:
    """The volume at a path of `main`, with its mount."""
    mount = next(one for one in held["containers"][0]["volumeMounts"] if one["mountPath"] == path)
    return next(one for one in held["volumes"] if one["name"] == mount["name"]) | {"mount": mount}


# ---- every Pod


def test_there_is_one_container_and_one_native_sidecar():
    held = spec()
    assert held["restartPolicy"] == "Never"
    assert [one["name"] for one in held["containers"]] == ["main"]
    assert [(one["name"], one["restartPolicy"]) for one in held["initContainers"]] == [("companion", "Always")]
    assert held["containers"][0]["command"] == ["/headrace/bin/shim", "run"]
    assert "args" not in held["containers"][0]
    assert companion()["lifecycle"] == {"postStart": {"exec": {"command": ["/usr/lib/headrace/shim", "install"]}}}


def test_the_token_is_in_the_companion_alone():
    held = spec()
    assert held["automountServiceAccountToken"] is False
    assert held["serviceAccountName"] == "headrace-task"
    token = next(one for one in held["volumes"] if "projected" in one)
    source = token["projected"]["sources"][0]["serviceAccountToken"]
    assert source == {"audience": "headrace-attempts", "expirationSeconds": 3600, "path": "token"}
    assert token["name"] not in [one["name"] for one in held["containers"][0]["volumeMounts"]]
    mount = next(one for one in companion()["volumeMounts"] if one["name"] == token["name"])
    assert f"{mount['mountPath']}/token" == str(pod_layout.TOKEN)


def test_the_companion_is_told_who_it_is_and_user_code_nothing_of_ours():
    assert companion()["args"] == ["scheduler:8892", RUN, "train", "1"]
    assert "env" not in companion()
    assert "env" not in main()
    odd = spec(path="a/$(HOME)$", options=replace(OPTIONS, companion_env={"HEADRACE_IMPORT_SILENCE_S": "5"}))
    assert odd["initContainers"][0]["args"][2] == "a/$$(HOME)$$"  # as Kubernetes quotes it
    assert odd["initContainers"][0]["env"] == [{"name": "HEADRACE_IMPORT_SILENCE_S", "value": "5"}]


@pytest.mark.parametrize(
    "more",
    [
        {"output_artifacts": (OutputArtifact("model"),)},
        {"inputs": {"data": events_pb2.ArtifactList()}},
    ],
)
def test_any_user_can_write_where_kfps_sdk_puts_artifacts_with_uris_of_their_own(more):
    paths = [
        one["mountPath"] for one in pod(replace(task(), **more), OPTIONS).body["spec"]["containers"][0]["volumeMounts"]
    ]
    assert paths == ["/headrace", "/gcs", "/s3", "/minio"]
    assert [one["mountPath"] for one in main()["volumeMounts"]] == ["/headrace"]


@pytest.mark.parametrize(("options", "most"), [(OPTIONS, 69), (RESTRICTED, 71)])
def test_a_pod_of_a_plain_task_has_few_fields(options, most):
    """Each is compared, stored and sent with every change of the Pod's status; a bare Pod has a dozen."""
    body = pod(task(), options).body
    assert leaves(body) <= most
    assert len(json.dumps(body, separators=(",", ":"))) <= 2_300


def leaves(value: Any) -> int:
    """Values that are none of others."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(leaves, inner)) or 1


def test_the_command_inputs_and_environment_are_not_in_the_pod():
    secretive = replace(task(), command=[["sh", "-c", "echo tell-nobody"]], env={"A": ["tell-nobody"]})
    secretive = replace(secretive, parameters={"p": '"tell-nobody"'}, task_root="s3://tell-nobody")
    assert "tell-nobody" not in json.dumps(pod(secretive, OPTIONS).body)


def test_a_pod_stays_small_whatever_its_inputs():
    big = replace(task(), parameters={"p": '"' + "x" * 1_000_000 + '"'}, args=[["y" * 1_000_000]])
    assert len(json.dumps(pod(big, OPTIONS).body)) < 8_000


def test_the_entry_point_of_the_image_is_told_to_the_companion():
    held = pod(task(), OPTIONS, ("/app", "--é")).body["spec"]
    assert held["initContainers"][0]["args"][4:] == ["/app", "--é"]
    assert held["containers"][0]["command"] == ["/headrace/bin/shim", "run"]
    with pytest.raises(
        Refused, match=r"entry point of the image 'python:3.11' is too long: give the component a command"
    ):
        pod(task(), OPTIONS, ["x" * 40_000])


# ---- names and labels


@pytest.mark.parametrize(
    "key", ["train", "Train_Model.2", "x" * 200, "-", "__", "für-alle", "a" * 41 + "-" + "b" * 20, "for-loop-1"]
)
def test_a_name_is_a_host_name_with_the_tasks_key_first(key):
    name = names.pod_name(AttemptId(RUN, key, 12), key)
    assert len(name) <= 63
    assert LABEL.fullmatch(name)
    first = re.sub("[^a-z0-9]+", "-", key.lower()).strip("-")[:20].strip("-")
    assert name.startswith(first or "task")


def test_no_two_attempts_share_a_name():
    other = RUN.replace("1111", "2222")
    attempts = [AttemptId(run, path, n) for run in (RUN, other) for path in ("a", "b/a", "l[1]/a") for n in (1, 2, 11)]
    assert len({names.pod_name(one, "a") for one in attempts}) == len(attempts)


def test_an_attempt_is_read_back_from_its_pod():
    launch = task(path="for-loop-1[3]/train", number=2)
    metadata = pod(launch, OPTIONS).body["metadata"]
    assert names.attempt_of(metadata) == launch.attempt
    assert names.attempt_of({}) is None
    metadata["annotations"]["headrace.io/path"] = "another"
    assert names.attempt_of(metadata) is None


def test_labels_find_a_pod_as_ours_and_as_kfps_selectors_do():
    labels = pod(task(), OPTIONS).body["metadata"]["labels"]
    assert labels.items() >= {
        "headrace.io/installation": "here",
        "headrace.io/shard": str(0xCD),
        "headrace.io/run": RUN,
        "headrace.io/attempt": "1",
        "pipelines.kubeflow.org/v2_component": "true",
        "pipeline/runid": RUN,
    }.items()  # fmt: skip


def test_a_task_cannot_pass_for_another():
    labels = {"headrace.io/run": "x", "headrace.io/workspace": "true", "team": "ml"}
    document = {"podMetadata": {"labels": labels, "annotations": {"headrace.io/path": "x"}}}
    made = pod(task(settings_of(document)), OPTIONS)
    assert made.body["metadata"]["labels"]["headrace.io/run"] == RUN
    assert "headrace.io/workspace" not in made.body["metadata"]["labels"]
    assert made.body["metadata"]["labels"]["team"] == "ml"
    assert made.body["metadata"]["annotations"]["headrace.io/path"] == "train"
    assert made.warnings == (
        "the platform sets these labels and annotations itself: headrace.io/run, headrace.io/workspace, headrace.io/path",
    )


def test_a_mesh_stays_away_unless_the_task_wants_it():
    metadata = pod(task(), OPTIONS).body["metadata"]
    assert metadata["labels"]["sidecar.istio.io/inject"] == "false"
    assert metadata["annotations"]["linkerd.io/inject"] == "disabled"
    asked = {"linkerd.io/inject": "enabled", "sidecar.istio.io/inject": "true"}
    wanted = pod(task(settings_of({"podMetadata": {"annotations": asked}})), OPTIONS).body["metadata"]
    assert wanted["annotations"].items() >= asked.items()
    assert "sidecar.istio.io/inject" not in wanted["labels"]


# ---- ends


def test_grace_is_the_tasks_and_leaves_time_to_publish():
    assert spec()["terminationGracePeriodSeconds"] == 60
    document = {"podMetadata": {"annotations": {"headrace.io/termination-grace-seconds": "120"}}}
    assert spec(document)["terminationGracePeriodSeconds"] == 150


@pytest.mark.parametrize("text", ["-1", "soon", "1.5", "1000000"])
def test_a_grace_that_is_no_number_of_seconds_is_refused(text):
    with pytest.raises(Refused, match="write seconds, at most 86400"):
        spec({"podMetadata": {"annotations": {"headrace.io/termination-grace-seconds": text}}})


def test_the_time_out_is_the_shims_and_kubernetes_has_a_later_one():
    assert "activeDeadlineSeconds" not in spec()
    assert spec(timeout_s=10.5)["activeDeadlineSeconds"] == 11 + 30 + 86_400


# ---- security


def test_baseline_leaves_the_images_user_and_takes_everything_else():
    held = spec()
    assert held["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    locked = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert main()["securityContext"] == locked
    assert companion()["securityContext"] == locked | {
        "readOnlyRootFilesystem": True, "runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532,
    }  # fmt: skip


def test_restricted_makes_one_user_of_all():
    held = spec(options=RESTRICTED)
    assert held["securityContext"] == {
        "seccompProfile": {"type": "RuntimeDefault"}, "runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532,
        "fsGroup": 65532, "fsGroupChangePolicy": "OnRootMismatch",
    }  # fmt: skip
    assert "runAsUser" not in main(options=RESTRICTED)["securityContext"]
    assert "runAsUser" not in companion(RESTRICTED)["securityContext"]


def test_a_tasks_own_user():
    document = {"securityContext": {"runAsUser": "1000", "runAsGroup": "1001", "runAsNonRoot": True}}
    asked = {"runAsUser": 1000, "runAsGroup": 1001, "runAsNonRoot": True}
    assert main(document)["securityContext"].items() >= asked.items()
    assert spec(document, RESTRICTED)["securityContext"].items() >= asked.items()


@pytest.mark.parametrize(
    ("context", "options", "sentence"),
    [
        (
            {"runAsUser": "0", "runAsNonRoot": True},
            OPTIONS,
            "the task asks for user 0 and not to run as root: give another run_as_user, or leave one of them out",
        ),
        (
            {"runAsUser": "0"},
            RESTRICTED,
            "the task asks for user 0, but the namespace 'team-a' is held to the Pod Security level 'restricted': give "
            "another run_as_user, or run the pipeline in another namespace",
        ),
    ],
)
def test_root_is_refused_where_it_cannot_be(context, options, sentence):
    with pytest.raises(Refused) as refused:
        spec({"securityContext": context}, options)
    assert str(refused.value) == sentence


# ---- environment


def test_variables_from_secrets_config_maps_and_fields():
    document = {
        "secretAsEnv": [
            {"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "A"}]},
            {"secretName": "t", "keyToEnv": [{"secretKey": "k", "envVar": "B"}], "optional": True},
        ],
        "configMapAsEnv": [{"configMapName": "c", "keyToEnv": [{"configMapKey": "k", "envVar": "C"}]}],
        "fieldPathAsEnv": [{"name": "D", "fieldPath": "spec.nodeName"}],
    }
    assert main(document)["env"] == [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "t", "key": "k", "optional": True}}},
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ]


def test_the_last_of_two_variables_wins():
    document = {
        "secretAsEnv": [{"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "KFP_RUN_ID"}]}],
        "fieldPathAsEnv": [{"name": "KFP_RUN_ID", "fieldPath": "metadata.name"}],
    }
    assert main(document)["env"] == [{"name": "KFP_RUN_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]


# ---- volumes


def test_a_secret_that_is_mounted_twice_is_one_volume_with_a_dns_label():
    document = {
        "secretAsVolume": [
            {"secretName": "my.secret", "mountPath": "/a"}, {"secretName": "my.secret", "mountPath": "/b"},
            {"secretName": "my.secret", "mountPath": "/c", "optional": True}, {"secretName": "my-secret", "mountPath": "/d"},
        ],
        "configMapAsVolume": [{"configMapName": "my.secret", "mountPath": "/e"}],
    }  # fmt: skip
    held = spec(document)
    assert mounted(held, "/a")["secret"] == {"secretName": "my.secret", "optional": False}
    assert mounted(held, "/a")["name"] == mounted(held, "/b")["name"] == "my-secret"
    assert mounted(held, "/c")["secret"]["optional"] is True
    assert mounted(held, "/e")["configMap"] == {"name": "my.secret", "optional": False}
    given = [one["name"] for one in held["volumes"]]
    assert len(set(given)) == len(given)
    assert all(LABEL.fullmatch(name) and len(name) <= 63 for name in given)


def test_a_claim_that_is_mounted_twice_and_the_workspace():
    document = {
        "pvcMount": [
            {"constant": "data", "mountPath": "/data", "subPath": "x"}, {"constant": "data", "mountPath": "/again"},
        ]
    }  # fmt: skip
    settings = replace(settings_of(document), workspace_claim="pipeline-1-kfp-workspace")
    held = pod(task(settings), OPTIONS).body["spec"]
    assert mounted(held, "/data")["persistentVolumeClaim"] == {"claimName": "data"}
    assert mounted(held, "/data")["mount"]["subPath"] == "x"
    assert mounted(held, "/again")["name"] == mounted(held, "/data")["name"]
    assert mounted(held, "/kfp-workspace")["persistentVolumeClaim"] == {"claimName": "pipeline-1-kfp-workspace"}


def test_a_claim_that_was_not_given_is_left_out():
    document = {"pvcMount": [{"componentInputParameter": "claim", "mountPath": "/data"}]}
    assert "/data" not in [one["mountPath"] for one in main(document)["volumeMounts"]]


def test_ephemeral_volumes_and_empty_folders():
    document = {
        "genericEphemeralVolume": [
            {"volumeName": "fast", "mountPath": "/fast", "accessModes": ["ReadWriteOnce"], "size": "5Gi",
             "storageClassName": "nvme", "metadata": {"labels": {"a": "b"}}},
            {"volumeName": "usual", "mountPath": "/usual", "size": "1Gi", "defaultStorageClass": True},
        ],
        "emptyDirMounts": [{"volumeName": "tmp", "mountPath": "/tmp", "medium": "Memory", "sizeLimit": "1Gi"}],
    }  # fmt: skip
    held = spec(document)
    assert mounted(held, "/fast")["ephemeral"]["volumeClaimTemplate"] == {
        "metadata": {"labels": {"a": "b"}},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}, "storageClassName": "nvme",
        },
    }  # fmt: skip
    assert "storageClassName" not in mounted(held, "/usual")["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert mounted(held, "/tmp")["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}


def test_a_volume_of_the_task_never_has_the_name_of_one_of_ours():
    held = spec({"emptyDirMounts": [{"volumeName": "headrace", "mountPath": "/x"}]})
    assert mounted(held, "/x")["name"] == "headrace-2"


def test_a_task_that_mounts_at_a_place_of_ours_has_its_own():
    mine = settings_of({"emptyDirMounts": [{"volumeName": "mine", "mountPath": "/gcs/"}]})
    held = pod(replace(task(mine), output_artifacts=(OutputArtifact("model"),)), OPTIONS).body["spec"]
    assert mounted(held, "/gcs/")["name"] == "mine"
    assert "/gcs" not in [one["mountPath"] for one in held["containers"][0]["volumeMounts"]]


@pytest.mark.parametrize(
    ("document", "workspace", "sentence"),
    [
        (
            {"secretAsVolume": [{"secretName": "s", "mountPath": "/headrace/bin"}]}, "",
            "the secret 's' cannot be mounted at /headrace/bin: choose a path outside /headrace",
        ),
        (
            {"secretAsVolume": [{"secretName": "s", "mountPath": "/x"}], "pvcMount": [{"constant": "c", "mountPath": "/x/"}]},
            "", "the claim 'c' and the secret 's' are both mounted at /x",
        ),
        (
            {"pvcMount": [{"constant": "c", "mountPath": "/kfp-workspace"}]}, "run-workspace",
            "the claim 'run-workspace' and the claim 'c' are both mounted at /kfp-workspace",
        ),
        (
            {"emptyDirMounts": [{"volumeName": "v", "mountPath": "/a"},
                                {"volumeName": "v", "mountPath": "/b", "medium": "Memory"}]},
            "", "the empty folder 'v' is described twice, and not in the same way",
        ),
    ],
)  # fmt: skip
def test_mounts_that_no_pod_can_have(document, workspace, sentence):
    with pytest.raises(Refused) as refused:
        pod(task(replace(settings_of(document), workspace_claim=workspace)), OPTIONS)
    assert str(refused.value) == sentence


# ---- shared memory


@pytest.mark.parametrize(
    ("resources", "count", "size"),
    [
        ({"limits": {"memory": "16Gi"}}, 2, 8 << 30),
        ({}, 2, 8 << 30),
        ({"requests": {"memory": "64Gi"}}, 2, 32 << 30),
        ({"requests": {"memory": "1Gi"}}, 1, 4 << 30),
    ],
)
def test_a_gpu_task_has_shared_memory(resources, count, size):
    launch = task(TaskSettings(resources=resources), request=Request(accelerators=count))
    held = mounted(pod(launch, OPTIONS).body["spec"], "/dev/shm")
    assert held["emptyDir"] == {"medium": "Memory", "sizeLimit": str(size)}


def test_shared_memory_that_the_task_asks_for_wins():
    document = {"enabledSharedMemory": {"volumeName": "shm", "size": "20Gi"}}
    held = spec(document, request=Request(accelerators=8))
    assert mounted(held, "/dev/shm")["emptyDir"] == {"medium": "Memory", "sizeLimit": "20Gi"}


def test_a_task_without_gpus_has_the_images_own():
    assert "/dev/shm" not in [one["mountPath"] for one in main()["volumeMounts"]]


# ---- where it runs


def test_resources_are_written_as_kubernetes_reads_them():
    given = {"limits": {"cpu": "2", "memory": "500K", "nvidia.com/gpu": "2"}, "requests": {"memory": "1Gi"}}
    assert pod(task(TaskSettings(resources=given)), OPTIONS).body["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "2", "memory": "500k", "nvidia.com/gpu": "2"}, "requests": {"memory": "1Gi"},
    }  # fmt: skip


def test_accelerators_are_tolerated_as_their_nodes_are_tainted():
    given = {"limits": {"nvidia.com/mig-1g.10gb": "1", "cpu": "1"}}
    keys = [one["key"] for one in pod(task(TaskSettings(resources=given)), OPTIONS).body["spec"]["tolerations"]]
    assert keys[:2] == ["nvidia.com/mig-1g.10gb", "nvidia.com/gpu"]
    assert "cpu" not in keys


def test_a_node_out_of_sight_has_lost_its_pods_after_a_minute_unless_the_task_says_otherwise():
    assert [(one["key"], one["tolerationSeconds"]) for one in spec()["tolerations"]] == [
        ("node.kubernetes.io/not-ready", 60), ("node.kubernetes.io/unreachable", 60),
    ]  # fmt: skip
    own = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"}
    assert own in spec({"tolerations": [own]})["tolerations"]
    everything = {"operator": "Exists"}
    assert spec({"tolerations": [everything]})["tolerations"] == [everything]


def test_selectors_affinity_and_tolerations():
    document = {
        "nodeSelector": {"labels": {"zone": "a"}},
        "tolerations": [
            {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": "9"}
        ],
        "nodeAffinity": [{"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}],
        "podAffinity": [{"matchPodLabels": {"a": "b"}, "topologyKey": "zone", "anti": True, "weight": 5}],
    }
    held = spec(document)
    assert held["nodeSelector"] == {"zone": "a"}
    assert held["tolerations"][0]["tolerationSeconds"] == 9
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    assert held["affinity"]["nodeAffinity"][required]["nodeSelectorTerms"][0]["matchExpressions"][0]["key"] == "k"
    assert held["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]["weight"] == 5


def test_images():
    document = {"imagePullPolicy": "Always", "imagePullSecret": [{"secretName": "hub"}, {"secretName": "hub"}]}
    assert main(document)["imagePullPolicy"] == "Always"
    assert spec(document)["imagePullSecrets"] == [{"name": "hub"}]
    assert "imagePullPolicy" not in main()
    with pytest.raises(Refused, match="'Sometimes' is none; write Always, Never or IfNotPresent"):
        main({"imagePullPolicy": "Sometimes"})


def test_the_operators_defaults_come_first():
    defaults = PodDefaults(
        labels={"team": "default"}, node_selector={"pool": "tasks", "zone": "b"}, tolerations=({"key": "tasks"},),
        pull_secrets=("hub",), priority_class="low", resources={"requests": {"cpu": "100m"}},
    )  # fmt: skip
    options = replace(OPTIONS, defaults=defaults)
    document = {"nodeSelector": {"labels": {"zone": "a"}}, "podMetadata": {"labels": {"team": "mine"}}}
    made = pod(task(settings_of(document)), options).body
    assert made["metadata"]["labels"]["team"] == "mine"
    assert made["spec"]["nodeSelector"] == {"pool": "tasks", "zone": "a"}
    assert {"key": "tasks"} in made["spec"]["tolerations"]
    assert made["spec"]["imagePullSecrets"] == [{"name": "hub"}]
    assert made["spec"]["priorityClassName"] == "low"
    assert made["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "100m"}}


def test_the_companions_resources_are_small_and_the_operators_to_change():
    assert companion()["resources"] == {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
    chosen = PodDefaults(companion_resources={"requests": {"cpu": "1"}, "limits": {"cpu": "1"}})
    assert companion(replace(OPTIONS, defaults=chosen))["resources"] == {
        "requests": {"cpu": "1", "memory": "64Mi"}, "limits": {"memory": "512Mi", "cpu": "1"},
    }  # fmt: skip


# ---- init containers


def test_init_containers_follow_the_companion_and_are_locked():
    document = {
        "emptyDirMounts": [{"volumeName": "my.shared", "mountPath": "/shared"}],
        "initContainers": [
            {"name": "fetch", "image": "busybox", "command": ["wget"], "env": [{"name": "A", "value": "{{b}}"}],
             "volumeMounts": [{"volumeName": "my.shared", "mountPath": "/out"}], "restartPolicy": "Always",
             "resources": {"limits": {"memory": "1K"}}},
        ],
    }  # fmt: skip
    fetch = spec(document)["initContainers"][1]
    assert fetch == {
        "name": "fetch", "image": "busybox", "command": ["wget"], "env": [{"name": "A", "value": "{{b}}"}],
        "restartPolicy": "Always", "resources": {"limits": {"memory": "1k"}},
        "volumeMounts": [{"name": "my-shared", "mountPath": "/out"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("container", "sentence"),
    [
        ({"image": "i"}, "an init container has no name"),
        ({"name": "a"}, "the init container 'a' has no image"),
        (
            {"name": "main", "image": "i"},
            "the init container 'main' has a name that another container of the Pod has; give it another",
        ),
        (
            {"name": "a", "image": "i", "restartPolicy": "OnFailure"},
            "the init container 'a' has the restart policy 'OnFailure'; write Always or none",
        ),
        (
            {"name": "a", "image": "i", "volumeMounts": [{"volumeName": "headrace-token", "mountPath": "/t"}]},
            "the init container 'a' mounts the volume 'headrace-token', which the task does not have; it has 'data'",
        ),
    ],
)
def test_init_containers_that_no_pod_can_have(container, sentence):
    document = {"initContainers": [container], "pvcMount": [{"constant": "data", "mountPath": "/data"}]}
    with pytest.raises(Refused) as refused:
        spec(document)
    assert str(refused.value) == sentence
