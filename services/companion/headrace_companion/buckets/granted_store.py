"""The artifact store that goes granted ways: with a granter that holds keys it is the S3 store, in a Pod the companion's.

One object is whole or not there. A folder has a manifest beside it (see layout) that is written first as unfinished and last
as whole; a folder without one was written by somebody else and is what lies there. Large objects go in parts, several at
once; what was broken off goes on with the same content. Blocking; used by many threads.
"""

from __future__ import annotations

import contextlib
import copy
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final, Self, cast

from headrace_companion.buckets import granting
from headrace_companion.buckets.downloading import Download, Found, FoundObject
from headrace_companion.buckets.granting import MOST_WANTS, VALID_S, Granter
from headrace_companion.buckets.growing import GrowingLogs
from headrace_companion.buckets.layout import (
    HIDDEN,
    SINGLE,
    File,
    Manifest,
    is_hidden,
    manifest_key,
    piece_name,
    piece_numbers,
)
from headrace_companion.buckets.surveying import SourceFile, Survey, opened, remove, survey
from headrace_companion.buckets.transferring import Expired, Patience, Transfers, digest_of
from headrace_companion.buckets.uploading import upload_in_parts
from headrace_companion.folder_store import combined
from headrace_companion.store import AccessRefused, KeyRefused, Listed, ObjectMissing, Stored, StoreError, checked_key
from headrace_protos.v1.access_pb2 import Want, Way

THREADS: Final = 8
SPARE_S: Final = 60  # of a URL's life are left when it is used
PATIENCE_S: Final = 20.0
ELSEWHERE: Final = ":"
PIECES: Final = 32  # of a growing log, to which ways are asked for at once


