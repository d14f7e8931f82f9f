"""Packages that a bootstrap installs, laid down before the start and kept after success, so that no second Pod asks an index.

pip installs into a user base in the shared folder, one for each build of Python and C library, so that an image that
changed under its name installs anew. The archive is a tar of these folders. Whatever goes wrong here costs time and
nothing else: pip looks at what is there, and installs what is not. ADR 0014.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from headrace_companion import pod_layout
from headrace_companion.lightweight import PythonComponent
from headrace_companion.pod.places import Places
from headrace_companion.store import ArtifactStore, ObjectMissing, StoreError

logger = logging.getLogger(__name__)
ARCHIVE: Final = "packages.tar"
LARGEST: Final = 1 << 30  # bytes of the unpacked files that are worth keeping
MOST_FILES: Final = 100_000
RUN_REST: Final = ' && "$0" "$@"'
OUR_EXEC: Final = 'exec "$python" -m "${kfp:-headrace.runtime}" "$@"'
OUR_TARGET: Final = "said=$(install --no-deps"
# Prints the user base of this Python; fails where it has none, as in a virtual environment of its own.
_BASE: Final = (
    "import hashlib, os, site, sys, sysconfig; site.ENABLE_USER_SITE or sys.exit(1); "
    'libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else ""; '
    "told = repr((sys.version, sysconfig.get_platform(), libc)); "
    'print(sys.argv[1] + "/" + hashlib.sha256(told.encode()).hexdigest()[:16])'
)


def sharing(component: PythonComponent, argv: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """The command of a component that installs packages, with pip told to install beneath `folder`. Pure."""
    prefix = (
        f"if headrace_base=$(python3 -c '{_BASE}' {folder} 2>/dev/null); then "
        'export PYTHONUSERBASE="$headrace_base" PIP_USER=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 '
        'PATH="$headrace_base/bin:$PATH"; fi\n'
    )
    script = argv[2]
    if component.runtime is not None:
        script = script.replace(OUR_TARGET, "said=$(PIP_USER=0 install --no-deps").replace(
            OUR_EXEC, f"unset PIP_USER\n{OUR_EXEC}"
        )
    else:
        before, _, after = script.rpartition(RUN_REST)
        script = f"{before} && unset PIP_USER{RUN_REST}{after}"
    return (*argv[:2], prefix + script, *argv[3:])


class Packages:
    """One attempt's; `store` opens the one in which the archive lies."""

    def __init__(self, places: Places, store: Callable[[], ArtifactStore], uri: str) -> None:
        self._folder = places.at(pod_layout.PACKAGES)
        self._spool = places.at(pod_layout.TOP) / ARCHIVE
        self._open = store
        self._uri = uri

    def lay_down(self) -> None:
        """What an earlier task kept, if any."""
        try:
            store, key = self._place()
            store.stage(key, self._spool)
            with tarfile.open(self._spool) as archive:
                self._unpack(archive)
        except ObjectMissing:
            return
        except (OSError, StoreError, tarfile.TarError, ValueError) as error:
            logger.warning("no packages are laid down: %s", error)
        finally:
            self._spool.unlink(missing_ok=True)

    def _place(self) -> tuple[ArtifactStore, str]:
        store = self._open()
        key = store.key(self._uri)
        if key is None:
            raise StoreError(f"{self._uri} lies outside the store {store.root}")
        return store, key

    def _unpack(self, archive: tarfile.TarFile) -> None:
        """Files and folders beneath the folder, and not too many."""
        total = count = 0
        for member in archive:
            total, count = total + member.size, count + 1
            if total > LARGEST or count > MOST_FILES:
                raise ValueError("the archive is larger than any that is kept")
            self._unpack_one(archive, member)

    def _unpack_one(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """By hand: Debian's Python 3.11 has no filters for archives yet."""
        parts = member.name.split("/")
        if not (member.isreg() or member.isdir()) or {"", ".", ".."} & set(parts):
            raise ValueError(f"its entry {member.name!r} is not of a kind, or at a place, that is kept")
        target = self._folder.joinpath(*parts)
        folder = target if member.isdir() else target.parent
        folder.mkdir(parents=True, exist_ok=True)
        content = archive.extractfile(member)
        if content is None:
            folder.chmod(0o777)
            return
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)
        os.utime(target, (member.mtime, member.mtime))  # Python compares it with what it compiled
        target.chmod(0o777 if member.mode & 0o100 else 0o666)

    def installed(self) -> frozenset[str]:
        """What is there, by the names of distributions."""
        found = self._folder.glob("*/lib/python*/site-packages/*.dist-info")
        return frozenset(str(one.relative_to(self._folder)) for one in found)

    def keep(self, before: frozenset[str]) -> None:
        """Store what there is, if something was installed since."""
        now = self.installed()
        if not now - before:
            return
        try:
            with tarfile.open(self._spool, "w") as archive:
                self._pack(archive, {name.partition("/")[0] for name in now - before})
            store, key = self._place()
            store.put(key, self._spool, within=self._spool.parent)
        except (OSError, StoreError, tarfile.TarError, ValueError) as error:
            logger.warning("the packages are not kept for other tasks: %s", error)
        finally:
            self._spool.unlink(missing_ok=True)

    def _pack(self, archive: tarfile.TarFile, bases: set[str]) -> None:
        """The bases that something was installed into: those of an image as it was before are of no use any more."""
        total = count = 0
        for base in sorted(bases):
            for at, folders, files in os.walk(self._folder / base):
                folders.sort()
                for name in sorted([*folders, *files]):
                    path = Path(at) / name
                    status = path.lstat()
                    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                        continue
                    total, count = total + status.st_size, count + 1
                    if total > LARGEST or count > MOST_FILES:
                        raise ValueError(f"they are more than {LARGEST >> 20} MiB or {MOST_FILES} files")
                    archive.add(path, str(path.relative_to(self._folder)), recursive=False)
