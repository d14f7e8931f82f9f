"""Why a Pod waits: conditions, container states and events as a cluster writes them, and the sentence that follows."""

from __future__ import annotations

from typing import Any

import pytest

from builders.pods import OPTIONS, task
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.executors.kubernetes.pods import pod
from headrace_scheduler.executors.kubernetes.waits import waiting

Json = dict[str, Any]


def seen(status: Json, node: str = "n1", **spec: Any) -> Json:
    body = pod(task(image="mine:1"), OPTIONS).body
    placed = {"nodeName": node} if node else {}
    return {**body, "spec": {**body["spec"], **placed, **spec}, "status": status}


def unscheduled(message: str, reason: str = "Unschedulable", **status: Any) -> Json:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return {"phase": "Pending", "conditions": [condition], **status}


def container(reason: str, message: str = "", name: str = "main", **more: Any) -> Json:
    key = "containerStatuses" if name == "main" else "initContainerStatuses"
    return {
        "phase": "Pending",
        key: [{"name": name, "state": {"waiting": {"reason": reason, "message": message}}, **more}],
    }


def event(reason: str, message: str, second: int = 0) -> Json:
    return {"reason": reason, "message": message, "lastTimestamp": f"2026-11-21T15:00:{second:02}Z"}


CREATING = container("ContainerCreating")


# ---- no node yet


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "0/5 nodes are available: 1 Insufficient cpu, 3 Insufficient nvidia.com/gpu, 1 node(s) had untolerated taint(s). "
            "preemption: 0/5 nodes are available: 2 No preemption victims found for incoming pod.",
            "none of the 5 nodes takes it: 1 has too little cpu free, 3 have too little nvidia.com/gpu free, 1 has a taint that "
            "the task does not tolerate",
        ),
        (
            "0/3 nodes are available: 1 node(s) had untolerated taint {gpu: yes}, 1 node(s) were unschedulable, 1 node(s) didn't "
            "match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/3 nodes are available",
            "none of the 3 nodes takes it: 1 has a taint that the task does not tolerate {gpu: yes}, 1 has been cordoned, 1 is "
            "not what the node selector or affinity asks for",
        ),
        ("0/0 nodes are available: . ", "the cluster has no nodes"),
        (
            "0/2 nodes are available: 2 node(s) had volume node affinity conflict.",
            "none of the 2 nodes takes it: 2 have no way to the task's volume",
        ),
        (
            "0/2 nodes are available: 2 node(s) had sunspots.",
            "none of the 2 nodes takes it: of 2 the scheduler says 'had sunspots'",
        ),
        ("running PreBind plugin: timed out", "no node takes it: running PreBind plugin: timed out"),
        (
            "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/2 nodes are available",
            "the storage of a claim is not there yet",
        ),
    ],
)  # fmt: skip
def test_no_node_takes_it(said, sentence):
    found = waiting(seen(unscheduled(said), node=""))
    assert (found.detail, found.stuck) == (sentence, None)


def test_what_is_free_of_accelerators_comes_first():
    status = unscheduled("0/2 nodes are available: 2 Insufficient nvidia.com/gpu.")
    found = waiting(seen(status, node=""), (), "needs 2 × H100; 1 of 4 × H100 free")
    assert found.detail == (
        "needs 2 × H100; 1 of 4 × H100 free; none of the 2 nodes takes it: 2 have too little nvidia.com/gpu free"
    )


@pytest.mark.parametrize(
    ("events", "end"),
    [
        (
            [event("TriggeredScaleUp", "pod triggered scale-up: [{gpu-pool 0->1 (max: 4)}]")],
            "; a node is being added for it ([{gpu-pool 0->1 (max: 4)}])",
        ),
        (
            [event("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached")],
            "; the autoscaler adds no node: 1 max node group size reached",
        ),
        (
            [event("NotTriggerScaleUp", "x: 1 max", 1), event("TriggeredScaleUp", "pod triggered scale-up: [a]", 5)],
            "; a node is being added for it ([a])",
        ),
        ([event("Nominated", "Pod should schedule on: nodeclaim/gpu-1")],
         "; a node is being made for it (Pod should schedule on: nodeclaim/gpu-1)"),
    ],
)  # fmt: skip
def test_what_an_autoscaler_does(events, end):
    found = waiting(seen(unscheduled("0/1 nodes are available: 1 Insufficient cpu."), node=""), list(reversed(events)))
    assert found.detail == "none of the 1 nodes takes it: 1 has too little cpu free" + end


def test_before_a_scheduler_has_looked():
    assert waiting(seen({}, node="")).detail == "it waits for the scheduler 'default-scheduler' to choose a node"
    odd = seen({}, node="", schedulerName="mine")
    assert waiting(odd).detail == "it waits for the scheduler 'mine' to choose a node"


