"""Making an attempt's inputs available: folders, private copies of input artifacts, ExecutorInput, the final command.

Blocking; the executor calls it in a thread. User code sees local paths as URIs (as with KFP's local runner), so that
`artifact.path` works without KFP's `/minio` mounts; publishing maps them back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from headrace_companion.assignment import ArtifactValue, Assignment, Folders
from headrace_companion.lightweight import EXECUTOR_INPUT_OPTION, runs_our_runtime
from headrace_companion.results import ATTEMPT_FILE, Reason
from headrace_companion.store import AccessRefused, ArtifactStore, KeyRefused, ObjectMissing, checked_key
from headrace_companion.templates import LocalResolver, UnknownReference, join, join_all
from headrace_ir.references import ValueRef, digest_of
from headrace_ir.values import INLINE_BYTES, byte_length, canonical

EXECUTOR_INPUT_FILE: Final = "executor_input.json"


class StagingFailed(Exception):  # noqa: N818 - read as a statement
    """An attempt cannot start; the message says what is missing."""

    def __init__(self, message: str, reason: Reason = Reason.MISSING_INPUT) -> None:
        super().__init__(message)
        self.reason = reason


class InputMissing(StagingFailed):
    """Nothing lies where an input artifact should be."""


@dataclass(frozen=True, slots=True)
class Staged:
    """An attempt that is ready to run. `origins` says which artifact lies at a local input path."""

    folders: Folders
    argv: tuple[str, ...]
    env: Mapping[str, str]
    origins: Mapping[str, ArtifactValue] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Content of a URI outside the store: where it lies on this disk (None: nowhere), a file name for it, and what to say
    where there is nothing.
    """

    path: Path | None
    name: str
    problem: str = ""


def stage(
    assignment: Assignment,
    folders: Folders,
    store: ArtifactStore | None,
    elsewhere: Mapping[str, Elsewhere] | None = None,
) -> Staged:
    """Create the attempt's folders and fill them. `store` may be None where there are no artifacts and no large values to be
    read; `elsewhere` has what inputs outside the store were fetched to, by URI.
    """
    folders.inputs.mkdir(parents=True, exist_ok=True)
    for folder in (folders.outputs, folders.parameters, folders.work):
        folder.mkdir(exist_ok=True)
    stager = _Stager(folders, store, elsewhere or {}, assignment.optional_inputs)
    staged = {name: stager.artifacts(name, artifacts) for name, artifacts in assignment.input_artifacts.items()}
    # an optional input of which nothing is there reads as one that was not given
    inputs = {
        name: {"artifacts": found} for name, found in staged.items() if found or not assignment.input_artifacts[name]
    }
    # Large values are put into the ExecutorInput as the text that they are: parsing them only to write them again takes long.
    stand_ins = {name: f"large value {os.urandom(16).hex()}" for name in assignment.references}
    large = {stand_ins[name]: stager.value(name, ref) for name, ref in assignment.references.items()}
    document = executor_input(replace(assignment, parameters={**assignment.parameters, **stand_ins}), folders, inputs)
    resolve = LocalResolver(document, lambda entry: str(entry["uri"]), large)
    try:
        late = {name: json.loads(join(parts, resolve)) for name, parts in assignment.late_parameters.items()}
        if late:
            document["inputs"]["parameterValues"] |= late
        argv = by_file(tuple(join_all(assignment.argv, resolve)), folders)
        env = {name: join(parts, resolve) for name, parts in assignment.env.items()}
    except UnknownReference as error:
        raise StagingFailed(str(error)) from error
    for name, text in env.items():
        if byte_length(text) > INLINE_BYTES:
            raise StagingFailed(
                f"environment variable '{name}' would be {byte_length(text)} bytes long, above the limit of {INLINE_BYTES}: "
                "give the value to the command, or let the task read it from an artifact",
                Reason.INPUT_RESOLUTION,
            )
    return Staged(folders, argv, env, stager.origins, tuple(stager.warnings))


