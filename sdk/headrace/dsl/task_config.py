"""`dsl.TaskConfig` and what is passed through to it. Runtime-safe: the standard library alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


@dataclass
class TaskConfig:
    """The task's own settings as fragments of a Pod, for a component that starts another workload with them."""

    affinity: dict[str, Any] | None = None
    tolerations: list[dict[str, Any]] | None = None
    node_selector: dict[str, str] | None = None
    env: list[dict[str, Any]] | None = None
    volumes: list[dict[str, Any]] | None = None
    volume_mounts: list[dict[str, Any]] | None = None
    resources: dict[str, Any] | None = None


class TaskConfigField(IntEnum):
    """What can be passed through; the numbers are the IR's."""

    RESOURCES = 1
    ENV = 2
    KUBERNETES_AFFINITY = 3
    KUBERNETES_TOLERATIONS = 4
    KUBERNETES_NODE_SELECTOR = 5
    KUBERNETES_VOLUMES = 6


@dataclass
class TaskConfigPassthrough:
    """`apply_to_task`: the task's own container gets the setting too."""

    field: TaskConfigField
    apply_to_task: bool = False
