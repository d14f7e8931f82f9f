"""Where the parts of an artifact lie in a bucket, beside what people see there. Pure.

    a/b/model/weights.bin              the files of a folder, as their names are; an object is one file
    a/b/.headrace/folder/model         what the folder `a/b/model` is made of: written first as unfinished, last as whole
    a/b/.headrace/log/train/000001     pieces of the log `a/b/train` while it grows; `000001-000064` stands for 64 of them
    a/b/.headrace/upload/weights.bin   the unfinished upload in parts of `a/b/weights.bin`

All of it is a function of the artifact's own key, so that whoever may write the artifact needs nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

HIDDEN: Final = ".headrace"
MIB: Final = 1 << 20
SINGLE: Final = 16 * MIB  # bytes that go in one request
MOST_PARTS: Final = 10_000  # of one upload, as S3 has it
SMALLEST_PART: Final = 16 * MIB
LARGEST: Final = 5 << 40  # bytes of one object, as S3 has it
LONGEST_KEY: Final = 1024  # bytes, as S3 has it
FORMAT: Final = 1


def manifest_key(key: str) -> str:
    return _beside(key, "folder")


def pieces_key(key: str) -> str:
    return _beside(key, "log")


def upload_key(key: str) -> str:
    return _beside(key, "upload")


def _beside(key: str, kind: str) -> str:
    parent, slash, name = key.rpartition("/")
    return f"{parent}{slash}{HIDDEN}/{kind}/{name}"


def is_hidden(key: str) -> bool:
    """Whether a key is the layout's own."""
    return HIDDEN in key.split("/")


def belongs_to(path: str, keys: Iterable[str]) -> bool:
    """Whether an object is one of the keys, lies below one, or is part of what one is made of."""
    return any(
        path in (key, manifest_key(key), upload_key(key)) or path.startswith((f"{key}/", f"{pieces_key(key)}/"))
        for key in keys
    )


def part_size(size: int) -> int:
    """Bytes of each part but the last, so that there are at most MOST_PARTS."""
    needed = -(-size // MOST_PARTS)
    return max(SMALLEST_PART, -(-needed // MIB) * MIB)


def part_count(size: int) -> int:
    return -(-size // part_size(size))


@dataclass(frozen=True, slots=True)
class File:
    """One file of a folder."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder is made of."""

    whole: bool
    files: Sequence[File] = ()
    empty_folders: Sequence[str] = ()

    def to_json(self) -> bytes:
        files = [[file.name, file.size, file.digest] for file in self.files]
        held = {"format": FORMAT, "whole": self.whole, "files": files, "empty_folders": list(self.empty_folders)}
        return json.dumps(held, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Raises ValueError."""
        held = json.loads(text)
        if held["format"] != FORMAT:
            raise ValueError("it was written by another version of Headrace")
        return cls(held["whole"], [File(*one) for one in held["files"]], held["empty_folders"])


def piece_name(first: int, last: int) -> str:
    """Of the pieces FIRST to LAST in one, or of one."""
    return f"{first:06}" if first == last else f"{first:06}-{last:06}"


def piece_numbers(name: str) -> tuple[int, int] | None:
    first, _, last = name.partition("-")
    return (int(first), int(last or first)) if first.isdigit() and (last or first).isdigit() else None


def in_order(names: Iterable[str]) -> list[str]:
    """The pieces that make up a log, each content once: one that stands for many is as good as they are."""
    known = [(numbers, name) for name in names if (numbers := piece_numbers(name)) is not None]
    chosen: list[str] = []
    reached = 0
    for (first, last), name in sorted(known, key=lambda one: (one[0][0], -one[0][1])):
        if first == reached + 1:
            chosen.append(name)
            reached = last
        elif first > reached + 1:
            break  # a piece is not there yet, or no more: what follows would be read in its place
    return chosen