def by_file(argv: tuple[str, ...], folders: Folders) -> tuple[str, ...]:
    """The command with a large ExecutorInput in a file, where it is our runtime that reads it: argv is bounded."""
    if not runs_our_runtime(argv):
        return argv
    at = argv.index(EXECUTOR_INPUT_OPTION) + 1
    if byte_length(argv[at]) <= INLINE_BYTES:
        return argv
    file = folders.top / EXECUTOR_INPUT_FILE
    file.write_text(argv[at], encoding="utf-8", errors="surrogatepass")
    return (*argv[:at], f"@{file}", *argv[at + 1 :])


@dataclass
class _Stager:
    folders: Folders
    held: ArtifactStore | None
    elsewhere: Mapping[str, Elsewhere]
    optional: frozenset[str]
    origins: dict[str, ArtifactValue] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def store(self) -> ArtifactStore:
        assert self.held is not None, "an assignment with inputs comes with a store"
        return self.held

    def artifacts(self, name: str, artifacts: Sequence[ArtifactValue]) -> list[dict[str, Any]]:
        """Copy one input's artifacts; their RuntimeArtifacts with the local path as URI."""
        found = []
        for index, artifact in enumerate(artifacts):
            try:
                local = self._fetch(name, index, artifact)
            except InputMissing as missing:
                if name not in self.optional:
                    raise
                self.warnings.append(f"{missing}; the input is optional, so the task runs without it")
                continue
            self.origins[local] = artifact
            found.append(runtime_artifact(artifact, local))
        return found

    def value(self, name: str, ref: ValueRef) -> str:
        """The JSON text of a large input parameter."""
        key = self.store.key(ref.uri)
        if key is None:
            raise StagingFailed(f"input '{name}' is at {ref.uri}, outside the artifact store {self.store.root}")
        try:
            data = self.store.read(key)
        except ObjectMissing as error:
            raise StagingFailed(
                f"input '{name}' is missing: nothing is stored at {ref.uri}; run the task that makes it again"
            ) from error
        if len(data) != ref.size or (ref.digest.startswith("sha256:") and digest_of(data) != ref.digest):
            raise StagingFailed(f"input '{name}' is not what was stored: {ref.uri} has changed since")
        return data.decode()

    def _fetch(self, name: str, index: int, artifact: ArtifactValue) -> str:
        """The local path; an artifact of an unknown scheme keeps its URI."""
        key = self.store.key(artifact.uri)
        place = self.elsewhere.get(artifact.uri) if key is None else None
        if key is None and place is None:
            self.warnings.append(
                f"input '{name}' is at {artifact.uri}, which this executor cannot fetch; its URI is passed on as it is"
            )
            return artifact.uri
        # The last name of the URI is kept, because libraries choose a reader by a file's suffix.
        plain = Path(key).name if key is not None else place.name if place is not None else ""
        target = self.folders.inputs / plain_name(name, "input") / str(index) / plain
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if key is not None:
                self.store.stage(key, target)
            elif place is not None:
                # Imported late: most inputs lie in the store, and a task waits for every import.
                from headrace_companion.folder_store import copy_privately

                copy_privately(_there(place, artifact.uri), target)
        except (ObjectMissing, FileNotFoundError) as error:
            if key is None or not _was_published_empty(key, artifact.uri, self.store):
                said = place.problem if place is not None and place.problem else f"nothing is stored at {artifact.uri}"
                raise InputMissing(
                    f"input artifact '{name}' is missing: {said}; "
                    "run the task that makes it again, or correct the importer's URI"
                ) from error
        except AccessRefused as error:
            raise StagingFailed(f"input artifact '{name}' is not given to this task: {error}") from error
        except OSError as error:
            raise StagingFailed(
                f"input artifact '{name}' could not be copied from {artifact.uri}: {error.strerror or error}"
            ) from error
        return str(target)


def _there(place: Elsewhere, uri: str) -> Path:
    if place.path is None:
        raise ObjectMissing(f"nothing is stored at {uri}")
    return place.path


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
