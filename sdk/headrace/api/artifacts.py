"""AsyncArtifact: what a task put out or was given, with its bytes. The platform reads them; no store's key is needed here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from headrace.errors import BadInput
from headrace.models import Artifact as Record
from headrace.models import ArtifactFile

if TYPE_CHECKING:
    from headrace.api.calls import Calls
    from headrace.provenance import Direction, Lineage

MOST_BYTES: Final = 64 << 20  # that `read` puts into memory unless it is told otherwise
SHOWN_BYTES: Final = 1 << 20  # of a page or text that a notebook shows


class AsyncArtifact:
    """One artifact. A folder has several files: `files` lists them, and each is read by its name."""

    def __init__(self, calls: Calls, run_id: str, record: Record, *, given: bool = False) -> None:
        self._calls = calls
        self._run_id = run_id
        self._given = given
        self._record = record

    @property
    def record(self) -> Record:
        """What the platform says of it, as one plain value."""
        return self._record

    @property
    def id(self) -> str:
        """Its UUID."""
        return self._record.artifact_id

    @property
    def name(self) -> str:
        """Of the output or input that it is."""
        return self._record.name

    @property
    def task(self) -> str:
        """The task's path; "" of what the run itself puts out."""
        return self._record.task

    @property
    def type(self) -> str:
        """Such as `system.Model`."""
        return self._record.type

    @property
    def uri(self) -> str:
        """Where it lies."""
        return self._record.uri

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What its task wrote down about it; the figures of metrics are here."""
        return self._record.metadata

    @property
    def size(self) -> int:
        """Bytes, of a folder all its files'; 0 where it is not known."""
        return self._record.size

    @property
    def digest(self) -> str:
        """`sha256:…` of its content; "" where it is not known."""
        return self._record.digest

    async def files(self) -> list[ArtifactFile]:
        """The files that it consists of."""
        return await self._calls.artifact_files(self._run_id, self._record, given=self._given)

    def stream(self, file: str = "", *, offset: int = 0, limit: int = 0) -> AsyncIterator[bytes]:
        """The bytes in chunks, from OFFSET on; LIMIT 0 = to the end. FILE names one file of a folder."""
        return self._calls.artifact_bytes(
            self._run_id, self._record, file, offset=offset, limit=limit, given=self._given
        )

    async def read(self, file: str = "", *, limit: int = MOST_BYTES) -> bytes:
        """All its bytes. BadInput above LIMIT, so that nobody fills the memory by accident: `download` and `open` have none."""
        parts, size = list[bytes](), 0
        async for part in self.stream(file, limit=limit + 1):
            parts.append(part)
            size += len(part)
        if size > limit:
            raise BadInput(
                f"{self._called(file)} has more than {limit} bytes; use download() or open(), or a higher limit"
            )
        return b"".join(parts)

    def open(self, file: str = "") -> AsyncArtifactFile:
        """Its bytes as a file that is read from the platform piece by piece."""
        return AsyncArtifactFile(self, file)

    async def download(self, path: str | Path) -> Path:
        """Copy it to PATH, a folder with all its files; into PATH where that is a folder already. What is there is replaced when
        the last byte has come; BadInput where that is no file or folder, or a folder and the artifact a file.
        """
        files = await self.files()
        is_folder = not (len(files) == 1 and not files[0].name)
        target = Path(path)
        if await asyncio.to_thread(target.is_dir):
            target = target / _last_name(self._record)
        await asyncio.to_thread(_check_place, target, is_folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".headrace-{uuid.uuid4().hex}")
        try:
            if is_folder:
                fresh.mkdir()
            for one in files:
                place = fresh.joinpath(*_safe(one.name).parts) if is_folder else fresh
                await self._copy(one.name, place)
            await asyncio.to_thread(_replace, fresh, target)
        finally:
            await asyncio.to_thread(_remove, fresh)
        return target

    async def lineage(self, *, direction: Direction = "both", hops: int = 0) -> Lineage:
        """What it was made of (`up`) and what was made of it (`down`), across runs, HOPS tasks away (0: 5)."""
        from headrace.api.provenance import AsyncArtifacts

        return await AsyncArtifacts(self._calls.connection).lineage(self.id, direction=direction, hops=hops)

    async def _copy(self, file: str, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as writing:
            async for part in self.stream(file):
                await asyncio.to_thread(writing.write, part)

    def _called(self, file: str = "") -> str:
        where = f"{self.task}/{self.name}" if self.task else self.name
        return f"{where} ({file})" if file else where

    def __repr__(self) -> str:
        return f"<{type(self).__name__.removeprefix('Async')} {self._called()} ({self.type}) {self.uri}>"

    async def _html(self) -> str:
        """For a notebook: its figures as a table, a page in a frame of its own, text as text."""
        from headrace.api import html

        content: str | None = None
        if self.type in html.SHOWN_WHOLE:
            content = (await self.read(limit=SHOWN_BYTES)).decode(errors="replace")
        return html.artifact(self._record, content)


class AsyncArtifactFile:
    """A file of an artifact, read by ranges; nothing is kept."""

    def __init__(self, artifact: AsyncArtifact, file: str) -> None:
        self._artifact = artifact
        self._file = file
        self._position = 0
        self._size: int | None = None

    async def __aenter__(self) -> AsyncArtifactFile:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    async def size(self) -> int:
        """Bytes of the file; asked for once."""
        if self._size is None:
            found = {one.name: one.size for one in await self._artifact.files()}
            if self._file not in found:
                names = ", ".join(sorted(found)[:5]) or "none"
                raise BadInput(f"{self._artifact!r} has no file {self._file!r}; it has {names}")
            self._size = found[self._file]
        return self._size

    async def read(self, size: int = -1) -> bytes:
        """At most SIZE bytes, fewer only at the end; all the rest where it is negative."""
        if size == 0:
            return b""
        limit = max(size, 0)
        parts = [part async for part in self._artifact.stream(self._file, offset=self._position, limit=limit)]
        data = b"".join(parts)
        self._position += len(data)
        return data

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file's own."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence)
        if start is None:
            start = await self.size()
        if start + offset < 0:
            raise BadInput(f"cannot seek to {start + offset}, before the file's begin")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position


def _last_name(record: Record) -> str:
    """What a download into a folder is called."""
    return PurePosixPath(record.uri.rstrip("/")).name or record.name


def _safe(name: str) -> PurePosixPath:
    """A file's path in a folder artifact; nothing that leads out of it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BadInput(
            f"the artifact has a file named {name!r}, which would lie outside its folder; it is not downloaded"
        )
    return path


def _check_place(target: Path, is_folder: bool) -> None:
    """BadInput for what a download must not replace: a device, a pipe, by a file a folder."""
    if target.is_dir():
        if not is_folder:
            raise BadInput(f"{target} is a folder already; name another place, or move it away")
    elif target.exists() and not target.is_file():
        raise BadInput(f"{target} is neither a file nor a folder; name another place")


def _replace(fresh: Path, target: Path) -> None:
    if fresh.is_dir() and target.exists():
        _remove(target)
    fresh.replace(target)


def _remove(path: Path) -> None:
    import shutil

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
