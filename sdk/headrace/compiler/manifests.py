"""A package as Kubernetes manifests of KFP's: a `PipelineVersion`, and the `Pipeline` where it is asked for. Pure.

For clusters on which KFP keeps its pipelines as objects of Kubernetes. Called by `Compiler`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from headrace.compiler.package import Package

Json = dict[str, Any]

API_VERSION: Final = "pipelines.kubeflow.org/v2beta1"


@dataclass(slots=True)
class KubernetesManifestOptions:
    """How the objects are named. What is not said follows: a version is named as its pipeline, and displayed as it is named."""

    pipeline_name: str | None = None
    pipeline_display_name: str | None = None
    pipeline_version_name: str | None = None
    pipeline_version_display_name: str | None = None
    namespace: str | None = None
    include_pipeline_manifest: bool = False


def manifests(package: Package, options: KubernetesManifestOptions, description: str) -> list[Json]:
    """The objects for PACKAGE, in the order in which they are applied."""
    name = options.pipeline_name or package.name
    version = options.pipeline_version_name or name
    spec: Json = {
        "displayName": options.pipeline_version_display_name or version,
        "pipelineName": name,
        "pipelineSpec": package.spec,
    }
    if package.platform is not None:
        spec["platformSpec"] = package.platform
    objects = [_object("PipelineVersion", version, options.namespace, spec, description)]
    if options.include_pipeline_manifest:
        about = {"displayName": options.pipeline_display_name or name}
        objects.insert(0, _object("Pipeline", name, options.namespace, about, description))
    return objects


def _object(kind: str, name: str, namespace: str | None, spec: Mapping[str, Any], description: str) -> Json:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    described = {**spec, "description": description} if description else dict(spec)
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": described}
