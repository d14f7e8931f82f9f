"""The artifact store in a folder (`file://`), which embedded mode uses.

A put writes under `.incoming/<random>` and renames: rename is the commit, without fsync, because an attempt whose output
a power cut took has no durable report either and runs again. Staging copies (as a reflink where the file system has
them) instead of hard-linking: an owner or root may write through any mode bits, and one consumer must not be able to
change what the next one reads.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, Self
from urllib.parse import quote, unquote, urlsplit

from headrace_companion import beneath
from headrace_companion.store import KeyRefused, Listed, ObjectMissing, SourceRefused, Stored, StoreError, checked_key

INCOMING: Final = ".incoming"
FICLONE: Final = 0x40049409
UNQUOTED: Final = "/[]#@:=+,!$&'()* ~"
NO_CLONE: Final = frozenset({errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.EPERM, errno.ENOSYS})


def folder_of_uri(uri: str) -> Path | None:
    """The absolute path that a `file://` URI names, else None. `#` and `?` are part of the path, as in S3 keys."""
    if not uri.startswith("file://"):
        return None
    rest = uri[len("file://") :]
    if rest.startswith("localhost/"):
        rest = rest[len("localhost") :]
    return Path(unquote(rest)) if rest.startswith("/") else None


class FolderStore:
    """Keys are paths beneath one folder."""

    def __init__(self, root: Path) -> None:
        self._folder = Path(os.path.abspath(root))
        self._root = "file://" + quote(str(self._folder), safe=UNQUOTED)
        self._incoming = self._folder / INCOMING

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        folder = folder_of_uri(uri)
        if folder is None:
            raise StoreError(f"{uri!r} is not a folder; write file:///absolute/path (scheme {urlsplit(uri).scheme!r})")
        return cls(folder)

    @property
    def root(self) -> str:
        return self._root

    @property
    def folder(self) -> Path:
        return self._folder

    def uri(self, key: str) -> str:
        return f"{self._root}/{quote(checked_key(key), safe=UNQUOTED)}"

    def key(self, uri: str) -> str | None:
        folder = folder_of_uri(uri)
        if folder is None or self._folder not in folder.parents:
            return None
        try:
            return checked_key(str(folder.relative_to(self._folder)))
        except KeyRefused:
            return None

    def path(self, key: str) -> Path:
        if checked_key(key).split("/", 1)[0] == INCOMING:
            raise KeyRefused(f"artifact key {key!r} begins with {INCOMING!r}, which is kept for unfinished uploads")
        return self._folder / key

    def put(self, key: str, source: Path, *, within: Path, move: bool = False) -> Stored:
        target = self.path(key)
        parts = beneath.parts_within(within, source)
        fresh = self._fresh(target)
        try:
            with beneath.folder_of(within, parts[:-1]) as parent:
                stored = _take(parent, parts[-1], "/".join(parts), fresh, move=move)
        except FileNotFoundError as error:
            _remove(fresh)
            raise SourceRefused(f"{'/'.join(parts)!r} does not exist") from error
        except BaseException:
            _remove(fresh)
            raise
        self._commit(fresh, target)
        return stored

    def put_bytes(self, key: str, data: bytes) -> Stored:
        target = self.path(key)
        fresh = self._fresh(target)
        try:
            fresh.write_bytes(data)
        except BaseException:
            _remove(fresh)
            raise
        self._commit(fresh, target)
        return Stored(len(data), "sha256:" + hashlib.sha256(data).hexdigest(), is_folder=False)

    def stage(self, key: str, target: Path) -> None:
        source = self.path(key)
        if not source.exists():
            raise ObjectMissing(f"nothing is stored at {self.uri(key)}")
        copy_privately(source, target)

    def exists(self, key: str) -> bool:
        return os.path.exists(self.path(key))  # unlike Path.exists, no error where the whole path is too long

    def describe(self, key: str) -> Stored:
        path = self.path(key)
        try:
            with beneath.folder_of(path.parent, ()) as parent:
                is_folder = path.is_dir()
                walk = beneath.walk(parent, path.name, key)
                files = [(entry.relative, *_digest(entry)) for entry in walk if not entry.is_folder]
        except FileNotFoundError as error:
            raise ObjectMissing(f"nothing is stored at {self.uri(key)}") from error
        return combined(files, is_folder=is_folder)

    def listing(self, prefix: str) -> list[Listed]:
        top = self.path(prefix)
        found: list[Listed] = []
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):  # a link to nothing, in a folder that is not ours
                    state = path.stat()
                    if stat.S_ISREG(state.st_mode):
                        found.append(Listed(self._key_of(path), state.st_size, state.st_mtime_ns // 1000))
        return sorted(found, key=lambda listed: listed.key)

    def size(self, key: str) -> int:
        try:
            return self.path(key).stat().st_size
        except FileNotFoundError as error:
            raise ObjectMissing(f"nothing is stored at {self.uri(key)}") from error

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        try:
            # Not blocking: the name may be a FIFO's, in a folder that is not ours.
            with open(self.path(key), "rb", opener=_without_waiting) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise StoreError(f"{self.uri(key)} is no regular file")
                file.seek(offset)
                return file.read() if length is None else file.read(length)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ObjectMissing(f"nothing is stored at {self.uri(key)}") from error
        except IsADirectoryError as error:
            raise StoreError(f"{self.uri(key)} is a folder; name a file in it") from error

    def delete(self, key: str, spared: Sequence[str] = ()) -> None:
        _remove_but(self.path(key), [self.path(one) for one in spared])

    def open_log(self, key: str) -> BinaryIO:
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab", buffering=0)

    def settle(self, key: str) -> None:
        """It is there: a log's file is the log."""

    def patient(self, seconds: float) -> Self:
        return self

    def close(self) -> None:
        """Nothing is on its way."""

    def _fresh(self, target: Path) -> Path:
        """A place on the target's file system, from where a rename makes it visible."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        return self._incoming / uuid.uuid4().hex

    def _key_of(self, path: Path) -> str:
        return str(path.relative_to(self._folder))

    def _commit(self, fresh: Path, target: Path) -> None:
        """Rename into place. A folder that an earlier publish of the same attempt left is put aside first."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir() or fresh.is_dir():
            aside = self._fresh(target)
            with contextlib.suppress(FileNotFoundError):
                target.rename(aside)
            fresh.rename(target)
            _remove(aside)
        else:
            fresh.replace(target)


