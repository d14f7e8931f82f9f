"""`dsl.PipelineConfig`: settings of a whole pipeline. Data; the compiler writes them into the platform document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from headrace.dsl.mistakes import mistake

SIZE: Final = re.compile(r"(0|[1-9]\d*)(\.\d+)?([KMGTPE]i?)?")
LONGEST: Final = 2**31 - 1
"""Kubernetes keeps these times in 32 bits."""


class KubernetesWorkspaceConfig:
    """`pvcSpecPatch`: what the workspace's volume claim has instead of the defaults (`storageClassName`, `accessModes`)."""

    def __init__(self, pvcSpecPatch: Mapping[str, Any] | None = None) -> None:  # noqa: N803  # KFP's name
        self.set_pvcSpecPatch(pvcSpecPatch or {})

    def set_pvcSpecPatch(self, patch: Mapping[str, Any]) -> None:  # noqa: N802  # KFP's name
        """Replace the patch."""
        if not isinstance(patch, Mapping):
            raise mistake(f"pvcSpecPatch is a dict of fields of a volume claim's spec, not {patch!r}.")
        self.pvcSpecPatch = dict(patch)


class WorkspaceConfig:
    """A folder that all tasks of a run share. `size`: `'10Gi'` and the like."""

    def __init__(self, size: str, kubernetes: KubernetesWorkspaceConfig | None = None) -> None:
        self.size = size
        self.set_kubernetes_config(KubernetesWorkspaceConfig() if kubernetes is None else kubernetes)

    @property
    def size(self) -> str:
        """How much it holds."""
        return self._size

    @size.setter
    def size(self, size: str) -> None:
        written = str(size).strip() if isinstance(size, (str, int)) and not isinstance(size, bool) else ""
        if not SIZE.fullmatch(written):
            raise mistake(f"The size of a workspace is a number with a unit such as '10Gi' or '500Mi', not {size!r}.")
        self._size = written

    def set_size(self, size: str) -> None:
        """Replace the size."""
        self.size = size

    def set_kubernetes_config(self, kubernetes_config: KubernetesWorkspaceConfig) -> None:
        """Replace what Kubernetes is told."""
        if not isinstance(kubernetes_config, KubernetesWorkspaceConfig):
            raise mistake(
                f"WorkspaceConfig(kubernetes=...) takes a dsl.KubernetesWorkspaceConfig, not {kubernetes_config!r}."
            )
        self.kubernetes = kubernetes_config

    def get_workspace(self) -> dict[str, Any]:
        """As the platform document has it."""
        return {"size": self.size, "kubernetes": {"pvcSpecPatch": dict(self.kubernetes.pvcSpecPatch)}}


class PipelineConfig:
    """A workspace; how long finished runs are kept, in seconds; how long a run may take; and how old results from before may be
    that its tasks take (for Headrace alone). None: not said.
    """

    def __init__(
        self,
        workspace: WorkspaceConfig | None = None,
        ttl_seconds_after_finished: int | None = None,
        ttl_seconds_after_success: int | None = None,
        ttl_seconds_after_failure: int | None = None,
        active_deadline_seconds: int | None = None,
        cache_max_age_seconds: int | None = None,
    ) -> None:
        if workspace is not None and not isinstance(workspace, WorkspaceConfig):
            raise mistake(f"PipelineConfig(workspace=...) takes a dsl.WorkspaceConfig, not {workspace!r}.")
        self.workspace = workspace
        self.ttl_seconds_after_finished = _seconds("ttl_seconds_after_finished", ttl_seconds_after_finished)
        self.ttl_seconds_after_success = _seconds("ttl_seconds_after_success", ttl_seconds_after_success)
        self.ttl_seconds_after_failure = _seconds("ttl_seconds_after_failure", ttl_seconds_after_failure)
        self.active_deadline_seconds = _seconds("active_deadline_seconds", active_deadline_seconds)
        self.cache_max_age_seconds = _seconds("cache_max_age_seconds", cache_max_age_seconds)


def _seconds(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LONGEST:
        raise mistake(f"PipelineConfig({name}=...) takes a whole number of seconds from 0 to {LONGEST}, not {value!r}.")
    return value
