"""Where things lie: which places are within which, and whose. Pure; URIs as texts, `/` between levels."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


def is_within(uri: str, place: str) -> bool:
    """Whether it is the place, or lies below it."""
    place = place.rstrip("/")
    return uri.rstrip("/") == place or uri.startswith(f"{place}/")


def above(uri: str) -> Iterator[str]:
    """The folders that it lies in, the nearest first."""
    at = uri.rstrip("/")
    while "/" in at:
        at = at.rpartition("/")[0].rstrip("/")
        if "://" not in at:
            return
        yield at


def folder_of(uri: str, run_id: str) -> str:
    """The run's own folder, where the URI lies in it; "" where it does not."""
    before, found, after = uri.partition(f"/{run_id}/")
    return f"{before}/{run_id}" if found and after.strip("/") and "://" in before else ""


def run_of(uri: str, run_ids: Container[str]) -> str:
    """Which of the runs has the URI in its own folder; "" where it lies in none's."""
    names = (folder.rpartition("/")[2] for folder in above(uri))
    return next((name for name in names if name in run_ids and folder_of(uri, name)), "")


class Uses(Generic[T]):
    """Who uses which places, found by what touches a place."""

    def __init__(self, uses: Iterable[tuple[str, T]]) -> None:
        self._users: dict[str, list[T]] = {}
        for uri, user in uses:
            self._users.setdefault(uri.rstrip("/"), []).append(user)
        self._sorted: Sequence[str] = sorted(self._users)

    def of(self, place: str) -> list[T]:
        """The users of the place, of what lies in it, and of the folders that it lies in."""
        place = place.rstrip("/")
        found = list(self._users.get(place, ()))
        for folder in above(place):
            found += self._users.get(folder, ())
        start = bisect_left(self._sorted, f"{place}/")
        for uri in self._sorted[start:]:
            if not uri.startswith(f"{place}/"):
                break
            found += self._users[uri]
        return found
