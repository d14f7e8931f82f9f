"""Packages that a bootstrap installs, laid down before the start and kept after success, so that no second Pod asks an index.

pip installs into a user base in the shared folder, one for each build of Python and C library, so that an image that
changed under its name installs anew. The archive is a tar of these folders, and of a note of all the distributions that were
there when pip was done: where a later Pod's Python sees the same, pip has nothing to do and is not started. Whatever goes
wrong here costs time and nothing else: pip looks at what is there, and installs what is not. ADR 0014.
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
from headrace_companion.lightweight import RUN_REST, PythonComponent
from headrace_companion.pod.places import Places
from headrace_companion.store import ArtifactStore, ObjectMissing, StoreError

logger = logging.getLogger(__name__)
ARCHIVE: Final = "packages.tar"
LARGEST: Final = 1 << 30  # bytes of the unpacked files that are worth keeping
MOST_FILES: Final = 100_000
OUR_EXEC: Final = 'exec "$python" -m "${kfp:-headrace.runtime}" "$@"'
OUR_TARGET: Final = "said=$(install --no-deps"
OUR_INSTALL: Final = 'if [ "$packages" ]; then'
PRIVATE: Final = "-m venv"  # KFP's use_venv: the environment is the author's wish, so pip fills it each time
# What pip looks up again each time by its own rules: an address, a path.
_ELSEWHERE: Final = ("/", "@")
# Prints the user base of this Python, and whether it sees the very distributions that it saw when pip was last done; given a
# word more, notes that it is. Fails where there is no user base, as in a virtual environment of its own.
_SEE: Final = """import hashlib, os, site, sys, sysconfig
if not site.ENABLE_USER_SITE: sys.exit(1)
libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else ""
build = repr((sys.version, sysconfig.get_platform(), libc))
base = sys.argv[1] + "/" + hashlib.sha256(build.encode()).hexdigest()[:16]
ours = sysconfig.get_path("purelib", "posix_user", {"userbase": base})
places = {*sys.path[1:]} - {site.getusersitepackages()} | {ours}
kinds = (".dist-info", ".egg-info", ".egg-link")
seen = {one for place in places if os.path.isdir(place) for one in os.listdir(place) if one.endswith(kinds)}
now = hashlib.sha256(repr(sorted(seen)).encode()).hexdigest()
note = os.path.join(base, "satisfied")
if sys.argv[2:]:
    os.makedirs(base, exist_ok=True)
    open(note, "w").write(now)
else:
    print(base + ":" + ("same" if os.path.exists(note) and open(note).read() == now else ""))
"""


def sharing(component: PythonComponent, argv: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """The command of a component that installs packages, with pip told to install beneath `folder`, and left out where what
    it left there, and in the image, is as it was. Pure.
    """
    prefix = (
        f"headrace_see='{_SEE}'\n"
        f'if headrace_base=$(python3 -c "$headrace_see" {folder} 2>/dev/null); then '
        "headrace_same=${headrace_base##*:} headrace_base=${headrace_base%:*}; "
        'export PYTHONUSERBASE="$headrace_base" PIP_USER=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 '
        'PATH="$headrace_base/bin:$PATH"; fi\n'
    )
    script = argv[2]
    kept = not any(mark in one for install in component.installs for one in install.requirements for mark in _ELSEWHERE)
    known = '[ -z "${headrace_base:-}" ]' + (' || [ "${headrace_same:-}" ]' if kept else "")
    note = f'{{ {known} || python3 -c "$headrace_see" {folder} done 2>/dev/null || true; }}'
    if component.runtime is not None:
        script = script.replace(OUR_TARGET, "said=$(PIP_USER=0 install --no-deps")
        script = script.replace(OUR_EXEC, f"{note}\nunset PIP_USER\n{OUR_EXEC}")
        if kept:
            script = script.replace(OUR_INSTALL, 'if [ "$packages" ] && ! [ "${headrace_same:-}" ]; then')
    else:
        before, _, after = script.rpartition(RUN_REST)
        if kept and PRIVATE not in script:
            prefix += 'if [ "${headrace_same:-}" ]; then unset PIP_USER; exec "$0" "$@"; fi\n'
        script = f"{before} && {note} && unset PIP_USER{RUN_REST}{after}"
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
        """What is there, by the names of distributions, and what pip was done with."""
        found = self._folder.glob("*/lib/python*/site-packages/*.dist-info")
        notes = {f"{one.parent.name}/{_note(one)}" for one in self._folder.glob("*/satisfied")}
        return frozenset(str(one.relative_to(self._folder)) for one in found) | notes

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


def _note(path: Path) -> str:
    """The start of a file that user code may have put there instead: a link is not followed, a pipe not waited for."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(opened, "rb") as file:
        return file.read(100).hex() if stat.S_ISREG(os.fstat(opened).st_mode) else ""
