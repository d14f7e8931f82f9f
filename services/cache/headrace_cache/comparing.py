"""What differs between the ingredients of two keys, for people. Pure; called by explaining.py."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from headrace_cache.fingerprint import FIELDS

LONGEST: Final = 200  # characters of a value that is shown as it is
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Difference:
    """A field's path (`parameters.lr`, `args[2]`) with both values as texts; absent is ''."""

    path: str
    ours: str
    theirs: str


NONE: Final = Difference("", "", "")


def first_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> Difference:
    """The first field in which two canonical forms differ, by FIELDS, then by name or index; NONE where they are equal."""
    for name in FIELDS:
        found = _different(ours.get(name), theirs.get(name), name)
        if found is not None:
            return found
    return NONE


def _different(ours: Any, theirs: Any, path: str) -> Difference | None:
    if ours == theirs:
        return None
    if _is(dict, ours, theirs):
        ours, theirs = ours or {}, theirs or {}
        names = sorted(ours.keys() | theirs.keys())
        return _first(_different(ours.get(name), theirs.get(name), f"{path}.{name}") for name in names)
    if _is(list, ours, theirs):
        ours, theirs = ours or [], theirs or []
        return _first(
            _different(_at(ours, index), _at(theirs, index), f"{path}[{index}]")
            for index in range(max(len(ours), len(theirs)))
        )
    return Difference(path, shown(ours), shown(theirs))


def _is(kind: type, ours: Any, theirs: Any) -> bool:
    """Whether both are of a kind, or one is and the other is not there."""
    return all(one is None or isinstance(one, kind) for one in (ours, theirs))


def _at(values: Sequence[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def _first(found: Iterable[Difference | None]) -> Difference | None:
    return next((one for one in found if one is not None), None)


def shown(value: Any) -> str:
    """A value as a text; a long one by its size and digest."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) <= LONGEST:
        return text
    return f"{len(text):,} characters, sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def closeness(ours: dict[str, Any], theirs: dict[str, Any]) -> int:
    """How much of two canonical forms agrees: single values, at any depth."""
    return sum(_agreeing(ours.get(name), theirs.get(name)) for name in FIELDS)


def _agreeing(ours: Any, theirs: Any) -> int:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return sum(_agreeing(value, theirs.get(name)) for name, value in ours.items())
    if isinstance(ours, list) and isinstance(theirs, list):
        return sum(_agreeing(one, two) for one, two in zip(ours, theirs, strict=False))
    return int(ours is not None and ours == theirs)


def nearest(ours: dict[str, Any], others: Sequence[tuple[T, dict[str, Any]]]) -> tuple[T, dict[str, Any]] | None:
    """The one of OTHERS that agrees most; of several the first."""
    return max(others, key=lambda other: closeness(ours, other[1])) if others else None
