"""The differences of two packages, each with its place. Called by whoever compares; `normal` brings both into one form first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from headrace.comparing.documents import as_package
from headrace.comparing.normal import normal_platform, normal_spec

if TYPE_CHECKING:
    from headrace.comparing.documents import Comparable

_PLAIN: Final = re.compile(r"[\w/:@-]+")


class _Absent:
    """Stands for what only the other side has; None is a value."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Difference:
    """At `path` (`root.dag.tasks.train.inputs.parameters.lr`) the first package has `a`, the second has `b`."""

    path: str
    a: Any
    b: Any

    def __str__(self) -> str:
        return f"{self.path}: {self.a!r} and {self.b!r}"


def differences(a: Comparable, b: Comparable) -> list[Difference]:
    """Where A and B differ in meaning: packages, or what a package was read from (see `as_package`)."""
    one, other = as_package(a), as_package(b)
    found = list(_between("", normal_spec(one.spec), normal_spec(other.spec)))
    platforms = (normal_platform(one.platform or {}), normal_platform(other.platform or {}))
    return found + list(_between("", *platforms))


def same(a: Comparable, b: Comparable) -> bool:
    """Whether A and B mean the same."""
    return not differences(a, b)


def _between(path: str, a: Any, b: Any) -> Iterator[Difference]:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            yield from _between(_step(path, key), a.get(key, ABSENT), b.get(key, ABSENT))
    elif isinstance(a, list) and isinstance(b, list):
        for index in range(max(len(a), len(b))):
            yield from _between(f"{path}[{index}]", _at(a, index), _at(b, index))
    elif type(a) is not type(b) or a != b:
        yield Difference(path, a, b)


def _step(path: str, key: str) -> str:
    if not _PLAIN.fullmatch(key):
        return f"{path}[{key!r}]"
    return f"{path}.{key}" if path else key


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else ABSENT
