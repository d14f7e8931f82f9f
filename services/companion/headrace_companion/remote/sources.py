"""What every kind of remote source offers, its errors, and the bounds of a fetch. No I/O here; implementations lie beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit, urlunsplit

MIB: Final = 1 << 20
CHUNK: Final = MIB


class FetchFailed(Exception):  # noqa: N818 - read as a statement
    """The content could not be fetched; the message names it and is fit for a user."""


class NothingThere(FetchFailed):
    """The place is there, but nothing lies at this URI."""


class Broken(Exception):  # noqa: N818 - the same
    """A transfer broke off or the other side was busy: worth another try from where it stopped."""


class Stopped(Exception):  # noqa: N818 - the same
    """Nobody waits for the content any more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one fetch. `pauses` are the seconds before each further try."""

    most_bytes: int = 64 << 30
    silence_s: float = 30.0  # without a byte
    redirects: int = 5
    pauses: Sequence[float] = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Bytes from `start` on: a source that cannot resume begins at 0 again."""

    start: int
    chunks: Iterator[bytes]


class RemoteObject(Protocol):
    """One file at the source; `name` is its path below the folder that is fetched, "" where it is the whole."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int | None: ...

    def read(self, offset: int) -> Transfer:
        """Raises Broken or FetchFailed; so does the iteration."""


@dataclass(frozen=True, slots=True)
class Found:
    """What lies at a URI now. `version` changes with the content; "" where the source cannot tell."""

    version: str
    is_folder: bool
    objects: Sequence[RemoteObject]


class Source(Protocol):
    """One kind of place."""

    def find(self, uri: str, known: Sequence[str]) -> Found | str:
        """What is there, or which of the `known` versions it still is. Raises Broken, FetchFailed, NothingThere."""

    def version(self, uri: str) -> str:
        """What is there by its version alone. Raises the same."""


@dataclass(frozen=True, slots=True)
class Ambient:
    """What sources may know of the platform's surroundings: credentials, endpoints, proxies, certificates. Never shown
    to user code and never logged.
    """

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    def first(self, *names: str) -> str:
        """The first of the variables that is set."""
        return next((self.environ[name] for name in names if self.environ.get(name)), "")


def shown(uri: str) -> str:
    """The URI for a message: without user, password and query, which may hold secrets."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return uri
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