def combined(files: list[tuple[str, int, str]], *, is_folder: bool) -> Stored:
    """Size and digest of a file, or of a folder from those of its files: (relative name, size, digest)."""
    if not is_folder:
        _, size, digest = files[0]
        return Stored(size, digest, is_folder=False)
    manifest = json.dumps(sorted(files), separators=(",", ":")).encode()
    return Stored(sum(size for _, size, _ in files), "sha256:" + hashlib.sha256(manifest).hexdigest(), is_folder=True)


def copy_privately(source: Path, target: Path) -> None:
    """A writable copy of a file or folder, sharing blocks where the file system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not source.is_dir():
        _copy_file(str(source), str(target))
        return
    if target.resolve().is_relative_to(source.resolve()):  # it would copy its own copies until a path is too long
        raise OSError(errno.EINVAL, "the folder holds the platform's own data; give one that does not")
    try:
        shutil.copytree(source, target, copy_function=_copy_file, dirs_exist_ok=True)
    except shutil.Error as error:
        failed = error.args[0]
        raise OSError(errno.EIO, failed[0][2] + (f" (and {len(failed) - 1} more)" if failed[1:] else "")) from error


def _copy_file(source: str, target: str) -> None:
    # Not blocking: the name may be a FIFO's, in a folder that is not ours.
    if not stat.S_ISREG(os.stat(source).st_mode):  # a socket cannot even be opened
        raise shutil.SpecialFileError(f"{source} is no regular file")
    with open(source, "rb", opener=_without_waiting) as reading, open(target, "wb") as writing:
        if not stat.S_ISREG(os.fstat(reading.fileno()).st_mode):
            raise shutil.SpecialFileError(f"{source} is no regular file")
        if not _clone(reading.fileno(), writing.fileno()):
            shutil.copyfileobj(reading, writing, 1 << 20)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _clone(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        if error.errno not in NO_CLONE:
            raise
        return False
    return True


def _take(parent: int, name: str, shown: str, fresh: Path, *, move: bool) -> Stored:
    """Bring one file or a whole folder to `fresh`; says what was brought."""
    files: list[tuple[str, int, str]] = []
    is_folder = False
    for entry in beneath.walk(parent, name, shown):
        place = fresh / entry.relative if entry.relative else fresh
        if entry.is_folder:
            is_folder = is_folder or not entry.relative
            place.mkdir()
        else:
            files.append((entry.relative, *_take_file(entry, place, move=move)))
    return combined(files, is_folder=is_folder)


def _take_file(entry: beneath.Entry, place: Path, *, move: bool) -> tuple[int, str]:
    descriptor = beneath.open_file(entry.parent, entry.name, entry.relative or entry.name)
    with open(descriptor, "rb") as reading:
        # A second hard link would let its holder change the stored file later, so such a file is copied.
        if move and entry.links == 1 and _rename(entry, reading, place):
            return os.fstat(descriptor).st_size, _hash(reading)
        with place.open("wb") as writing:
            if not _clone(descriptor, writing.fileno()):
                shutil.copyfileobj(reading, writing, 1 << 20)
        with place.open("rb") as copied:
            return os.fstat(copied.fileno()).st_size, _hash(copied)


def _rename(entry: beneath.Entry, reading: BufferedReader, place: Path) -> bool:
    try:
        os.rename(entry.name, place, src_dir_fd=entry.parent)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    if not os.path.samestat(os.fstat(reading.fileno()), os.lstat(place)):
        raise SourceRefused(f"{entry.relative or entry.name!r} was replaced while it was published")
    return True


def _digest(entry: beneath.Entry) -> tuple[int, str]:
    with open(beneath.open_file(entry.parent, entry.name, entry.relative), "rb") as reading:
        return os.fstat(reading.fileno()).st_size, _hash(reading)


def _hash(reading: BufferedReader) -> str:
    return "sha256:" + hashlib.file_digest(reading, "sha256").hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _remove_but(path: Path, spared: Sequence[Path]) -> None:
    """Without following links; a folder of which something is spared stays."""
    if any(one == path or one in path.parents for one in spared):
        return
    within = [one for one in spared if path in one.parents]
    if not within or path.is_symlink() or not path.is_dir():
        _remove(path)
        return
    for inside in list(path.iterdir()):
        _remove_but(inside, within)
