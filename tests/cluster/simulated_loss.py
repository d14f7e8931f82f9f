"""Nodes that are lost, and accelerators that are taken away, for the tests of faults: simulated where real nodes are shared."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from cluster import pods
from cluster.bringup import simulated
from cluster.bringup.kube import Object
from cluster.installation import Installation

REAL = "node-2"


def selector(namespace: str) -> dict[str, str]:
    return {"headrace.test/lost": namespace}


def settings(selected: dict[str, str]) -> dict[str, Any]:
    """A task's Kubernetes settings: only on nodes with this label, simulated ones too."""
    tolerated = {"key": simulated.MANAGED, "operator": "Exists", "effect": "NoSchedule"}
    return {"nodeSelector": {"labels": selected}, "tolerations": [tolerated]}


@contextlib.contextmanager
def node_of(on_pods: Installation, labels: dict[str, str]) -> Iterator[Callable[[], None]]:
    """A simulated node with these labels; what is given loses it, and lets a real node have them instead."""
    name = f"lost-{on_pods.namespace}"
    key, value = next(iter(labels.items()))
    simulated.add(on_pods.kube, name, labels)

    def lose() -> None:
        on_pods.kube.delete("Node", name)
        _label(on_pods, key, value)

    try:
        yield lose
    finally:
        on_pods.kube.delete("Node", name)
        _label(on_pods, key, None)


@contextlib.contextmanager
def shut(on_pods: Installation) -> Iterator[tuple[dict[str, str], Callable[[], None]]]:
    """A label that no node has until what is given is called: then a real one has it."""
    key = f"headrace.test/{secrets.token_hex(4)}"
    try:
        yield {key: "open"}, lambda: _label(on_pods, key, "open")
    finally:
        _label(on_pods, key, None)


def _label(on_pods: Installation, key: str, value: str | None) -> None:
    on_pods.kube.patch("Node", REAL, {"metadata": {"labels": {key: value}}})


@contextlib.contextmanager
def urgency(on_pods: Installation, resource: str) -> Iterator[Callable[[], None]]:
    """What is given starts a Pod of higher priority that needs one of the resource, and ends once it has got it."""
    name = f"urgent-{on_pods.namespace}"
    priority = {
        "kind": "PriorityClass",
        "apiVersion": "scheduling.k8s.io/v1",
        "metadata": {"name": name},
        "value": 1000,
    }
    body = pods.pod(name, on_pods.namespace, "alpine", ["true"], **{resource: "1"})
    body["spec"]["priorityClassName"] = name
    on_pods.kube.create(priority)
    try:
        yield lambda: _started(on_pods, body)
    finally:
        on_pods.kube.delete("Pod", name, on_pods.namespace)
        on_pods.kube.delete("PriorityClass", name)


def _started(on_pods: Installation, body: Object) -> None:
    on_pods.kube.create(body)
