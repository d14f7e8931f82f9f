"""The second document of a package: what the tasks and the pipeline ask of a platform. Pure.

How channels are spelled in it is `headrace.kubernetes.documents`'. Called by `compiling`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.dsl.pipeline_config import PipelineConfig

Json = dict[str, Any]


class PlatformDocument:
    """Gathers the settings of executors."""

    def __init__(self, config: PipelineConfig | None) -> None:
        self._platforms: Json = {}
        if pipeline := pipeline_config(config):
            self._platforms["kubernetes"] = {"pipelineConfig": pipeline}
        if config is not None and config.cache_max_age_seconds:
            self._platforms["headrace"] = {"config": {"cacheMaxAge": f"{config.cache_max_age_seconds}s"}}

    def add(self, platform: str, label: str, settings: Mapping[str, Any]) -> None:
        """The executor LABEL has SETTINGS on PLATFORM; later keys win."""
        deployment = self._platforms.setdefault(platform, {}).setdefault("deploymentSpec", {"executors": {}})
        deployment["executors"].setdefault(label, {}).update(settings)

    def document(self) -> Json | None:
        """The document, None where there is nothing in it."""
        return {"platforms": self._platforms} if self._platforms else None


def pipeline_config(config: PipelineConfig | None) -> Json:
    """CONFIG as the platform document's `pipelineConfig`; times of 0 and None are not said."""
    spec: Json = {}
    if config is None:
        return spec
    if config.workspace is not None:
        spec["workspace"] = config.workspace.get_workspace()
    for name, key in (
        ("ttl_seconds_after_finished", "resourceTtlOnCompletion"),
        ("ttl_seconds_after_success", "resourceTtlOnSuccess"),
        ("ttl_seconds_after_failure", "resourceTtlOnFailure"),
        ("active_deadline_seconds", "activeDeadlineSeconds"),
    ):
        if seconds := getattr(config, name):
            spec[key] = seconds
    return spec
