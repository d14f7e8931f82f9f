"""What can be compared: a Package, or the text, file or documents that it stands in. Called by `differing`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace.compiler.package import Package
from headrace.compiler.yaml_reading import NotYaml, documents_in
from headrace.errors import BadInput

Comparable = Package | Mapping[str, Any] | str | Path


def as_package(given: Comparable) -> Package:
    """The package that GIVEN is: a spec, `{pipeline_spec, platform_spec}`, YAML or JSON text, or the Path of a file of it."""
    if isinstance(given, Package):
        return given
    if isinstance(given, Mapping):
        return _chosen([given], "what is compared")
    if isinstance(given, Path):
        return _chosen(_documents(given.read_text(encoding="utf-8")), str(given))
    return _chosen(_documents(given), "the text")


def _documents(text: str) -> list[Any]:
    try:
        return documents_in(text)
    except NotYaml as wrong:
        raise BadInput(f"this is neither YAML nor JSON: {wrong}") from None


def _chosen(documents: list[Any], what: str) -> Package:
    """The pipeline and the platform among DOCUMENTS, in any order."""
    spec: Mapping[str, Any] | None = None
    platform: Mapping[str, Any] | None = None
    for document in documents:
        if not isinstance(document, Mapping):
            continue
        if "pipeline_spec" in document or "pipelineSpec" in document:
            spec = document.get("pipeline_spec") or document.get("pipelineSpec")
            platform = document.get("platform_spec") or document.get("platformSpec") or platform
        elif "platforms" in document:
            platform = document
        elif "root" in document or "pipelineInfo" in document or "pipeline_info" in document:
            spec = document
    if spec is None:
        raise BadInput(f"{what} holds no pipeline: a document with `pipelineInfo` and `root` is needed")
    return Package(spec, platform)