def test_a_gate_and_a_preemption():
    gated = seen(
        unscheduled("gated", "SchedulingGated"), node="", schedulingGates=[{"name": "kueue.x-k8s.io/admission"}]
    )
    assert waiting(gated).detail == "it is held back by the scheduling gate 'kueue.x-k8s.io/admission'"
    nominated = unscheduled("0/1 nodes are available: 1 Insufficient cpu.", nominatedNodeName="n2")
    assert waiting(seen(nominated, node="")).detail == (
        "it waits on 'n2' for Pods of lower priority to end, which it replaces"
    )


def test_a_claim_that_does_not_exist_needs_a_person():
    found = waiting(seen(unscheduled('persistentvolumeclaim "data" not found'), node=""))
    assert found.detail == "the claim 'data' does not exist: make it, or mount another one"
    assert found.stuck.error.failure_class == ev.USER
    deleting = waiting(seen(unscheduled('persistentvolumeclaim "data" is being deleted'), node=""))
    assert (deleting.detail, deleting.stuck) == ("the claim 'data' is being deleted", None)


# ---- images

PULL = 'Back-off pulling image "mine:1": ErrImagePull: rpc error: code = {} desc = failed to pull and unpack image: '


@pytest.mark.parametrize(
    ("reason", "said", "why", "kind"),
    [
        ("ImagePullBackOff", PULL.format("NotFound") + "docker.io/library/mine:1: not found",
         "it is not in its registry: look at its name and tag", ev.USER),
        ("ErrImagePull", "pull access denied, repository does not exist or may require authorization: insufficient_scope",
         "it does not exist, or its registry asks for credentials: look at its name, or give an image pull secret", ev.USER),
        ("ErrImagePull", "no match for platform in manifest: not found",
         "it has no variant for the node's kind of processor", ev.USER),
        ("InvalidImageName", "couldn't parse image name", "that is no name of an image", ev.USER),
        ("ErrImageNeverPull", "x", "it is not on the node, and the image pull policy is Never", ev.USER),
        ("ErrImagePull", PULL.format("Unknown") + "dial tcp 1.2.3.4:443: i/o timeout",
         "its registry does not answer (failed to pull and unpack image: dial tcp 1.2.3.4:443: i/o timeout)",
         ev.INFRASTRUCTURE),
        ("ErrImagePull", "toomanyrequests: You have reached your pull rate limit",
         "its registry allows no more pulls for now: give an image pull secret, or wait (toomanyrequests: You have reached your "
         "pull rate limit)", ev.INFRASTRUCTURE),
        ("ErrImagePull", "sunspots", "sunspots", ev.INFRASTRUCTURE),
    ],
)  # fmt: skip
def test_an_image_that_cannot_be_pulled(reason, said, why, kind):
    found = waiting(seen(container(reason, said)))
    assert found.detail == f"the image 'mine:1' cannot be pulled on 'n1': {why}"
    assert (found.stuck.error.reason, found.stuck.error.failure_class) == ("Environment", kind)
    assert found.stuck.error.message == found.detail


def test_the_companions_image_is_the_operators():
    found = waiting(seen(container("ErrImagePull", "companion:test: not found", "companion")))
    assert found.detail == (
        "the companion image 'companion:test' cannot be pulled on 'n1': it is not in its registry: look at its name and tag "
        "(the operator sets it by HEADRACE_COMPANION_IMAGE)"
    )
    assert found.stuck.error.failure_class == ev.INFRASTRUCTURE


def test_an_image_on_its_way():
    told = [
        event("Pulled", 'Successfully pulled image "companion:test"', 1),
        event("Pulling", 'Pulling image "mine:1"', 2),
    ]
    assert waiting(seen(CREATING), told).detail == "the image 'mine:1' is being pulled on 'n1'"
    told.append(event("Pulled", 'Successfully pulled image "mine:1" in 2s', 4))
    assert waiting(seen(CREATING), told).detail == "its containers are being made on 'n1'"


# ---- secrets, config maps, users


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ('secret "login" not found', "the secret 'login' does not exist: create it, or make it optional"),
        ('configmap "conf" not found', "the config map 'conf' does not exist: create it, or make it optional"),
        ("couldn't find key user in Secret team-a/login", "the secret 'login' has no key 'user': add it, or make it optional"),
        ("couldn't find key a in ConfigMap team-a/conf", "the config map 'conf' has no key 'a': add it, or make it optional"),
        (
            "container has runAsNonRoot and image will run as root (pod: x, container: main)",
            "the task may not run as root, but its image runs as root: give a run_as_user other than 0",
        ),
        (
            "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root",
            "the task may not run as root, but its image has the user 'app', which is no number: give a run_as_user other than 0",
        ),
        ("sunspots", "user code's container cannot be made: sunspots"),
    ],
)  # fmt: skip
def test_what_a_container_cannot_be_made_of(said, sentence):
    found = waiting(seen(container("CreateContainerConfigError", said)))
    assert found.detail == sentence
    assert found.stuck.error.failure_class == ev.USER


# ---- volumes


