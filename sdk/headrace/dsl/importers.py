"""`dsl.importer`: a task that brings an artifact which exists already into the run. Called by authors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from headrace.dsl import context
from headrace.dsl.artifacts import Artifact
from headrace.dsl.channels import Channel
from headrace.dsl.checking import kind_of, type_of_channel
from headrace.dsl.components import ImporterComponent, ImporterImplementation
from headrace.dsl.interface import ArtifactOutput, ArtifactType, Input, Interface, ParameterInput, ParameterType
from headrace.dsl.marks import filled, marks_in
from headrace.dsl.mistakes import here, mistake
from headrace.dsl.tasks import PipelineTask
from headrace.dsl.values import NotJson, plain

URI: Final = "uri"
METADATA: Final = "metadata"
ARTIFACT: Final = "artifact"


def importer(
    artifact_uri: Any,
    artifact_class: type[Artifact],
    reimport: bool = False,
    metadata: Mapping[str, Any] | None = None,
    download_to_workspace: bool = False,
) -> PipelineTask:
    """Import the artifact at ARTIFACT_URI as one of ARTIFACT_CLASS; its task's `.output` is it.

    METADATA may hold channels and texts with channels. REIMPORT: as a new artifact even if it was imported before.
    """
    artifact = _artifact_type(artifact_class)
    _check_uri(artifact_uri)
    texts, given = _dynamic_metadata(metadata)
    spec: dict[str, Any] = {
        "artifactUri": _uri(artifact_uri),
        "typeSchema": {"schemaTitle": artifact.schema_title, "schemaVersion": artifact.schema_version},
    }
    if metadata:
        spec["metadata"] = filled(_plain(metadata), texts)
    if reimport:
        spec["reimport"] = True
    if download_to_workspace:
        spec["downloadToWorkspace"] = True
    inputs: dict[str, Input] = {URI: ParameterInput(ParameterType.STRING)}
    for name, channel in given.items():
        inputs[name] = ParameterInput(type_of_channel(channel) or ParameterType.STRING)
    component = ImporterComponent(
        "importer", Interface(inputs, {ARTIFACT: ArtifactOutput(artifact)}), ImporterImplementation(spec), "", here()
    )
    return context.call(component, {URI: artifact_uri, **given})


def _artifact_type(artifact_class: Any) -> ArtifactType:
    title, version = getattr(artifact_class, "schema_title", None), getattr(artifact_class, "schema_version", None)
    if not isinstance(artifact_class, type) or not isinstance(title, str) or not isinstance(version, str):
        raise mistake(
            f"dsl.importer(artifact_class=...) takes an artifact class such as dsl.Dataset, not {artifact_class!r}."
        )
    return ArtifactType(title, version)


def _check_uri(uri: Any) -> None:
    if isinstance(uri, Channel):
        if type_of_channel(uri) is None:
            raise mistake(
                f"dsl.importer(artifact_uri=...) takes a text, but {uri.described()} is {kind_of(uri)}, which is "
                f"in the run already."
            )
    elif not isinstance(uri, str) or not uri:
        raise mistake(f"dsl.importer(artifact_uri=...) takes a URI such as 's3://bucket/data.csv', not {uri!r}.")


def _uri(uri: Any) -> dict[str, str]:
    return {"runtimeParameter": URI} if marks_in(uri) else {"constant": uri}


def _plain(metadata: Any) -> Any:
    if not isinstance(metadata, Mapping):
        raise mistake(f"dsl.importer(metadata=...) takes a dict, not {metadata!r}.")
    try:
        return plain(metadata)
    except NotJson as wrong:
        raise mistake(f"dsl.importer(metadata=...) is given {wrong}.") from None


def _dynamic_metadata(metadata: Any) -> tuple[dict[str, str], dict[str, Channel]]:
    """For each mark in METADATA the placeholder of its input, and the inputs: `metadata`, `metadata-2`, …"""
    texts: dict[str, str] = {}
    given: dict[str, Channel] = {}
    for mark, channel in marks_in(_plain(metadata) if metadata else None).items():
        name = f"{METADATA}-{len(given) + 1}" if given else METADATA
        given[name] = channel
        texts[mark] = f"{{{{$.inputs.parameters['{name}']}}}}"
    return texts, given
