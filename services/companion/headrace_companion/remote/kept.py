"""What was fetched, kept on the disk for the next consumer: `<folder>/<hash of the URI>/<hash of the version>/`.

An entry becomes visible by a rename, whole. What somebody is copying from is pinned; the rest goes, least recently used
first, where all together is larger than allowed. For the threads of one process; the platform's lock keeps others out.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from headrace_companion.remote.sources import shown
from headrace_companion.store import Stored

CONTENT: Final = "content"
ENTRY: Final = "entry.json"
UNFINISHED: Final = ".unfinished"


@dataclass(frozen=True, slots=True)
class Kept:
    """Content on this disk; give it back with `release` when it was copied."""

    path: Path
    stored: Stored
    version: str


class KeptContent:
    """A folder of fetched content, bounded in size."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._pins: Counter[Path] = Counter()
        self._bytes = -1  # of all entries; not counted yet

    def versions(self, uri: str) -> list[str]:
        """The versions of a URI that are here, oldest first."""
        with self._lock:  # one that goes takes the folder along, if it is the last
            entries = sorted(self._entries(self._of(uri)), key=lambda entry: entry[1])
        return [held["version"] for _, _, held in entries]

    def take(self, uri: str, version: str) -> Kept | None:
        """An entry, pinned."""
        place = self._place(uri, version)
        with self._lock:
            held = _read(place)
            if held is None:
                return None
            os.utime(place)
            self._pins[place] += 1
        stored = Stored(held["size"], held["digest"], held["is_folder"])
        return Kept(place / CONTENT, stored, version)

    def add(self, uri: str, version: str, fill: Callable[[Path], Stored]) -> Kept:
        """A new entry, pinned; FILL writes the content. What nobody can recognise again goes when it is released."""
        fresh = self._folder / UNFINISHED / uuid.uuid4().hex
        fresh.mkdir(parents=True)
        try:
            stored = fill(fresh / CONTENT)
            held = {"uri": shown(uri), "version": version, "size": stored.size}
            held |= {"digest": stored.digest, "is_folder": stored.is_folder}
            (fresh / ENTRY).write_text(json.dumps(held))
            place = self._place(uri, version or fresh.name)
            with self._lock:
                place.parent.mkdir(exist_ok=True)
                if not place.exists():
                    fresh.rename(place)
                    self._bytes += stored.size if self._bytes >= 0 else 0
                self._pins[place] += 1
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return Kept(place / CONTENT, stored, version)

    def pin(self, kept: Kept) -> Kept:
        """Another one copies from it."""
        with self._lock:
            self._pins[kept.path.parent] += 1
        return kept

    def release(self, kept: Kept) -> None:
        """The content was copied; what is too much by now goes."""
        place = kept.path.parent
        with self._lock:
            self._pins[place] -= 1
            if not self._pins[place]:
                del self._pins[place]
            if kept.version and 0 <= self._bytes <= self._most_bytes:
                return
            gone = [self._put_aside(victim) for victim in self._too_much(place if not kept.version else None)]
        for aside in gone:
            shutil.rmtree(aside, ignore_errors=True)

    def forget(self, uri: str) -> None:
        """Drop all versions of a URI that nobody copies from."""
        with self._lock:
            entries = [place for place, _, _ in self._entries(self._of(uri)) if not self._pins[place]]
            gone = [self._put_aside(place) for place in entries]
            self._bytes = -1
        for aside in gone:
            shutil.rmtree(aside, ignore_errors=True)

    def clear_unfinished(self) -> None:
        """Drop what a dead platform left half fetched."""
        shutil.rmtree(self._folder / UNFINISHED, ignore_errors=True)

    def _too_much(self, unknown: Path | None) -> list[Path]:
        """What nobody copies from and is not to be kept: of no version, or the least recently used."""
        entries = [entry for top in self._tops() for entry in self._entries(top) if not self._pins[entry[0]]]
        total = sum(held["size"] for top in self._tops() for _, _, held in self._entries(top))
        found: list[Path] = []
        for place, _, held in sorted(entries, key=lambda entry: (entry[0] != unknown, entry[1])):
            if place != unknown and total <= self._most_bytes:
                break
            found.append(place)
            total -= held["size"]
        self._bytes = total
        return found

    def _put_aside(self, place: Path) -> Path:
        aside = self._folder / UNFINISHED / uuid.uuid4().hex
        aside.parent.mkdir(exist_ok=True)
        place.rename(aside)
        with contextlib.suppress(OSError):
            place.parent.rmdir()  # of a URI that has other versions: it stays
        return aside

    def _tops(self) -> list[Path]:
        return [top for top in self._folder.iterdir() if top.name != UNFINISHED] if self._folder.is_dir() else []

    @staticmethod
    def _entries(top: Path) -> list[tuple[Path, int, dict[str, Any]]]:
        places = list(top.iterdir()) if top.is_dir() else []
        read = ((place, _read(place)) for place in places)
        return [(place, place.stat().st_mtime_ns, held) for place, held in read if held is not None]

    def _of(self, uri: str) -> Path:
        return self._folder / hashlib.sha256(uri.encode("utf-8", "surrogatepass")).hexdigest()[:40]

    def _place(self, uri: str, version: str) -> Path:
        return self._of(uri) / hashlib.sha256(version.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _read(place: Path) -> dict[str, Any] | None:
    """An entry's description; None where there is none that is whole."""
    try:
        held: dict[str, Any] = json.loads((place / ENTRY).read_text())
    except (OSError, ValueError):
        return None
    return held
