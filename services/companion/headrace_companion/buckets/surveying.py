"""What is about to be published: every file with size and digest, found without following links. Blocking.

A file is hashed first and sent later, maybe by another thread: it is opened again the same careful way, and must not have
changed since. Called by granted_store.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from headrace_companion import beneath
from headrace_companion.buckets.layout import HIDDEN
from headrace_companion.buckets.transferring import digest_of
from headrace_companion.folder_store import combined
from headrace_companion.store import SourceRefused, Stored


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file; `name` is its path in the folder, "" where it is the whole."""

    name: str
    parts: tuple[str, ...]  # from the folder that the task may publish from
    size: int
    digest: str
    state: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Survey:
    """A file or folder, and how it is described once it is stored."""

    within: Path
    files: Sequence[SourceFile]
    empty_folders: Sequence[str]
    is_folder: bool

    @property
    def stored(self) -> Stored:
        return combined([(file.name, file.size, file.digest) for file in self.files], is_folder=self.is_folder)


def survey(within: Path, source: Path) -> Survey:
    """Raises SourceRefused."""
    parts = beneath.parts_within(within, source)
    files: list[SourceFile] = []
    folders: set[str] = set()
    filled: set[str] = set()
    is_folder = False
    try:
        with beneath.folder_of(within, parts[:-1]) as parent:
            for entry in beneath.walk(parent, parts[-1], "/".join(parts)):
                filled.add(entry.relative.rpartition("/")[0])
                if HIDDEN in entry.relative.split("/"):
                    raise SourceRefused(
                        f"{entry.relative!r} holds {HIDDEN!r}, a name that Headrace keeps in artifact stores"
                    )
                if entry.is_folder:
                    is_folder = is_folder or not entry.relative
                    folders.add(entry.relative)
                else:
                    files.append(_file(entry, parts))
    except FileNotFoundError as error:
        raise SourceRefused(f"{'/'.join(parts)!r} does not exist") from error
    return Survey(within, files, sorted(folders - filled - {""}), is_folder)


def _file(entry: beneath.Entry, parts: tuple[str, ...]) -> SourceFile:
    descriptor = beneath.open_file(entry.parent, entry.name, entry.relative or entry.name)
    try:
        here = (*parts, *entry.relative.split("/")) if entry.relative else parts
        digest = digest_of(descriptor)
        return SourceFile(entry.relative, here, os.fstat(descriptor).st_size, digest, _state(descriptor))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def opened(within: Path, file: SourceFile) -> Iterator[int]:
    """A descriptor of the file as it was surveyed. Raises SourceRefused where it is another one by now."""
    shown = "/".join(file.parts)
    with beneath.folder_of(within, file.parts[:-1]) as parent:
        descriptor = beneath.open_file(parent, file.parts[-1], shown)
    try:
        if _state(descriptor) != file.state:
            raise SourceRefused(f"{shown!r} changed while it was published")
        yield descriptor
    finally:
        os.close(descriptor)


def remove(within: Path, files: Sequence[SourceFile]) -> None:
    """Drop what is stored by now; what is gone or no longer ours to remove stays so."""
    for file in files:
        with contextlib.suppress(OSError, SourceRefused), beneath.folder_of(within, file.parts[:-1]) as parent:
            os.unlink(file.parts[-1], dir_fd=parent)


def _state(descriptor: int) -> tuple[int, int, int]:
    state = os.fstat(descriptor)
    return state.st_ino, state.st_size, state.st_mtime_ns
