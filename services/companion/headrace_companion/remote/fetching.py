"""Fetching the content of a remote URI to this disk, once for all that want it at the same version. Blocking.

Called by executors (each in its own threads), before staging makes a private copy of what is here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from headrace_companion.remote.downloading import Download, Progress
from headrace_companion.remote.kept import Kept, KeptContent
from headrace_companion.remote.rewriting import Rewrites
from headrace_companion.remote.sources import Ambient, FetchFailed, Limits, Source, shown
from headrace_companion.store import KeyRefused, Stored, checked_key, why

OBJECT_STORES: Final = frozenset({"s3", "gs", "minio"})
SCHEMES: Final = OBJECT_STORES | {"http", "https"}
UNNAMED: Final = "content"


def scheme_of(uri: str) -> str:
    """In lower case; "" where there is none."""
    return uri.partition("://")[0].lower() if "://" in uri else ""


@dataclass(frozen=True, slots=True)
class Means:
    """How a platform fetches: bounds, how much it keeps, and where from instead."""

    limits: Limits = field(default_factory=Limits)
    keep_bytes: int = 10 << 30
    rewrites: Rewrites = field(default_factory=Rewrites)


AS_IT_IS: Final = Means()  # nothing is set


class Fetcher:
    """`folder` keeps what was fetched; content in use is never dropped."""

    def __init__(self, folder: Path, means: Means, ambient: Ambient) -> None:
        self._kept = KeptContent(folder, means.keep_bytes)
        self._limits = means.limits
        self._rewrites = means.rewrites
        self._ambient = ambient
        self._sources: dict[str, Source] = {}
        self._making = threading.Lock()

    def location(self, uri: str) -> str:
        """Where a URI's content comes from: itself, or its mirror."""
        return self._rewrites.apply(uri)

    def can_fetch(self, uri: str) -> bool:
        """Whether this is the one to ask; what lies in a folder is not."""
        return scheme_of(self.location(uri)) in SCHEMES

    def fetch(self, uri: str, stop: threading.Event, progress: Progress) -> Kept:
        """The content, pinned until `release`. Raises FetchFailed, NothingThere, Stopped."""
        at = self.location(uri)
        source = self._source(scheme_of(at))
        download = Download(at, self._limits, stop, progress)
        found = download.patiently(lambda: source.find(at, self._kept.versions(at)))
        version = found if isinstance(found, str) else found.version
        kept = self._kept.take(at, version) if version else None
        if kept is None and isinstance(found, str):  # it was dropped while we asked
            found = download.patiently(lambda: source.find(at, []))
        if kept is None and not isinstance(found, str):
            wanted = found
            try:
                kept = self._kept.add(at, wanted.version, lambda place: download.to(place, wanted))
            except OSError as error:
                raise FetchFailed(f"{shown(uri)} could not be stored: {why(error)}") from error
        if kept is None:
            raise FetchFailed(f"{shown(uri)} cannot be fetched: the server says that nothing changed since never")
        return kept

    def version(self, uri: str, stop: threading.Event) -> str:
        """What changes with the content that lies there, without fetching it; "" where its place cannot tell. Raises as fetch."""
        at = self.location(uri)
        return Download(at, self._limits, stop, lambda *_: None).patiently(
            lambda: self._source(scheme_of(at)).version(at)
        )

    def share(self, kept: Kept) -> Kept:
        """The same content for another one, who releases it too."""
        return self._kept.pin(kept)

    def release(self, kept: Kept) -> None:
        """The content was copied."""
        self._kept.release(kept)

    def forget(self, uri: str) -> None:
        """Drop what was fetched from there."""
        self._kept.forget(self.location(uri))

    def can_store(self, uri: str) -> bool:
        """Whether content can be put there too."""
        return scheme_of(uri) in OBJECT_STORES

    def store(self, uri: str, path: Path, within: Path) -> Stored:
        """Put the file or folder at PATH, beneath WITHIN, there. Raises FetchFailed, SourceRefused."""
        from headrace_companion.remote.object_source import ObjectSource
        from headrace_companion.remote.uploading import upload

        source = self._source(scheme_of(uri))
        assert isinstance(source, ObjectSource), "asked only of what can_store is true of"
        return upload(source, uri, path, within)

    def clear_unfinished(self) -> None:
        """At a start: drop what a dead platform left half fetched."""
        self._kept.clear_unfinished()

    def _source(self, scheme: str) -> Source:
        with self._making:
            if scheme not in self._sources:
                self._sources[scheme] = self._new_source(scheme)
            return self._sources[scheme]

    def _new_source(self, scheme: str) -> Source:
        # Imported late: most platforms never fetch anything, and these two bring in much.
        if scheme in ("http", "https"):
            from headrace_companion.remote.http_source import HttpSource

            return HttpSource(self._ambient, self._limits)
        from headrace_companion.remote.object_source import ObjectSource

        return ObjectSource(scheme, self._ambient, self._limits)


def file_name(uri: str) -> str:
    """The last name of a URI, as far as it can be a file's."""
    path = uri.partition("://")[2]
    if scheme_of(uri) in ("http", "https"):
        path = unquote(urlsplit(uri).path)
    name = path.rstrip("/").rpartition("/")[2]
    try:
        return checked_key(name)
    except KeyRefused:
        return UNNAMED
