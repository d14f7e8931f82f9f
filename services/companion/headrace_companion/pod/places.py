"""The shared folder of a Pod, seen from the companion: where things lie, and files that are there whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from headrace_companion import pod_layout
from headrace_companion.assignment import Folders

LARGEST_SAID = 1 << 16  # bytes of a file that the shim writes for us; user code could have written it


@dataclass(frozen=True, slots=True)
class Places:
    """`top` stands for pod_layout.TOP, where this is no Pod."""

    top: Path = pod_layout.TOP

    def at(self, place: Path) -> Path:
        """A place of pod_layout."""
        return self.top / place.relative_to(pod_layout.TOP)

    @property
    def attempt(self) -> Folders:
        return Folders(self.at(pod_layout.ATTEMPT))

    def make(self) -> None:
        """The folders that both containers write in, whatever their users, and the one of this."""
        for place in (pod_layout.CONTROL, pod_layout.ATTEMPT, pod_layout.PACKAGES):
            folder = self.at(place)
            folder.mkdir(parents=True, exist_ok=True)
            if folder.stat().st_uid == os.geteuid():
                folder.chmod(0o777)
        self.at(pod_layout.SPOOL).mkdir(mode=0o700, exist_ok=True)

    def has(self, place: Path) -> bool:
        return self.at(place).exists()

    def say(self, place: Path, content: bytes = b"") -> None:
        """Write a file of CONTROL."""
        path = self.at(place)
        beside = path.with_name(f"{path.name}.companion")
        beside.unlink(missing_ok=True)
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb") as file:
            file.write(content)
        beside.replace(path)

    def heard(self, place: Path, limit: int = LARGEST_SAID) -> bytes:
        """A file of CONTROL; never more than LIMIT bytes, and no link."""
        with open(os.open(self.at(place), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read(limit)
