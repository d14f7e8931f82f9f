"""Which environments below HOME/environments go: what nobody has used for long, and the least recently used while all are
too large together. Never what an attempt uses, nor what is being made. Deciding is pure; `Environments` takes them away.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DAY: Final = 86_400.0
KEY: Final = re.compile(r"[0-9a-f]{24}")
GONE: Final = ".gone"  # below the folder: what is being deleted


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of what nobody uses stays."""

    most_bytes: int = 20 << 30
    days: float = 30.0


@dataclass(frozen=True, slots=True)
class Held:
    """An environment on the disk. Seconds since 1970; 0: it was never finished."""

    key: str
    used_at: float
    size: int
    in_use: bool


def going(held: Iterable[Held], keep: Keep, now: float) -> list[tuple[str, str]]:
    """What goes, and why, for the log."""
    them = sorted(held, key=lambda one: one.used_at)
    total = sum(one.size for one in them)
    found: list[tuple[str, str]] = []
    for one in them:
        if one.in_use:
            continue
        if not one.used_at:
            why = "was never finished"
        elif now - one.used_at > keep.days * DAY:
            why = f"was not used for {keep.days:g} days"
        elif total > keep.most_bytes:
            why = f"was used longest ago, and all together are larger than {keep.most_bytes} bytes"
        else:
            continue
        found.append((one.key, why))
        total -= one.size
    return found


def keys(folder: Path) -> list[str]:
    """The environments of a folder, whole or not."""
    return [one.name for one in folder.iterdir() if KEY.fullmatch(one.name)] if folder.is_dir() else []


def size_of(folder: Path) -> int:
    """Bytes on the disk below FOLDER; what vanishes meanwhile does not count."""
    total = 0
    for top, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(top, name)).st_blocks * 512
            except OSError:
                continue
    return total


def put_aside(folder: Path, key: str) -> None:
    """Nobody finds it any more, at once; `clear` deletes it."""
    aside = folder / GONE / uuid.uuid4().hex
    aside.parent.mkdir(exist_ok=True)
    (folder / key).rename(aside)


def clear(folder: Path) -> None:
    """Delete what was put aside, also by a platform that has ended."""
    shutil.rmtree(folder / GONE, ignore_errors=True)
