"""From what a source found to files on the disk: sizes bounded, broken transfers resumed, digests made on the way."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from headrace_companion.folder_store import combined
from headrace_companion.remote.sources import Broken, FetchFailed, Found, Limits, RemoteObject, Stopped, shown
from headrace_companion.store import Stored

T = TypeVar("T")
Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where that is known


class Download:
    """One URI's way to the disk; `stop` is set where nobody waits any more."""

    def __init__(self, uri: str, limits: Limits, stop: threading.Event, progress: Progress) -> None:
        self._uri = uri
        self._limits = limits
        self._stop = stop
        self._progress = progress
        self._total: int | None = None
        self._done = 0

    def patiently(self, work: Callable[[], T]) -> T:
        """WORK, tried again after each pause where it broke off. Raises FetchFailed with the last reason."""
        for pause in self._limits.pauses:
            try:
                return work()
            except Broken:
                if self._stop.wait(pause):
                    raise Stopped from None
        try:
            return work()
        except Broken as last:
            raise FetchFailed(f"{last} (tried {len(self._limits.pauses) + 1} times)") from last

    def to(self, place: Path, found: Found) -> Stored:
        """Everything that was found, below PLACE or as the file PLACE."""
        sizes = [one.size for one in found.objects]
        self._total = None if None in sizes else sum(size for size in sizes if size is not None)
        self._bound(self._total or 0)
        if not found.is_folder:
            return combined([("", *self._file(place, found.objects[0]))], is_folder=False)
        files: list[tuple[str, int, str]] = []
        for one in found.objects:
            target = place / one.name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                files.append((one.name, *self._file(target, one)))
            except (NotADirectoryError, FileExistsError, IsADirectoryError) as clash:
                raise FetchFailed(
                    f"{self._uri} holds both an object and a folder at {one.name!r}, which no disk can; import one of them"
                ) from clash
        return combined(files, is_folder=True)

    def _bound(self, size: int) -> None:
        if size > self._limits.most_bytes:
            raise FetchFailed(
                f"{shown(self._uri)} is larger than {self._limits.most_bytes} bytes (it has {size} or more); "
                "raise HEADRACE_IMPORT_MAX_BYTES to import it"
            )

    def _file(self, place: Path, one: RemoteObject) -> tuple[int, str]:
        with place.open("w+b") as writing:
            self.patiently(lambda: self._rest(writing, one))
            size = writing.seek(0, 2)
            writing.seek(0)
            return size, "sha256:" + hashlib.file_digest(writing, "sha256").hexdigest()

    def _rest(self, writing: BinaryIO, one: RemoteObject) -> None:
        """Go on where the file ends, or where the source can begin."""
        transfer = one.read(writing.seek(0, 2))
        self._done -= writing.tell() - transfer.start
        writing.seek(transfer.start)
        writing.truncate()
        for chunk in transfer.chunks:
            if self._stop.is_set():
                raise Stopped
            writing.write(chunk)
            self._done += len(chunk)
            self._bound(self._done)
            self._progress(self._done, self._total)
        if one.size is not None and writing.tell() < one.size:
            raise Broken(f"the transfer of {shown(self._uri)} ended after {writing.tell()} of {one.size} bytes")
