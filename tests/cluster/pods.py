"""Bare Pods of the tests' own: their manifests, and what their states say. No code of the platform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cluster.bringup.kube import Kube, Object


def pod(name: str, namespace: str, image: str, command: Sequence[str], node: str = "", **limits: str) -> Object:
    """A Pod with one container `main` that runs once."""
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": image, "command": list(command), "resources": {"limits": limits}}],
    }
    if node:
        spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def run(kube: Kube, body: Object, seconds: float = 60) -> tuple[str, str]:
    """Creates the Pod and waits for its end: its phase, and what it printed."""
    name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
    kube.create(body)
    ended = kube.wait("Pod", name, namespace, has_ended, seconds)
    assert ended is not None
    return ended["status"]["phase"], log(kube, name, namespace)


def log(kube: Kube, name: str, namespace: str, container: str = "main") -> str:
    return str(kube.request("GET", f"/api/v1/namespaces/{namespace}/pods/{name}/log?container={container}"))


def has_ended(seen: Object | None) -> bool:
    return seen is not None and seen["status"].get("phase") in ("Succeeded", "Failed")


def waiting_reason(seen: Object | None) -> str:
    """Why `main` has not started, in the kubelet's word."""
    statuses = (seen or {}).get("status", {}).get("containerStatuses", [])
    return next((one["state"]["waiting"].get("reason", "") for one in statuses if "waiting" in one["state"]), "")


def end_reason(seen: Object | None) -> str:
    statuses = (seen or {}).get("status", {}).get("containerStatuses", [])
    return next((one["state"]["terminated"].get("reason", "") for one in statuses if "terminated" in one["state"]), "")


def unschedulable(seen: Object | None) -> str:
    """The scheduler's sentence for a Pod that fits nowhere."""
    conditions = (seen or {}).get("status", {}).get("conditions", [])
    return next((one.get("message", "") for one in conditions if one.get("reason") == "Unschedulable"), "")
