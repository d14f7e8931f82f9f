"""A task's settings beyond its command: what its executor puts around the process (kfp-semantics 7). Values only.

All names are resolved; secrets are named and never held. Where Kubernetes has a shape for something that nobody here looks
into (tolerations, affinity, init containers), it is kept in that shape. Made by the engine's platform_settings; each
executor does with it what it can and says what it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

WORKSPACE: Final = "/kfp-workspace"  # where Pods have the workspace of their run
# The images by which KFP's SDK names its tasks that make and delete volume claims: nothing is pulled, and a claim is no
# result that a cache could give.
CREATE_CLAIM: Final = "argostub/createpvc"
DELETE_CLAIM: Final = "argostub/deletepvc"
GRACE: Final = "headrace.io/termination-grace-seconds"  # an annotation: between SIGTERM and SIGKILL of user code
CLAIM_OPERATIONS: Final = frozenset({CREATE_CLAIM, DELETE_CLAIM})


class EnvKind(StrEnum):
    """Where the value of an environment variable comes from."""

    SECRET = "secret"  # noqa: S105 - a kind of thing, no password
    CONFIG_MAP = "config map"
    FIELD = "field"


class MountKind(StrEnum):
    """What is mounted."""

    SECRET = "secret"  # noqa: S105 - a kind of thing, no password
    CONFIG_MAP = "config map"
    CLAIM = "claim"
    EPHEMERAL = "ephemeral volume"
    EMPTY_DIR = "empty folder"


@dataclass(frozen=True, slots=True)
class EnvSource:
    """A variable whose value is not in the spec: `source` names the secret or config map, or is the field's path."""

    name: str
    kind: EnvKind
    source: str
    key: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """Something that user code finds at `path`. `source` names the secret, config map or claim, else the volume;
    `options` is Kubernetes' own shape of what an ephemeral volume or empty folder is to be.
    """

    kind: MountKind
    source: str
    path: str
    sub_path: str = ""
    optional: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """Everything but the time-out, which is the Launch's. `resources` has Kubernetes' shape, quantities as text;
    `workspace_claim` is the claim behind the run's workspace, "" where the task does not use it, and `workspace_spec` what
    its pipeline says of it.
    """

    env: tuple[EnvSource, ...] = ()
    mounts: tuple[Mount, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    affinity: Mapping[str, Any] = field(default_factory=dict)
    pull_policy: str = ""
    pull_secrets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    security_context: Mapping[str, Any] = field(default_factory=dict)
    init_containers: tuple[Mapping[str, Any], ...] = ()
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    workspace_claim: str = ""
    workspace_spec: Mapping[str, Any] = field(default_factory=dict)
