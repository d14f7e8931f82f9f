"""The artifact store port: what staging, publishing, logs and `ArtifactAccess` need of a store, and its errors.

Implementations (`folder_store`, `buckets`) live beside it and pass tests/ports/test_artifact_store.py. Calls block: both
a folder and the minio client do, so asynchronous callers go through a thread. A key is a relative path of plain names
(`pipeline/run/task/1/model`); a URI is the store's root and a key. What is put becomes visible at once or not at all.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


class StoreError(Exception):
    """A store refused or failed; the message names the object and is fit for a user."""


class KeyRefused(StoreError):  # noqa: N818 - read as a statement: this key was refused
    """The key is not a path of plain names beneath the root."""


class ObjectMissing(StoreError):  # noqa: N818 - the same
    """Nothing is stored under the key."""


class StoreDown(StoreError):  # noqa: N818 - the same
    """The store cannot be reached, or is too busy: worth another try later."""


class AccessRefused(StoreError):  # noqa: N818 - the same
    """What lies there is not for whoever asks: the platform says so, or the store; the same again would end the same."""


class SourceRefused(StoreError):  # noqa: N818 - the same
    """What should be stored is not made of regular files and folders inside its own folder."""


def why(error: Exception) -> str:
    """The error as a sentence for a user, with what to do where a disk is full."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no space is left on the disk: make room, the task is tried again"
    return str(error)


@dataclass(frozen=True, slots=True)
class Stored:
    """What lies under a key. A folder's digest covers the names, sizes and digests of all its files."""

    size: int
    digest: str
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """One file beneath a prefix."""

    key: str
    size: int
    modified_us: int = 0  # when it was put there; 0: the store does not say


class ArtifactStore(Protocol):
    """A place of files and folders, addressed by keys."""

    @property
    def root(self) -> str:
        """The URI of the empty key, without a slash at its end."""

    def uri(self, key: str) -> str: ...

    def key(self, uri: str) -> str | None:
        """The key of a URI, or None where the URI lies outside this store."""

    def put(self, key: str, source: Path, *, within: Path, move: bool = False) -> Stored:
        """Store a file or folder that lies beneath `within`; links, FIFOs, devices and sockets are refused.

        With `move` the store may take the source itself, so that large outputs are not copied.
        """

    def put_bytes(self, key: str, data: bytes) -> Stored: ...

    def stage(self, key: str, target: Path) -> None:
        """Make a private copy at `target`; writing to it never changes what is stored."""

    def exists(self, key: str) -> bool: ...

    def describe(self, key: str) -> Stored: ...

    def listing(self, prefix: str) -> list[Listed]: ...

    def size(self, key: str) -> int:
        """Bytes of one file now; of a log also while it grows."""

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes: ...

    def delete(self, key: str, spared: Sequence[str] = ()) -> None:
        """Remove what lies under the key, but for what lies at or under the keys SPARED; nothing there is no error."""

    def open_log(self, key: str) -> BinaryIO:
        """A log to append to; what was written is readable at once, from this store."""

    def settle(self, key: str) -> None:
        """Return when all of a closed log is stored. StoreDown where that is not so for the store's patience."""

    def patient(self, seconds: float) -> ArtifactStore:
        """The same store for somebody who waits so long while it cannot be reached."""

    def close(self) -> None:
        """Finish what is on its way; no call comes after this."""


def checked_key(key: str) -> str:
    """The key, or KeyRefused with what is wrong with it."""
    for name in key.split("/"):
        if name in ("", ".", ".."):
            raise KeyRefused(f"artifact key {key!r} must be plain names separated by single slashes")
        if "\0" in name or "\\" in name:
            raise KeyRefused(f"artifact key {key!r} holds a character that no store accepts")
        if len(name.encode("utf-8", "surrogatepass")) > 255:
            raise KeyRefused(f"artifact key has a name longer than 255 bytes: {name[:40]!r}…")
    if not key.isprintable():
        raise KeyRefused(f"artifact key {key!r} holds a character that cannot be printed")
    return key
