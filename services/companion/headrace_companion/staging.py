"""Making an attempt's inputs available: folders, private copies of input artifacts, ExecutorInput, the final command.

Blocking; the executor calls it in a thread. User code sees local paths as URIs (as with KFP's local runner), so that
`artifact.path` works without KFP's `/minio` mounts; publishing maps them back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace_companion.assignment import ArtifactValue, Assignment, Folders
from headrace_companion.folder_store import copy_privately, folder_of_uri
from headrace_companion.results import ATTEMPT_FILE
from headrace_companion.store import ArtifactStore, KeyRefused, ObjectMissing, checked_key
from headrace_companion.templates import LocalResolver, UnknownReference, join, join_all
from headrace_ir.values import canonical


class StagingFailed(Exception):  # noqa: N818 - read as a statement
    """An attempt cannot start; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Staged:
    """An attempt that is ready to run. `origins` says which artifact lies at a local input path."""

    folders: Folders
    argv: tuple[str, ...]
    env: Mapping[str, str]
    origins: Mapping[str, ArtifactValue] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def stage(assignment: Assignment, folders: Folders, store: ArtifactStore) -> Staged:
    """Create the attempt's folders and fill them."""
    folders.inputs.mkdir(parents=True, exist_ok=True)
    for folder in (folders.outputs, folders.parameters, folders.work):
        folder.mkdir(exist_ok=True)
    stager = _Stager(folders, store)
    inputs = {
        name: {"artifacts": [stager.artifact(name, index, artifact) for index, artifact in enumerate(artifacts)]}
        for name, artifacts in assignment.input_artifacts.items()
    }
    document = executor_input(assignment, folders, inputs)
    resolve = LocalResolver(document, lambda entry: str(entry["uri"]))
    try:
        argv = tuple(join_all(assignment.argv, resolve))
        env = {name: join(parts, resolve) for name, parts in assignment.env.items()}
    except UnknownReference as error:
        raise StagingFailed(str(error)) from error
    return Staged(folders, argv, env, stager.origins, tuple(stager.warnings))


@dataclass
class _Stager:
    folders: Folders
    store: ArtifactStore
    origins: dict[str, ArtifactValue] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def artifact(self, name: str, index: int, artifact: ArtifactValue) -> dict[str, Any]:
        """Fetch one input; its RuntimeArtifact with the local path as URI."""
        local = self._fetch(name, index, artifact)
        self.origins[local] = artifact
        return runtime_artifact(artifact, local)

    def _fetch(self, name: str, index: int, artifact: ArtifactValue) -> str:
        """The local path; an artifact of an unknown scheme keeps its URI."""
        key = self.store.key(artifact.uri)
        outside = folder_of_uri(artifact.uri) if key is None else None
        if key is None and outside is None:
            self.warnings.append(
                f"input '{name}' is at {artifact.uri}, which this executor cannot fetch; its URI is passed on as it is"
            )
            return artifact.uri
        # The last name of the URI is kept, because libraries choose a reader by a file's suffix.
        target = self.folders.inputs / plain_name(name, "input") / str(index) / Path(key or str(outside)).name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if key is not None:
                self.store.stage(key, target)
            elif outside is not None:
                copy_privately(outside, target)
        except (ObjectMissing, FileNotFoundError) as error:
            if key is None or not _was_published_empty(key, artifact.uri, self.store):
                raise StagingFailed(
                    f"input artifact '{name}' is missing: nothing is stored at {artifact.uri}; "
                    "run the task that makes it again, or correct the importer's URI"
                ) from error
        except OSError as error:
            raise StagingFailed(
                f"input artifact '{name}' could not be copied from {artifact.uri}: {error.strerror}"
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


def runtime_artifact(artifact: ArtifactValue, local: str) -> dict[str, Any]:
    """The IR's RuntimeArtifact as user code gets it; empty maps are left out, as protojson does."""
    document: dict[str, Any] = {"name": artifact.name, "uri": local, "type": dict(artifact.type)}
    if artifact.metadata:
        document["metadata"] = canonical(dict(artifact.metadata))
    return document


def executor_input(assignment: Assignment, folders: Folders, inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """KFP's ExecutorInput with this attempt's folders in it. Canonical values write integral numbers as `3`."""
    outputs: dict[str, Any] = {}
    if assignment.output_parameters:
        outputs["parameters"] = {
            name: {"outputFile": str(folders.parameter(plain_name(name, "output")))}
            for name in assignment.output_parameters
        }
    if assignment.output_artifacts:
        outputs["artifacts"] = {
            name: {"artifacts": [_planned(name, assignment, folders)]} for name in assignment.output_artifacts
        }
    outputs["outputFile"] = str(folders.metadata_file)
    given: dict[str, Any] = {}
    if assignment.parameters:
        given["parameterValues"] = canonical(dict(assignment.parameters))
    if inputs:
        given["artifacts"] = dict(inputs)
    return {"inputs": given, "outputs": outputs} if given else {"outputs": outputs}


def _planned(name: str, assignment: Assignment, folders: Folders) -> dict[str, Any]:
    declared = assignment.output_artifacts[name]
    local = str(folders.output(plain_name(name, "output")))
    return runtime_artifact(ArtifactValue(name, "", declared.type, declared.metadata), local)
