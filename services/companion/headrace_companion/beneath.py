"""Opening what a user's process left behind without following a link out of its folder.

Every step is an openat with O_NOFOLLOW, so a path that is swapped for a link after it was looked at is still refused.
O_NONBLOCK keeps a FIFO from hanging the publisher. Called by the folder store and by publishing; knows nothing of keys.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from headrace_companion.store import SourceRefused

FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
# Folders on the way need not be readable, where the system can open them without reading.
WAY_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder found; `parent` is an open folder that holds `name`, valid while the walk stands here."""

    relative: str
    parent: int
    name: str
    is_folder: bool
    links: int


def parts_within(root: Path, path: Path) -> tuple[str, ...]:
    """The names that lead from `root` to `path`; refuses a path that leaves it."""
    absolute = os.path.normpath(path)
    base = os.path.normpath(root).rstrip(os.sep) + os.sep
    if not absolute.startswith(base) or absolute == base:
        raise SourceRefused(f"{path} lies outside the folder that the task may publish from ({root})")
    return tuple(absolute[len(base) :].split(os.sep))


@contextmanager
def folder_of(root: Path, parts: tuple[str, ...]) -> Iterator[int]:
    """An open folder beneath `root`, reached without following links."""
    current = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for depth, name in enumerate(parts):
            try:
                following = os.open(name, WAY_FLAGS, dir_fd=current)
            except FileNotFoundError:
                raise  # nothing there is no attempt to lead elsewhere
            except OSError as error:
                raise SourceRefused(refusal(current, name, "/".join(parts[: depth + 1]), error)) from error
            os.close(current)
            current = following
        yield current
    finally:
        os.close(current)


def exists(root: Path, path: Path) -> bool:
    """Whether something lies at a path beneath `root`; refuses a path that a link would lead out of it."""
    parts = parts_within(root, path)
    try:
        with folder_of(root, parts[:-1]) as parent:
            os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def kind_of(parent: int, name: str, shown: str) -> os.stat_result:
    """The stat of a regular file or folder; anything else is refused with its kind."""
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    kind = stat.S_IFMT(status.st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        raise SourceRefused(
            f"{shown!r} is {KINDS.get(kind, 'of an unknown kind')}; only regular files and folders can be published"
        )
    return status


def refusal(parent: int, name: str, shown: str, error: OSError) -> str:
    """Why a name could not be opened, for a user."""
    try:
        kind_of(parent, name, shown)
    except SourceRefused as refused:
        return str(refused)
    except OSError:
        return f"{shown!r} does not exist"
    return f"{shown!r} cannot be read: {error.strerror}"


def open_file(parent: int, name: str, shown: str) -> int:
    """A descriptor of a regular file, checked after it was opened."""
    try:
        descriptor = os.open(name, FILE_FLAGS, dir_fd=parent)
    except OSError as error:
        raise SourceRefused(refusal(parent, name, shown, error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        kind_of(parent, name, shown)
        raise SourceRefused(f"{shown!r} is not a regular file")
    return descriptor


def walk(parent: int, name: str, shown: str, relative: str = "", depth: int = 0) -> Iterator[Entry]:
    """The file or folder `name` of `parent` and all beneath it, folders before their contents, names in order."""
    status = kind_of(parent, name, shown)
    is_folder = stat.S_ISDIR(status.st_mode)
    yield Entry(relative, parent, name, is_folder, status.st_nlink)
    if not is_folder:
        return
    if depth == MAX_DEPTH:
        raise SourceRefused(f"{shown!r} is nested deeper than {MAX_DEPTH} folders")
    try:
        folder = os.open(name, FOLDER_FLAGS, dir_fd=parent)
    except OSError as error:
        raise SourceRefused(refusal(parent, name, shown, error)) from error
    try:
        for child in sorted(os.listdir(folder)):
            below = f"{relative}/{child}" if relative else child
            yield from walk(folder, child, f"{shown}/{child}", below, depth + 1)
    finally:
        os.close(folder)
