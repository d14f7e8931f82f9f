"""`await run.tasks`: an attribute that the platform has to be asked for. Pure. Used by AsyncClient's objects."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Later(Generic[T]):
    """Asked for when it is awaited, each time anew; looking at the attribute alone costs nothing."""

    __slots__ = ("_fetch",)

    def __init__(self, fetch: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._fetch = fetch

    def __await__(self) -> Generator[Any, None, T]:
        return self._fetch().__await__()

    def __repr__(self) -> str:
        return "<await this>"
