"""Making an attempt's inputs available: folders, private copies of input artifacts, ExecutorInput, the final command.

Blocking; the executor calls it in a thread. User code sees local paths as URIs (as with KFP's local runner), so that
`artifact.path` works without KFP's `/minio` mounts; publishing maps them back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headrace_companion.assignment import ArtifactValue, Assignment, Folders
from headrace_companion.folder_store import copy_privately, folder_of_uri
from headrace_companion.placeholders import substituted, table
from headrace_companion.results import ATTEMPT_FILE
from headrace_companion.store import ArtifactStore, KeyRefused, ObjectMissing, checked_key
from headrace_companion.values import Json, plain


class StagingFailed(Exception):  # noqa: N818 - read as a statement
    """An attempt cannot start; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Staged:
    """An attempt that is ready to run. `origins` says which artifact lies at a local input path."""

    folders: Folders
    argv: tuple[str, ...]
    executor_input: Mapping[str, Json]
    placeholders: Mapping[str, str]
    origins: Mapping[str, ArtifactValue]
    warnings: tuple[str, ...]


def stage(assignment: Assignment, folders: Folders, store: ArtifactStore) -> Staged:
    """Create the attempt's folders and fill them."""
    for folder in (folders.inputs, folders.outputs, folders.parameters, folders.work):
        folder.mkdir(parents=True, exist_ok=True)
    warnings: list[str] = []
    origins: dict[str, ArtifactValue] = {}
    inputs: dict[str, list[Json]] = {}
    for name, artifacts in assignment.input_artifacts.items():
        inputs[name] = []
        for index, artifact in enumerate(artifacts):
            local = _stage_one(name, index, artifact, folders, store, warnings)
            origins[local] = artifact
            inputs[name].append(runtime_artifact(artifact, local))
    document = executor_input(assignment, folders, inputs)
    known = table(assignment, folders, document)
    return Staged(folders, substituted(assignment.argv, known), document, known, origins, tuple(warnings))


def _stage_one(
    name: str, index: int, artifact: ArtifactValue, folders: Folders, store: ArtifactStore, warnings: list[str]
) -> str:
    """Bring one artifact to its local path, which is returned; an artifact of an unknown scheme keeps its URI."""
    key = store.key(artifact.uri)
    outside = folder_of_uri(artifact.uri) if key is None else None
    if key is None and outside is None:
        warnings.append(
            f"input {name!r} is at {artifact.uri}, which this executor cannot fetch; it is passed on as it is"
        )
        return artifact.uri
    # The last name of the URI is kept, because libraries choose a reader by a file's suffix.
    target = folders.inputs / plain_name(name, "input") / str(index) / Path(key or str(outside)).name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if key is not None:
            store.stage(key, target)
        elif outside is not None:
            copy_privately(outside, target)
    except (ObjectMissing, FileNotFoundError) as error:
        if key is None or not _was_published_empty(key, artifact.uri, store):
            raise StagingFailed(
                f"input artifact {name!r} is missing: nothing is stored at {artifact.uri}; "
                "run the task that makes it again, or correct the importer's URI"
            ) from error
    except OSError as error:
        raise StagingFailed(
            f"input artifact {name!r} could not be copied from {artifact.uri}: {error.strerror}"
        ) from error
    return str(target)


def _was_published_empty(key: str, uri: str, store: ArtifactStore) -> bool:
    """Whether the producer registered this artifact without writing a file, as Metrics and the like do."""
    folder = key
    while "/" in folder:
        folder = folder.rpartition("/")[0]
        try:
            report = json.loads(store.read(f"{folder}/{ATTEMPT_FILE}"))
        except ObjectMissing:
            continue
        entries = [entry for entries in report["artifacts"].values() for entry in entries]
        return any(entry["uri"] == uri and entry["digest"] is None for entry in entries)
    return False


def plain_name(name: str, what: str) -> str:
    """A name of the IR that becomes a file name; refused where it would lead elsewhere."""
    try:
        checked_key(name)
    except KeyRefused as error:
        raise StagingFailed(f"the name of {what} {name!r} cannot be a file name") from error
    if "/" in name:
        raise StagingFailed(f"the name of {what} {name!r} cannot be a file name")
    return name


def runtime_artifact(artifact: ArtifactValue, local: str) -> Json:
    """The IR's RuntimeArtifact as user code gets it; empty maps are left out, as protojson does."""
    document: dict[str, Json] = {"name": artifact.name, "uri": local, "type": dict(artifact.type)}
    if artifact.metadata:
        document["metadata"] = plain(dict(artifact.metadata))
    return document


def executor_input(assignment: Assignment, folders: Folders, inputs: Mapping[str, list[Json]]) -> dict[str, Json]:
    """KFP's ExecutorInput with this attempt's folders in it."""
    outputs: dict[str, Json] = {"outputFile": str(folders.metadata_file)}
    if assignment.output_parameters:
        outputs["parameters"] = {
            name: {"outputFile": str(folders.parameter(plain_name(name, "output")))}
            for name in assignment.output_parameters
        }
    if assignment.output_artifacts:
        outputs["artifacts"] = {
            name: {
                "artifacts": [
                    runtime_artifact(
                        ArtifactValue(name, "", declared.type, declared.metadata),
                        str(folders.output(plain_name(name, "output"))),
                    )
                ]
            }
            for name, declared in assignment.output_artifacts.items()
        }
    document: dict[str, Json] = {}
    given: dict[str, Json] = {}
    if assignment.parameters:
        given["parameterValues"] = plain(dict(assignment.parameters))
    if inputs:
        given["artifacts"] = {name: {"artifacts": entries} for name, entries in inputs.items()}
    if given:
        document["inputs"] = given
    document["outputs"] = outputs
    return document
