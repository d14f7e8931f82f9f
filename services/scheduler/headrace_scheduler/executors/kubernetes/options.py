"""What an operator decides of every task's Pod, as values. Read from settings by the composition root; used by `pods`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

ANY_USER: Final = 65532  # the companion's, and everybody's where images may not run as their own user
SHARDS: Final = 256


class Profile(StrEnum):
    """The Pod Security level that a namespace is held to."""

    BASELINE = "baseline"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True)
class PodDefaults:
    """What every task's Pod gets, in Kubernetes' shapes; what a task asks for itself comes after it and wins."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    pull_secrets: tuple[str, ...] = ()
    priority_class: str = ""
    runtime_class: str = ""
    scheduler_name: str = ""
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # of `main`, where the task gives none
    companion_resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # over those of PodOptions
    workspace: Mapping[str, Any] = field(default_factory=dict)  # of runs' claims, where their pipelines give no other


@dataclass(frozen=True, slots=True)
class PodOptions:
    """One namespace's options. `scheduler_address` is where companions ask for their assignment."""

    companion_image: str
    scheduler_address: str
    installation: str
    namespace: str
    profile: Profile = Profile.BASELINE
    user: int = ANY_USER
    group: int = ANY_USER
    service_account: str = "headrace-task"
    companion_pull_policy: str = ""
    companion_env: Mapping[str, str] = field(default_factory=dict)
    companion_requests: Mapping[str, str] = field(default_factory=lambda: {"cpu": "20m", "memory": "64Mi"})
    companion_limits: Mapping[str, str] = field(default_factory=lambda: {"memory": "512Mi"})
    token_seconds: int = 3600  # the kubelet renews it at 80 %
    grace_s: int = 30  # between SIGTERM and SIGKILL of user code, where a task says nothing
    publish_s: int = 30  # what the companion has after that, when the Pod is being evicted
    unreachable_s: int = 60  # a node that is gone for so long has lost its Pods
    defaults: PodDefaults = field(default_factory=PodDefaults)
