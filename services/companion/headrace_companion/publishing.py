"""Publishing a finished attempt: parameters, artifacts, and `attempt.json` as the last object.

Blocking; the executor calls it in a thread after the whole process group has ended. Without exit code 0 no output is
registered: what lies in the output folder is kept as marked partial results. Called by the process executor and, in a
Pod, by the companion.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from headrace_companion import beneath
from headrace_companion.assignment import ArtifactValue, Assignment, OutputArtifact
from headrace_companion.custom_paths import Bind, Source, custom_source
from headrace_companion.lightweight import recognise
from headrace_companion.machine_store import is_outside
from headrace_companion.outputs import ArtifactEntry, OutputRefused
from headrace_companion.reading import read_outputs
from headrace_companion.remote.fetching import Fetcher
from headrace_companion.remote.sources import FetchFailed
from headrace_companion.results import (
    ATTEMPT_FILE,
    PARTIAL,
    RESERVED,
    VALUES,
    AttemptResult,
    Failure,
    PublishedArtifact,
    Reason,
)
from headrace_companion.staging import Staged
from headrace_companion.store import ArtifactStore, SourceRefused, Stored, StoreError, why
from headrace_ir.references import ValueRef, digest_of, is_large, type_of_text
from headrace_ir.values import Value, byte_length, encode

MAX_METADATA: Final = 1 << 20  # bytes of one artifact's metadata as JSON text

MOUNTS: Final = {"s3": "s3", "gs": "gcs", "minio": "minio"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an output artifact belongs: its URI, the local content to store there, and the input that it passes on."""

    uri: str
    local: Source | None = None
    origin: ArtifactValue | None = None
    ours: bool = True  # it lies in the store that the run publishes to


def publish(
    assignment: Assignment,
    staged: Staged,
    ended: AttemptResult,
    store: ArtifactStore,
    *,
    anywhere: bool = False,
    binds: Sequence[Bind] = (),
    remote: Fetcher | None = None,
) -> AttemptResult:
    """The final result of an attempt whose process has ended; stores everything that belongs to it.

    `anywhere`: we are the user whose code it was, on its machine, so a path of its own may lie anywhere. `binds`: folders
    that it alone saw at other paths. `remote`: reaches other stores, for outputs that its code puts there.
    """
    publisher = Publisher(assignment, staged, store, anywhere, binds, remote)
    result = publisher.with_outputs(ended) if ended.failure is None else ended
    return replace(result, partial=publisher.keep_partial()) if result.failure is not None else result


def seal(assignment: Assignment, result: AttemptResult, store: ArtifactStore) -> None:
    """Store `attempt.json`: after this the attempt is complete, whatever happens to the report."""
    store.put_bytes(f"{prefix_key(assignment.prefix, store)}/{ATTEMPT_FILE}", result.to_json().encode())


def sealed(prefix: str, store: ArtifactStore) -> AttemptResult | None:
    """The result of an attempt that was published completely, else None."""
    key = f"{prefix_key(prefix, store)}/{ATTEMPT_FILE}"
    return AttemptResult.from_json(store.read(key)) if store.exists(key) else None


def prefix_key(prefix: str, store: ArtifactStore) -> str:
    key = store.key(prefix)
    if key is None:
        raise StoreError(f"the output prefix {prefix} lies outside the artifact store {store.root}")
    return key


