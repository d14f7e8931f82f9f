"""From what was found in a bucket to files on this disk: ranges at once, gone on with where a way expired, verified.

Blocking. Called by granted_store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace_companion.buckets.transferring import RANGE, Expired, Patience, Transfers, digest_of
from headrace_companion.store import KeyRefused, ObjectMissing, StoreError, checked_key
from headrace_protos.v1.access_pb2 import Way

OPEN_FILES: Final = 128  # at once
INLINE: Final = 1 << 20  # bytes that no other thread is asked for


@dataclass(frozen=True, slots=True)
class FoundObject:
    """One object of what was found; `name` is its path in the folder, the piece's in a log, "" where it is the whole."""

    name: str
    size: int
    url: str
    digest: str
    etag: str
    modified_us: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What lies at a URI."""

    uri: str
    objects: Sequence[FoundObject]
    is_folder: bool
    growing: bool
    missing: bool
    empty_folders: Sequence[str]

    @classmethod
    def of(cls, uri: str, way: Way) -> Found:
        objects = [
            FoundObject(one.name, one.size, one.url, one.digest, one.etag, one.modified_us) for one in way.objects
        ]
        return cls(uri, objects, way.is_folder, way.growing, way.missing, list(way.empty_folders))


Renew = Callable[[Sequence[str]], dict[str, FoundObject]]


class Download:
    """One artifact's way to the disk; `renew` gets fresh ways to objects, by name: of large folders not all have one."""

    def __init__(self, transfers: Transfers, patience: Patience, threads: Executor, renew: Renew) -> None:
        self._transfers = transfers
        self._patience = patience
        self._threads = threads
        self._renew = renew

    def to(self, target: Path, found: Found) -> None:
        """Everything that was found, below TARGET or as the file TARGET."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if not found.is_folder:
            self._files(found, [(target, found.objects[0])])
            return
        target.mkdir(exist_ok=True)
        try:
            for name in found.empty_folders:
                (target / checked_key(name)).mkdir(parents=True, exist_ok=True)
            wanted = [(target / checked_key(one.name), one) for one in found.objects]
        except KeyRefused as refused_name:
            raise StoreError(f"{found.uri} holds a name that no folder can: {refused_name}") from refused_name
        for start in range(0, len(wanted), OPEN_FILES):
            self._files(found, wanted[start : start + OPEN_FILES])

    def _files(self, found: Found, wanted: Sequence[tuple[Path, FoundObject]]) -> None:
        opened: list[int] = []
        try:
            for path, _ in wanted:
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    opened.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666))
                except (NotADirectoryError, FileExistsError, IsADirectoryError) as clash:
                    raise StoreError(f"{found.uri} holds both an object and a folder at {path.name!r}") from clash
            self._fill([(descriptor, one) for descriptor, (_, one) in zip(opened, wanted, strict=True)], found.uri)
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def into(self, descriptor: int, one: FoundObject) -> None:
        """One object into an open file."""
        self._fill([(descriptor, one)], one.name)

    def _fill(self, wanted: Sequence[tuple[int, FoundObject]], uri: str) -> None:
        left = [(descriptor, one, offset) for descriptor, one in wanted for offset in range(0, one.size, RANGE)]
        ways = self._renewed({one.name: one for _, one in wanted}, [one.name for _, one in wanted if not one.url], uri)
        fruitless = 0
        while left:
            before = len(left)
            left, expired = self._round(left, ways)
            if not left:
                break
            fruitless = fruitless + 1 if len(left) == before else 0
            if fruitless == 2:
                raise StoreError(f"the store refuses access to {uri} ({expired})")
            ways = self._renewed(ways, sorted({one.name for _, one, _ in left}), uri)
        for descriptor, one in wanted:
            if one.digest.startswith("sha256:") and digest_of(descriptor) != one.digest:
                raise StoreError(f"{uri} is not what was stored: the content of {one.name or 'the object'} has changed")

    def _renewed(self, ways: dict[str, FoundObject], names: Sequence[str], uri: str) -> dict[str, FoundObject]:
        fresh = self._renew(names) if names else {}
        if any(name not in fresh for name in names):
            raise ObjectMissing(f"{uri} was deleted while it was read")
        return {**ways, **fresh}

    def _round(
        self, left: list[tuple[int, FoundObject, int]], ways: dict[str, FoundObject]
    ) -> tuple[list[tuple[int, FoundObject, int]], Expired | None]:
        """Fetch all that is left; what remains where ways have expired."""
        if len(left) == 1 and left[0][1].size <= INLINE:
            done: list[Future[None]] = [_called(lambda: self._range(*left[0], ways))]
        else:
            done = [self._threads.submit(self._range, *one, ways) for one in left]
            wait(done)
        remaining: list[tuple[int, FoundObject, int]] = []
        expired: Expired | None = None
        for one, future in zip(left, done, strict=True):
            error = future.exception()
            if isinstance(error, Expired):
                remaining.append(one)
                expired = error
            elif error is not None:
                raise error
        return remaining, expired

    def _range(self, descriptor: int, one: FoundObject, offset: int, ways: dict[str, FoundObject]) -> None:
        way = ways[one.name]
        length = min(RANGE, one.size - offset)
        self._patience.trying(lambda: self._transfers.fill(way.url, descriptor, offset, length, way.etag))


def _called(work: Callable[[], None]) -> Future[None]:
    future: Future[None] = Future()
    try:
        work()
    except Exception as error:  # noqa: BLE001  # whoever asks the future gets it
        future.set_exception(error)
    else:
        future.set_result(None)
    return future