class GrantedStore:
    """Keys lie beneath `root`; what was prepared to be read elsewhere has keys like `:s3/bucket/key`."""

    def __init__(
        self,
        root: str,
        granter: Granter,
        transfers: Transfers,
        patience_s: float = PATIENCE_S,
        usual: Sequence[str] = (),
    ) -> None:
        """`usual`: keys that will be written, small or not at all; ways to them are asked for together."""
        self._root = root.rstrip("/")
        self._granter = granter
        self._transfers = transfers
        self._patience = Patience(patience_s)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="headrace-artifacts")
        self._logs = GrowingLogs(self)
        self._lock = threading.Lock()
        self._reads: dict[str, tuple[Way, float]] = {}
        self._writes: dict[str, tuple[str, float]] = {}
        self._others: set[str] = set()
        self._usual = frozenset(self.uri(key) for key in usual)

    def patient(self, seconds: float) -> Self:
        other = copy.copy(self)
        other._patience = Patience(seconds, self._patience.stop)
        return other

    # Names

    @property
    def root(self) -> str:
        return self._root

    def uri(self, key: str) -> str:
        checked_key(key)
        if key.startswith(ELSEWHERE):
            scheme, _, rest = key[1:].partition("/")
            return f"{scheme}://{rest}"
        return f"{self._root}/{key}"

    def key(self, uri: str) -> str | None:
        try:
            if uri.startswith(f"{self._root}/"):
                return checked_key(uri[len(self._root) + 1 :])
            if any(uri == other or uri.startswith(f"{other}/") for other in self._others):
                return checked_key(ELSEWHERE + uri.replace("://", "/", 1))
        except KeyRefused:
            return None
        return None

    def prepare(self, reads: Iterable[str], writes: Iterable[str] = ()) -> set[str]:
        """Get ways to read and to write these URIs by one question; those that are used within 14 minutes need no other.
        The URIs are returned that lie in no store of the platform's.
        """
        reading, writing = list(dict.fromkeys(reads)), list(dict.fromkeys((*writes, *self._usual)))
        wants = [granting.find(uri) for uri in reading] + [granting.put(uri, 0) for uri in writing]
        until = time.monotonic() + VALID_S - SPARE_S
        ways = self.ask(wants)
        outside: set[str] = set()
        for uri, way in zip(reading, ways, strict=False):
            if way.outside:
                outside.add(uri)
                continue
            self._reads[uri] = way, until
            if not uri.startswith(f"{self._root}/"):
                self._others.add(uri)
        for uri, way in zip(writing, ways[len(reading) :], strict=True):
            if way.url:
                self._writes[uri] = way.url, until
        return outside

    # Reading

    def stage(self, key: str, target: Path) -> None:
        found = self._there(key)
        if found.growing:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.read(key))
            return
        self._download(key).to(target, found)

    def exists(self, key: str) -> bool:
        if self._logs.get(key) is not None:
            return True
        found = self._find(key, look=True)
        return not found.missing

    def describe(self, key: str) -> Stored:
        found = self._there(key)
        files = [(one.name, one.size, one.digest or self._hashed(key, one.name)) for one in found.objects]
        return combined(files, is_folder=found.is_folder)

    def listing(self, prefix: str) -> list[Listed]:
        found = self._find(prefix, look=True)
        if not found.is_folder:
            return []
        files = (Listed(f"{prefix}/{one.name}", one.size, one.modified_us) for one in found.objects)
        return sorted(files, key=lambda one: one.key)

    def size(self, key: str) -> int:
        log = self._logs.get(key)
        return log.size if log is not None else sum(one.size for one in self._there(key, look=True).objects)

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        log = self._logs.get(checked_key(key))
        if log is not None:
            with contextlib.suppress(ValueError):  # it ended meanwhile and is an object now
                return log.read_at(offset, length)
        url = self._granter.read_url(self.uri(key)) if length != 0 else ""
        if url:
            with contextlib.suppress(ObjectMissing, Expired):
                return self._patience.trying(lambda: self._transfers.get(url, offset, length))
        return self._read_found(key, offset, length)

    def _read_found(self, key: str, offset: int, length: int | None) -> bytes:
        def read() -> bytes:
            found = self._there(key)
            if found.is_folder:
                raise StoreError(f"{self.uri(key)} is a folder; name a file in it")
            return b"".join(self._ranges(found, offset, length))

        return self._twice(key, lambda: self._patience.trying(read))

    def _ranges(self, found: Found, offset: int, length: int | None) -> Iterator[bytes]:
        """From the objects that make up one file."""
        end = sum(one.size for one in found.objects) if length is None else offset + length
        at = 0
        for one in found.objects:
            start, stop = max(offset, at), min(end, at + one.size)
            if start < stop:
                yield self._transfers.get(one.url, start - at, stop - start, one.etag)
            at += one.size

    def _hashed(self, key: str, name: str) -> str:
        """The digest of an object that somebody else stored."""
        at = f"{key}/{name}" if name else key
        with _spool() as file:
            self._download(at).into(file.fileno(), self._there(at).objects[0])
            return digest_of(file.fileno())

    def _download(self, key: str) -> Download:
        def renewed(names: Sequence[str]) -> dict[str, FoundObject]:
            uris = [self.uri(f"{key}/{name}" if name else key) for name in names]
            found = [
                Found.of(uri, way) for uri, way in zip(uris, self.ask(list(map(granting.find, uris))), strict=True)
            ]
            return {
                name: replace(one.objects[0], name=name) for name, one in zip(names, found, strict=True) if one.objects
            }

        return Download(self._transfers, self._patience, self._threads, renewed)

    # Writing

    def put(self, key: str, source: Path, *, within: Path, move: bool = False) -> Stored:
        self._own_key(key)
        found = survey(within, source)
        if found.is_folder:
            self._put_folder(key, found)
        else:
            self._put_file(self.uri(key), within, found.files[0])
        if move:
            remove(within, found.files)
        return found.stored

    def put_bytes(self, key: str, data: bytes) -> Stored:
        self._own_key(key)
        with _spool() as file:
            file.write(data)
            digest = digest_of(file.fileno())
            self.put_part(key, file.fileno(), 0, len(data), digest)
        return Stored(len(data), digest, is_folder=False)

    def put_part(self, key: str, descriptor: int, offset: int, length: int, digest: str = "") -> None:
        """Store a range of a file as an object; the layout's own keys too."""
        self._reads.pop(self.uri(key), None)
        self._put_range(self.uri(key), descriptor, offset, length, digest)

    def _put_file(self, uri: str, within: Path, file: SourceFile, url: str = "") -> None:
        with opened(within, file) as descriptor:
            self._put_range(uri, descriptor, 0, file.size, file.digest, url)

    def _put_range(self, uri: str, descriptor: int, offset: int, length: int, digest: str, url: str = "") -> None:
        if length > SINGLE:
            upload_in_parts(
                self, self._transfers, self._patience, self._threads, uri, descriptor, offset, length, digest
            )
            return
        for again in (False, True):
            way = url or self._way_to_write(uri, length, digest, fresh=again)
            try:
                self._patience.trying(lambda: self._transfers.put(way, descriptor, offset, length))  # noqa: B023
            except Expired as expired:
                if again:
                    raise refused(uri, expired) from expired
                url = ""
            else:
                return

    def _put_folder(self, key: str, found: Survey) -> None:
        manifest = self.uri(manifest_key(key))
        earlier, way = self.ask([granting.find(self.uri(key), look=True), granting.put(manifest, 0)])
        if not earlier.missing:  # an earlier publish of the same attempt
            self.ask([Want(delete=self.uri(key))])
        self._put_manifest(manifest, Manifest(whole=False), way.url)
        small = [file for file in found.files if file.size <= SINGLE]
        for start in range(0, len(small), MOST_WANTS):
            self._put_small(key, found.within, small[start : start + MOST_WANTS])
        for file in found.files:
            if file.size > SINGLE:
                self._put_file(f"{self.uri(key)}/{file.name}", found.within, file)
        files = [File(file.name, file.size, file.digest) for file in found.files]
        self._put_manifest(manifest, Manifest(whole=True, files=files, empty_folders=found.empty_folders), way.url)

    def _put_small(self, key: str, within: Path, files: Sequence[SourceFile]) -> None:
        uris = [f"{self.uri(key)}/{file.name}" for file in files]
        ways = self.ask([granting.put(uri, file.size, file.digest) for uri, file in zip(uris, files, strict=True)])
        done = self._threads.map(
            lambda one: self._put_file(one[0], within, one[1], one[2].url), zip(uris, files, ways, strict=True)
        )
        list(done)

    def _put_manifest(self, uri: str, manifest: Manifest, url: str) -> None:
        data = manifest.to_json()
        with _spool() as file:
            file.write(data)
            self._put_range(uri, file.fileno(), 0, len(data), "", url)

    def delete(self, key: str, spared: Sequence[str] = ()) -> None:
        self._logs.forget(checked_key(key))
        self._drop([self.uri(key)], [self.uri(one) for one in spared])

    # Logs

    def open_log(self, key: str) -> BinaryIO:
        self._own_key(key)
        return cast(BinaryIO, self._logs.open(key))

    def settle(self, key: str) -> None:
        self._logs.settle(key)

    def earlier(self, key: str) -> tuple[list[str], Callable[[BinaryIO], None]] | None:
        found = self._find(key)
        if found.missing or found.is_folder:
            return None
        names = [one.name for one in found.objects] if found.growing else []

        def fetch(file: BinaryIO) -> None:
            for piece in self._ranges(found, 0, None):
                file.write(piece)

        return names, fetch

    def drop(self, keys: list[str]) -> None:
        self._drop([self.uri(key) for key in keys])

    def give_up(self) -> None:
        """Nobody waits any more for a store that is away: what is under way fails at once."""
        self._patience.stop.set()

    def close(self) -> None:
        self.give_up()
        self._logs.close()
        self._threads.shutdown()

    # Ways

    def ask(self, wants: Sequence[Want]) -> list[Way]:
        """The ways; a want that cannot be met is an error of its own kind, told when its way is used for reading."""
        ways: list[Way] = []
        for start in range(0, len(wants), MOST_WANTS):
            batch = wants[start : start + MOST_WANTS]
            ways += self._patience.trying(lambda: self._granter.ask(batch))  # noqa: B023
        for want, way in zip(wants, ways, strict=True):
            if way.problem and not want.find:
                raise StoreError(way.problem)
        return ways

    def _find(self, key: str, *, look: bool = False) -> Found:
        uri = self.uri(key)
        way, until = self._reads.get(uri, (None, 0.0))
        if way is None or time.monotonic() > until:
            way = self.ask([granting.find(uri, look=look)])[0]
            if uri in self._reads:
                self._reads[uri] = way, time.monotonic() + VALID_S - SPARE_S
        if way.problem:
            raise AccessRefused(way.problem)
        return Found.of(uri, way)

    def _there(self, key: str, *, look: bool = False) -> Found:
        found = self._find(key, look=look)
        if found.missing:
            raise ObjectMissing(f"nothing is stored at {self.uri(key)}")
        return found

    def _twice(self, key: str, work: Callable[[], bytes]) -> bytes:
        """WORK, and again with fresh ways where those that were prepared are not good any more."""
        uri = self.uri(key)
        try:
            return work()
        except (Expired, ObjectMissing) as first:
            if isinstance(first, ObjectMissing) and str(first):
                raise
            held = self._reads.pop(uri, None)
            try:
                return work()
            except Expired as expired:
                raise refused(uri, expired) from expired
            except ObjectMissing as gone:
                raise ObjectMissing(f"nothing is stored at {uri}") from gone
            finally:
                if held is not None:
                    self._reads.setdefault(uri, (held[0], 0.0))

    def _way_to_write(self, uri: str, size: int, digest: str, *, fresh: bool) -> str:
        url, until = self._writes.pop(uri, ("", 0.0))
        if url and not fresh and time.monotonic() < until:
            return url
        along = [one for one in self._along(uri) if one != uri and one not in self._writes]
        mine, *ways = self.ask([granting.put(uri, size, digest), *(granting.put(one, 0) for one in along)])
        until = time.monotonic() + VALID_S - SPARE_S
        self._writes.update({one: (way.url, until) for one, way in zip(along, ways, strict=True)})
        return mine.url

    def _along(self, uri: str) -> list[str]:
        """What will be written soon where URI is: asking for its way too costs nothing."""
        folder, _, name = uri.rpartition("/")
        numbers = piece_numbers(name)
        if folder.rpartition("/")[0].endswith(f"{HIDDEN}/log") and numbers is not None and self._usual:
            return [f"{folder}/{piece_name(number, number)}" for number in range(numbers[0], numbers[0] + PIECES)]
        return list(self._usual) if uri in self._usual else []

    def _drop(self, uris: Sequence[str], spared: Sequence[str] = ()) -> None:
        for uri in uris:
            self._reads.pop(uri, None)
        self.ask([Want(delete=uri, spared=spared) for uri in uris])

    def _own_key(self, key: str) -> None:
        """Of what may be written."""
        checked_key(key)
        if is_hidden(key) or key.startswith(ELSEWHERE):
            raise KeyRefused(f"artifact key {key!r} holds a name that Headrace keeps for itself")


def refused(uri: str, expired: Expired) -> StoreError:
    """A way that was fresh was not good."""
    return AccessRefused(
        f"the store refuses access to {uri} ({expired}): check what the platform's keys may do there, and the clocks"
    )


@contextlib.contextmanager
def _spool() -> Iterator[BinaryIO]:
    """A file in memory."""
    descriptor = os.memfd_create("headrace") if hasattr(os, "memfd_create") else _temporary()
    with open(descriptor, "w+b", buffering=0) as file:
        yield cast(BinaryIO, file)


def _temporary() -> int:
    import tempfile

    with tempfile.TemporaryFile(buffering=0) as file:
        return os.dup(file.fileno())
