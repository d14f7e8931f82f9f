"""Nodes that are lost, and accelerators that are taken away, for the tests of faults: simulated where real nodes are shared."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from cluster import pods
from cluster.bringup import simulated
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
        on_pods.kube.patch("Node", REAL, {"metadata": {"labels": {key: value}}})

    try:
        yield lose
    finally:
        on_pods.kube.delete("Node", name)
        on_pods.kube.patch("Node", REAL, {"metadata": {"labels": {key: None}}})


def run_urgent(on_pods: Installation, priority_class: str, resource: str) -> None:
    """A Pod of higher priority that needs the resource: it gets it, runs, and goes."""
    body = pods.pod("urgent", on_pods.namespace, "alpine", ["true"], **{resource: "1"})
    body["spec"]["priorityClassName"] = priority_class
    phase, _ = pods.run(on_pods.kube, body, 120)
    assert phase == "Succeeded"
    on_pods.kube.delete("Pod", "urgent", on_pods.namespace)
