"""What the blocking face's generated classes share: an object of the asyncio face, and the thread that it runs on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from headrace.api.runner import Runner

T = TypeVar("T")


class Face(Generic[T]):
    """The same object without `await`."""

    def __init__(self, inner: T, runner: Runner) -> None:
        self._inner = inner
        self._runner = runner

    def __repr__(self) -> str:
        return repr(self._inner)


def inner(value: Any) -> Any:
    """The asyncio face of one of ours; anything else as it is."""
    return value._inner if isinstance(value, Face) else value


def inner_values(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The same of each value."""
    if not isinstance(values, Mapping):
        return values  # None, or a mistake, which the client tells of
    return {name: inner(value) for name, value in values.items()}
