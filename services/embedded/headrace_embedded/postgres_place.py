"""Decides where the bundled Postgres lives and as whom it runs; makes its folders. Everything here blocks.

Postgres refuses to run as root. So as root it runs as the owner of its folder, for a new one `nobody`; where that user cannot
reach HOME (a home folder of mode 0700), the folder lies below SYSTEM_FOLDER and HOME/postgres is a link to it. No mode and no
owner of any folder changes but of those made here.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.settings import LONGEST_SOCKETS_FOLDER, home_hash

SYSTEM_FOLDER: Final = Path("/var/lib/headrace")
UNPRIVILEGED: Final = "nobody"


@dataclass(frozen=True, slots=True)
class Owner:
    """The unprivileged user that Postgres runs as when the platform runs as root."""

    uid: int
    gid: int
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """The real folder of one bundled Postgres and whom it belongs to; OWNER is None when that is this user."""

    root: Path
    sockets: Path
    owner: Owner | None

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def lock(self) -> Path:
        return self.root / "lock"


def find_place(home: Path) -> Place:
    """The place of HOME's Postgres, with its folders made."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _alone(home):
            root, owner = _for_root(home) if os.geteuid() == 0 else (_for_user(home), None)
            return Place(root, _sockets(root, home, owner), owner)
    except PermissionError as refused:
        raise ServiceError(
            Reason.UNAVAILABLE, f"{refused.filename} is not writable: choose another folder with HEADRACE_HOME"
        ) from refused


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One at a time for each HOME: services that start together would see each other's folders half made."""
    try:
        lock = os.open(home / "postgres.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError:
        yield  # another user's HOME: what follows says so
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _for_user(home: Path) -> Path:
    root = home / "postgres"
    if not root.exists() and not root.is_symlink():
        root.mkdir(mode=0o700)
    try:
        owner = root.stat().st_uid
    except PermissionError:
        owner = -1
    if owner != os.geteuid():
        raise ServiceError(
            Reason.UNAVAILABLE,
            f"{root} belongs to another user (made by root?): run as that user, or choose another HEADRACE_HOME",
        )
    return root.resolve()


def _for_root(home: Path) -> tuple[Path, Owner]:
    root = home / "postgres"
    if root.is_symlink():
        target = root.resolve()
        owner = _owner_of(target) if target.is_dir() else _unprivileged()
        _make(target, owner)
    elif root.is_dir():
        target, owner = root.resolve(), _owner_of(root)
        if owner.uid == 0:
            raise ServiceError(
                Reason.UNAVAILABLE,
                f"{root} belongs to root, and Postgres does not run as root: remove it, it is made anew",
            )
    else:
        target, owner = root.resolve(), _unprivileged()
        _make(target, owner)
        if not _reaches(owner, target):
            target.rmdir()
            target = _elsewhere(home, owner)
            root.symlink_to(target)
    if not _reaches(owner, target):
        raise ServiceError(
            Reason.UNAVAILABLE,
            f"user {owner.name}, as whom Postgres runs, cannot reach {target}: "
            f"move it below {SYSTEM_FOLDER} and make {root} a link to it",
        )
    return target, owner


def _unprivileged() -> Owner:
    try:
        found = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise ServiceError(
            Reason.UNAVAILABLE,
            f"Postgres does not run as root, and there is no user {UNPRIVILEGED}: "
            "run as an ordinary user, or set HEADRACE_DATABASE_URL",
        ) from None
    return Owner(found.pw_uid, found.pw_gid, found.pw_name)


def _owner_of(folder: Path) -> Owner:
    found = folder.stat()
    try:
        name = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        name = str(found.st_uid)
    return Owner(found.st_uid, found.st_gid, name)


def _make(folder: Path, owner: Owner) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True)
        os.chown(folder, owner.uid, owner.gid)


def _elsewhere(home: Path, owner: Owner) -> Path:
    SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    target = SYSTEM_FOLDER / home_hash(home)
    if target.exists():
        # No link names it: its HOME was removed and made again. Its data must not come back unasked, nor be destroyed here.
        number = 1
        while (kept := target.with_name(f"{target.name}.removed-{number}")).exists():
            number += 1
        target.rename(kept)
    _make(target, owner)
    return target


def _reaches(owner: Owner, folder: Path) -> bool:
    """Asked of the kernel, as that user: mode bits alone do not tell (ACLs, mounts)."""
    tried = subprocess.run(
        ["/bin/sh", "-c", 'cd -- "$0"', folder],
        user=owner.uid,
        group=owner.gid,
        extra_groups=[],
        cwd="/",
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return tried.returncode == 0


def _sockets(root: Path, home: Path, owner: Owner | None) -> Path:
    """A folder that only Postgres's user (and root) may enter, with a path short enough for a unix socket."""
    uid = os.geteuid() if owner is None else owner.uid
    folder = root / "socket"
    if len(os.fsencode(folder)) > LONGEST_SOCKETS_FOLDER:
        base = tempfile.gettempdir()
        base = base if len(base) <= 32 else "/tmp"  # noqa: S108  # the folder is private, and refused where it is not
        folder = Path(base) / f"headrace-pg-{uid}-{home_hash(home)}"
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
        if owner is not None:
            os.chown(folder, owner.uid, owner.gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or stat.S_IMODE(found.st_mode) != 0o700:
        raise ServiceError(Reason.UNAVAILABLE, f"{folder} is not a private folder of Postgres's user: remove it")
    return folder
