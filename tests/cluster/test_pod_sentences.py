"""Pods that do not start, and Pods that end badly, on the real kubelet and scheduler: what is said of them, and whose fault.

The unit tests have the words that these components are known to write; here they write them. The companion never gets an
assignment (nobody listens at its address), and `main` runs a command of the test's in place of the shim.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from builders.pods import OPTIONS, settings_of, task
from cluster.bringup.kube import Kube
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.executors.kubernetes import ends
from headrace_scheduler.executors.kubernetes.options import PodOptions
from headrace_scheduler.executors.kubernetes.pods import pod
from headrace_scheduler.executors.kubernetes.waits import Wait, waiting
from headrace_scheduler.executors.task_settings import TaskSettings

COMPANION = "docker.io/headrace/companion:dev"
WITHIN_S = 180.0  # the kubelet measures folders once a minute
Json = dict[str, Any]


def options(namespace: str, image: str = COMPANION) -> PodOptions:
    free = {"cpu": "1m", "memory": "16Mi"}
    return replace(
        OPTIONS, namespace=namespace, companion_image=image, companion_requests=free, scheduler_address="10.244.0.1:1"
    )


def made(kube: Kube, namespace: str, settings: TaskSettings | None = None, **more: Any) -> Json:
    """A Pod that is there; `command` replaces the shim."""
    command, image = more.pop("command", None), more.pop("companion", COMPANION)
    body = pod(task(settings, **more), options(namespace, image)).body
    if command:
        body["spec"]["containers"][0]["command"] = command
        body["spec"]["terminationGracePeriodSeconds"] = 1
    return kube.create(body)


def until(kube: Kube, body: Json, said: Callable[[Json, list[Json]], Any]) -> Any:
    """What SAID of the Pod and its events is, once it is something."""
    name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
    limit = time.monotonic() + WITHIN_S
    while True:
        seen = kube.get("Pod", name, namespace)
        events = kube.list("Event", namespace, fieldSelector=f"involvedObject.uid={body['metadata']['uid']}")
        if found := said(seen, events):
            return found
        told = [(one["reason"], one["message"]) for one in events]
        assert time.monotonic() < limit, f"{seen['status']} {told}"
        time.sleep(0.2)


def held(kube: Kube, body: Json, sentence: str) -> Wait:
    """The wait whose sentence is this pattern."""

    def matching(seen: Json, events: list[Json]) -> Wait | None:
        found = waiting(seen, events)
        return found if found is not None and re.fullmatch(sentence, found.detail) else None

    wait: Wait = until(kube, body, matching)
    return wait


ENV = {"secretAsEnv": [{"secretName": "login", "keyToEnv": [{"secretKey": "user", "envVar": "A"}]}]}
GONE = r"the secret 'login' does not exist: create it, or make it optional"
WAITS: dict[str, tuple[Json, Json, str, int | None]] = {
    "an image that is not there": (
        {}, {"image": "headrace.test/nothing:9"},
        r"the image 'headrace.test/nothing:9' cannot be pulled on 'node-\d': it is not in its registry: look at its name and tag",
        ev.USER,
    ),
    "an image that is none": (
        {}, {"image": "No Image"}, r"the image 'No Image' cannot be pulled on 'node-\d': that is no name of an image", ev.USER,
    ),
    "an image that is not to be pulled": (
        {"imagePullPolicy": "Never"}, {"image": "headrace.test/nothing:9"},
        r"the image '.*' cannot be pulled on 'node-\d': it is not on the node, and the image pull policy is Never", ev.USER,
    ),
    "a companion that is not there": (
        {}, {"companion": "headrace.test/nothing:8"},
        r"the companion image 'headrace.test/nothing:8' cannot be pulled on 'node-\d': it is not in its registry: .*",

        ev.INFRASTRUCTURE,
    ),
    "a secret for a variable": (ENV, {}, GONE, ev.USER),
    "a secret for a volume": ({"secretAsVolume": [{"secretName": "login", "mountPath": "/s"}]}, {}, GONE, ev.USER),
    "a config map for a variable": (
        {"configMapAsEnv": [{"configMapName": "conf", "keyToEnv": [{"configMapKey": "a", "envVar": "A"}]}]}, {},
        r"the config map 'conf' does not exist: create it, or make it optional", ev.USER,
    ),
    "a key of a secret": (
        {"secretAsEnv": [{"secretName": "there", "keyToEnv": [{"secretKey": "user", "envVar": "A"}]}]}, {},
        r"the secret 'there' has no key 'user': add it, or make it optional", ev.USER,
    ),
    "a claim": (
        {"pvcMount": [{"constant": "data", "mountPath": "/d"}]}, {},
        r"the claim 'data' does not exist: make it, or mount another one", ev.USER,
    ),
    "not as root": (
        {"securityContext": {"runAsNonRoot": True}}, {},
        r"the task may not run as root, but its image runs as root: give a run_as_user other than 0", ev.USER,
    ),
    "no such node": (
        {"nodeSelector": {"labels": {"kubernetes.io/hostname": "nowhere"}}}, {},
        r"none of the \d+ nodes takes it: .*what the node selector or affinity asks for.*", None,
    ),
    "an init container that runs": (
        {"initContainers": [{"name": "slow", "image": "busybox", "command": ["sleep", "60"]}]}, {},
        r"the init container 'slow' runs on 'node-\d'", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(WAITS))
def test_a_pod_that_does_not_start(kube: Kube, waiters: dict[str, Json], what: str) -> None:
    _, _, sentence, kind = WAITS[what]
    found = held(kube, waiters[what], sentence)
    assert (found.stuck and found.stuck.error.failure_class) == kind


@pytest.fixture(scope="module", autouse=True)
def waiters(kube: Kube, module_namespace: str) -> dict[str, Json]:
    """The Pods of WAITS: they all wait at the same time."""
    kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "there", "namespace": module_namespace}})
    every = WAITS.items()
    return {what: made(kube, module_namespace, settings_of(one[0]), **named(what), **one[1]) for what, one in every}


@pytest.fixture(scope="module", autouse=True)
def enders(kube: Kube, module_namespace: str) -> dict[str, Json]:
    """The Pods of ENDS, which end while others wait."""
    every = ENDS.items()
    return {what: made(kube, module_namespace, one[0], **named(what), command=one[1]) for what, one in every}


def named(what: str) -> dict[str, str]:
    return {"path": what, "task_key": what}


def test_more_accelerators_than_there_are(kube: Kube, namespace: str) -> None:
    settings = TaskSettings(resources={"limits": {"nvidia.com/gpu": "64"}})
    found = held(
        kube, made(kube, namespace, settings), r"none of the \d+ nodes takes it: .*too little nvidia.com/gpu free.*"
    )
    assert found.stuck is None


# ---- ends

HOG = ["python3", "-c", "x = bytearray(1 << 30)"]
SMALL = TaskSettings(resources={"limits": {"memory": "32Mi"}, "requests": {"memory": "16Mi", "cpu": "1m"}})
FOLDER = {"emptyDirMounts": [{"volumeName": "scratch", "mountPath": "/scratch", "sizeLimit": "1Mi"}]}
FAILING = {"initContainers": [{"name": "bad", "image": "busybox", "command": ["sh", "-c", "exit 7"]}]}
ENDS: dict[str, tuple[TaskSettings, list[str], int, str]] = {
    "an exit code": (TaskSettings(), ["sh", "-c", "exit 3"], ev.USER, r"user code ended with exit code 3"),
    "too much memory": (
        SMALL, HOG, ev.OUT_OF_MEMORY, r"user code used more memory than its limit of 32Mi and was killed: .*",
    ),
    "no such program": (
        TaskSettings(), ["/nothing"], ev.INFRASTRUCTURE, r"the image 'python:3.11' does not start on 'node-\d': .*/nothing.*",
    ),
    "a full folder": (
        settings_of(FOLDER), ["sh", "-c", "head -c 20000000 /dev/zero > /scratch/x; sleep 60"], ev.USER,
        r"the empty folder 'scratch' wrote more than its limit of 1Mi to the node's disk: .*",
    ),
    "an init container": (
        settings_of(FAILING), ["true"], ev.USER, r"the init container 'bad' ended with exit code 7",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(ENDS))
def test_a_pod_that_ends_badly(kube: Kube, enders: dict[str, Json], what: str) -> None:
    _, _, kind, sentence = ENDS[what]
    found = until(kube, enders[what], lambda seen, _: ends.ending(seen))
    assert found.error.failure_class == kind
    assert re.fullmatch(sentence, found.error.message), found.error.message


def test_a_pod_that_is_there_for_too_long(kube: Kube, namespace: str) -> None:
    body = pod(task(), options(namespace)).body
    body["spec"] |= {"activeDeadlineSeconds": 2, "terminationGracePeriodSeconds": 1}
    body["spec"]["containers"][0]["command"] = ["sleep", "60"]
    found = until(kube, kube.create(body), lambda seen, _: ends.ending(seen))
    assert (found.error.reason, found.error.failure_class) == ("TimedOut", ev.TIMEOUT)


def test_a_pod_that_is_evicted(kube: Kube, namespace: str) -> None:
    stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
    body = made(kube, namespace, command=stubborn)
    until(kube, body, lambda seen, _: waiting(seen) is None)
    metadata = {"name": body["metadata"]["name"], "namespace": namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    options_ = {"deleteOptions": {"gracePeriodSeconds": 3}}
    kube.request("POST", f"/api/v1/namespaces/{namespace}/pods/{metadata['name']}/eviction", eviction | options_)
    sentence = until(kube, body, lambda seen, _: ends.disruption(seen))
    assert re.fullmatch(r"its Pod was evicted from 'node-\d', as by a drain: .*", sentence), sentence