@dataclass
class Publisher:
    """One attempt's publishing; remembers what it has stored, for outputs that name the same file."""

    assignment: Assignment
    staged: Staged
    store: ArtifactStore
    anywhere: bool = False
    binds: Sequence[Bind] = ()
    remote: Fetcher | None = None
    done: dict[Path, tuple[str, Stored]] = field(default_factory=dict)

    def with_outputs(self, ended: AttemptResult) -> AttemptResult:
        try:
            said = read_outputs(self.assignment, self.staged.folders)
            places = self._places()
            texts = {name: places.get(text, text) for name, text in said.parameters.items()}
            parameters = {name: text for name, text in texts.items() if not is_large(text)}
            references = {name: self._large(text) for name, text in texts.items() if is_large(text)}
            artifacts = {
                name: self._output(name, declared, said.artifacts.get(name, ()))
                for name, declared in self.assignment.output_artifacts.items()
            }
        except OutputRefused as error:
            return replace(ended, failure=Failure(error.reason, f"{error}{self._hint(error.reason)}"))
        except (StoreError, OSError) as error:
            failure = Failure(Reason.INTERNAL, f"outputs could not be stored: {why(error)}")
            return replace(ended, failure=failure)
        return replace(ended, parameters=parameters, references=references, artifacts=artifacts)

    def _places(self) -> dict[str, str]:
        """Local places of the task's artifacts and what they become as parameters: user code has places for URIs, and they
        go with the attempt. (Both as JSON texts.)
        """
        places = {encode(local): encode(origin.uri) for local, origin in self.staged.origins.items()}
        for name in self.assignment.output_artifacts:
            places[encode(str(self.staged.folders.output(name)))] = encode(self._uri(name))
        return places

    def _hint(self, reason: Reason) -> str:
        """KFP's runtime says nothing where a function returns None, whatever it was declared to return."""
        if reason is Reason.MISSING_OUTPUT and recognise(self.staged.argv) is not None:
            return "; a Python function that returns None writes no output: return a value"
        return ""

    def _large(self, text: str) -> ValueRef:
        """Store a large value among the attempt's outputs, under a name that is a function of its content."""
        data = text.encode()
        digest = digest_of(data)
        key = f"{prefix_key(self.assignment.prefix, self.store)}/{VALUES}/{digest.partition(':')[2]}"
        stored = self.store.put_bytes(key, data)
        return ValueRef(self.store.uri(key), stored.size, digest, type_of_text(text))

    def _output(
        self, name: str, declared: OutputArtifact, said: tuple[ArtifactEntry, ...]
    ) -> tuple[PublishedArtifact, ...]:
        """A single artifact takes the first entry, a list registers every entry."""
        entries = said if declared.is_list and said else said[:1] or (ArtifactEntry(),)
        try:
            return tuple(self._entry(name, declared, entry) for entry in entries)
        except SourceRefused as error:
            raise OutputRefused(Reason.OUTPUT_PATH, f"output artifact '{name}': {error}") from error

    def _entry(self, name: str, declared: OutputArtifact, entry: ArtifactEntry) -> PublishedArtifact:
        place = self._place(name, entry)
        passed_on = place.origin.metadata if place.origin else {}
        published = PublishedArtifact(
            name=entry.name or name,
            uri=place.uri,
            type=declared.type,
            metadata=_bounded(name, {**declared.metadata, **passed_on, **(entry.metadata or {})}),
            artifact_id=place.origin.artifact_id if place.origin else "",
        )
        if place.local is None:
            return published
        uri, stored = (
            self._stored(place.uri, place.local) if place.ours else self._uploaded(name, place.uri, place.local)
        )
        if stored is None:
            return published
        return replace(published, uri=uri, size=stored.size, digest=stored.digest)

    def _stored(self, uri: str, local: Source) -> tuple[str, Stored | None]:
        """Store local content at a URI, once; what user code did not write is None."""
        if local.path in self.done:
            return self.done[local.path]
        key = prefix_key(uri, self.store)
        if beneath.exists(local.within, local.path):
            stored = self.store.put(key, local.path, within=local.within, move=local.move)
        elif self.store.exists(key):  # it came along with the folder of another output
            stored = self.store.describe(key)
        else:
            return uri, None
        self.done[local.path] = (uri, stored)
        return uri, stored

    def _uploaded(self, name: str, uri: str, local: Source) -> tuple[str, Stored | None]:
        """Put local content into another store; what is not on this disk lies there already, or its reader will say so."""
        if local.path not in self.done:
            assert self.remote is not None, "a place elsewhere is made only where we reach it"
            if not beneath.exists(local.within, local.path):
                return uri, None
            try:
                self.done[local.path] = (uri, self.remote.store(uri, local.path, local.within))
            except FetchFailed as error:
                raise OutputRefused(Reason.OUTPUT_PATH, f"output artifact '{name}': {error}") from error
        return self.done[local.path]

    def _place(self, name: str, entry: ArtifactEntry) -> Place:
        folders = self.staged.folders
        default = folders.output(name)
        said = entry.uri or str(default)
        custom = self._custom(entry.custom_path) if entry.custom_path else None
        if "://" in said:
            return self._elsewhere(name, said, custom)
        path = Path(os.path.normpath(folders.outputs / said))
        for local, origin in self.staged.origins.items():
            if path == Path(local) or Path(local) in path.parents:
                below = str(path.relative_to(local))
                return Place(origin.uri if below == "." else f"{origin.uri}/{below}", origin=origin)
        if folders.outputs not in path.parents:
            raise OutputRefused(
                Reason.OUTPUT_PATH,
                f"output artifact '{name}' is at {said}, outside the task's output folder; write it beneath {default}, or "
                "name its place with set_path",
            )
        relative = str(path.relative_to(folders.outputs))
        if relative.split("/", 1)[0] in RESERVED:
            raise OutputRefused(
                Reason.OUTPUT_PATH, f"output artifact '{name}' may not be called '{relative}'; Headrace keeps that name"
            )
        return Place(self._uri(relative), custom or self._own(path))

    def _custom(self, said: str) -> Source:
        return custom_source(said, self.staged.folders, self.store.root, self.binds, anywhere=self.anywhere)

    def _own(self, path: Path) -> Source:
        """Something in the attempt's own folder."""
        return Source(path, self.staged.folders.top)

    def _elsewhere(self, name: str, uri: str, custom: Source | None) -> Place:
        """A URI that user code chose: registered as it is. Something is stored beneath our own prefix; in a folder of this
        machine where the content lies at another path; in an object store where it lies at its own or at KFP's path for it.
        """
        key, prefix = self.store.key(uri), prefix_key(self.assignment.prefix, self.store)
        if key is None or not key.startswith(prefix + "/"):
            if custom is not None and key is not None and is_outside(key):
                return Place(uri, custom)
            if self.remote is not None and self.remote.can_store(uri):
                return Place(uri, custom or self._mounted(uri), ours=False)
            if custom is not None:
                raise OutputRefused(
                    Reason.OUTPUT_PATH, f"output artifact '{name}' has a path of its own and a URI elsewhere ({uri})"
                )
            return Place(uri)
        return Place(uri, custom or self._own(self.staged.folders.outputs / key[len(prefix) + 1 :]))

    def _mounted(self, uri: str) -> Source | None:
        """Where KFP's SDK has code write what belongs to an object store: /s3/bucket/key."""
        scheme, _, rest = uri.partition("://")
        return self._custom(f"/{MOUNTS[scheme]}/{rest}") if self.anywhere and scheme in MOUNTS else None

    def _uri(self, relative: str) -> str:
        return self.store.uri(f"{prefix_key(self.assignment.prefix, self.store)}/{relative}")

    def keep_partial(self) -> tuple[PublishedArtifact, ...]:
        """What a failed attempt had written so far, under a name that says so. Never worth another failure."""
        kept: list[PublishedArtifact] = []
        for name, declared in self.assignment.output_artifacts.items():
            try:
                place = self._own(self.staged.folders.output(name))
                uri, stored = self._stored(self._uri(f"{PARTIAL}/{name}"), place)
            except (SourceRefused, StoreError, OSError):
                continue
            if stored is not None:
                kept.append(PublishedArtifact(name, uri, declared.type, declared.metadata, stored.size, stored.digest))
        return tuple(kept)


def _bounded(name: str, metadata: dict[str, Value]) -> dict[str, Value]:
    """An artifact's metadata, which lies in rows; what is large belongs into its file."""
    size = byte_length(encode(metadata))
    if size > MAX_METADATA:
        raise OutputRefused(
            Reason.WRONG_OUTPUT,
            f"output artifact '{name}' has {size} bytes of metadata, above the limit of {MAX_METADATA}: write it to its file",
        )
    return metadata