@pytest.mark.parametrize(
    ("reason", "said", "sentence", "stuck"),
    [
        ("FailedMount", 'MountVolume.SetUp failed for volume "login" : secret "login" not found',
         "the secret 'login' does not exist: create it, or make it optional", True),
        ("FailedMount", 'MountVolume.SetUp failed for volume "login" : references non-existent secret key: user',
         "the secret has no key 'user': add it, or make it optional", True),
        ("FailedMount", "MountVolume.MountDevice failed: server is away",
         "a volume cannot be mounted on 'n1': MountVolume.MountDevice failed: server is away", False),
        ("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node',
         "the volume 'pvc-1' is still attached to another node, and can be attached to one alone", False),
        ("FailedAttachVolume", 'AttachVolume.Attach failed for volume "pvc-1" : no such disk',
         "the volume 'pvc-1' cannot be attached on 'n1': AttachVolume.Attach failed for volume \"pvc-1\" : no such disk", False),
        ("FailedCreatePodSandBox", "failed to setup network",
         "the node 'n1' cannot make the Pod's network or sandbox: failed to setup network", False),
    ],
)  # fmt: skip
def test_a_volume_that_is_not_there(reason, said, sentence, stuck):
    found = waiting(seen(CREATING), [event("Scheduled", "ok", 1), event(reason, said, 2)])
    assert (found.detail, found.stuck is not None) == (sentence, stuck)


def test_a_volume_that_has_come_after_all():
    told = [event("FailedAttachVolume", "Multi-Attach error", 1), event("SuccessfulAttachVolume", "done", 2)]
    assert waiting(seen(CREATING), told).detail == "its containers are being made on 'n1'"


# ---- containers


def test_containers_that_keep_ending():
    more = {"restartCount": 3, "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
    ours = waiting(seen(container("CrashLoopBackOff", "", "companion", **more)))
    assert ours.detail == "the companion keeps ending on 'n1': OOMKilled, exit code 137, 3 times"
    assert ours.stuck.error.failure_class == ev.INFRASTRUCTURE
    theirs = waiting(seen(container("CrashLoopBackOff", "", "proxy", **more)))
    assert theirs.stuck.error.failure_class == ev.USER


def test_an_init_container_of_the_tasks_own():
    running = {"initContainerStatuses": [{"name": "fetch", "state": {"running": {}}}]}
    assert waiting(seen(running)).detail == "the init container 'fetch' runs on 'n1'"
    companion = {"initContainerStatuses": [{"name": "companion", "state": {"running": {}}}]}
    assert waiting(seen(companion)).detail == "its containers are being made on 'n1'"


def test_a_shim_that_cannot_run():
    found = waiting(seen(container("RunContainerError", "exec format error")))
    assert (
        found.detail == "the image 'mine:1' does not start on 'n1': it is for another kind of processor than the node's"
    )


@pytest.mark.parametrize("state", [{"running": {}}, {"terminated": {"exitCode": 0}}])
def test_nothing_is_waited_for(state):
    assert waiting(seen({"containerStatuses": [{"name": "main", "state": state}]})) is None


# ---- in a word, for accounts of waiting


@pytest.mark.parametrize(
    ("said", "accelerators", "word"),
    [
        ("0/5 nodes are available: 1 Insufficient cpu, 3 Insufficient nvidia.com/gpu, 1 node(s) had", "", "accelerators"),
        ("0/5 nodes are available: 3 Insufficient cpu, 2 Insufficient memory. preemption: 0/5 nodes", "needs 1 × H100", "cpu"),
        ("0/2 nodes are available: 2 Insufficient memory.", "", "memory"),
        ("0/2 nodes are available: 2 Too many pods.", "", "pods"),
        ("0/2 nodes are available: 2 node(s) had volume node affinity conflict.", "", "volume"),
        ("0/2 nodes are available: 2 node(s) were unschedulable.", "", "nodes"),
        ("0/2 nodes are available: 2 node(s) were unschedulable.", "needs 1 × H100", "accelerators"),
        ('persistentvolumeclaim "data" not found', "", "volume"),
        ("", "", "nodes"),
    ],
)  # fmt: skip
def test_what_keeps_it_from_a_node(said: str, accelerators: str, word: str):
    found = waiting(seen(unscheduled(said), node=""), (), accelerators)
    assert found is not None
    assert found.resource == word


@pytest.mark.parametrize(
    ("status", "events", "word"),
    [
        (container("ErrImagePull", "not found"), [], "image"),
        (container("RunContainerError", "exec format error"), [], "containers"),
        (CREATING, [event("Pulling", 'Pulling image "mine:1"')], "image"),
        (CREATING, [], "containers"),
        (CREATING, [event("FailedMount", "timed out")], "volume"),
        (CREATING, [event("FailedAttachVolume", 'Multi-Attach error for volume "v"')], "volume"),
        (CREATING, [event("FailedCreatePodSandBox", "no network")], "containers"),
    ],
)
def test_what_keeps_it_from_running_on_its_node(status: Json, events: list[Json], word: str):
    found = waiting(seen(status), events)
    assert found is not None
    assert found.resource == word
