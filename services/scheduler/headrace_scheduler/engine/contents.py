"""Contents: large values that the engine makes, by reference. Pure: the reference is a function of the content, and what is
to be stored there goes out with the step, for the shell to store before it appends the step's events.

Called by drafting.py and ending.py. Reading contents back is a command (ReadValues).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from headrace_ir.references import ValueRef, digest_of, is_large, type_of_text
from headrace_ir.values import byte_length

VALUES = "values"  # the folder of a run's root that holds them


@dataclass(frozen=True, slots=True)
class Elements:
    """All elements of a stored list, as parts of another one."""

    list: ValueRef


Part: TypeAlias = "str | ValueRef | Elements"


@dataclass(frozen=True, slots=True)
class Joined:
    """A JSON list in parts: texts of elements (one or several, with their commas), stored elements, stored lists' elements."""

    parts: tuple[Part, ...]


Content: TypeAlias = "str | Joined"


def stored_text(root: str, text: str) -> ValueRef:
    """The reference to a canonical text, below the run's ROOT."""
    data = text.encode()
    digest = digest_of(data)
    return ValueRef(_uri(root, digest), len(data), digest, type_of_text(text))


def list_of(root: str, parts: Sequence[Part]) -> tuple[str | ValueRef, Content | None]:
    """A list made of PARTS: its text where all of it is known and small; else its reference and what is to be stored there."""
    if all(isinstance(part, str) for part in parts):
        text = "[" + ",".join(part for part in parts if isinstance(part, str)) + "]"
        return (stored_text(root, text), text) if is_large(text) else (text, None)
    # Of what lies in the store the digest stands for the content: equal parts make an equal list.
    known = hashlib.sha256()
    size = 2 + len(parts) - 1
    for part in parts:
        if isinstance(part, str):
            known.update(b"t" + hashlib.sha256(part.encode()).digest())
            size += byte_length(part)
        elif isinstance(part, Elements):
            known.update(b"e" + (part.list.digest or part.list.uri).encode())
            size += part.list.size - 2
        else:
            known.update(b"v" + (part.digest or part.uri).encode())
            size += part.size
    digest = "joined:" + known.hexdigest()
    return ValueRef(_uri(root, digest), size, digest, "LIST"), Joined(tuple(parts))


def joined(content: Joined, read: Callable[[str], str]) -> str:
    """The text of a list in parts; `read` gives the text at a URI."""
    return "[" + ",".join(_part(part, read) for part in content.parts) + "]"


def _part(part: Part, read: Callable[[str], str]) -> str:
    if isinstance(part, str):
        return part
    return read(part.list.uri)[1:-1] if isinstance(part, Elements) else read(part.uri)


def _uri(root: str, digest: str) -> str:
    """A name for each content, so that storing it twice is storing it once."""
    return f"{root}/{VALUES}/{digest.removeprefix('sha256:').replace(':', '-')}"
