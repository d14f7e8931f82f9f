"""All stores of a platform as one: each URI goes to the store whose root holds it.

Keys of the default store are its own; those of the n-th other store are `:n/` and its own. With one store alone, keys
are what they always were. Blocking, as the stores are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from headrace_companion.store import ArtifactStore, KeyRefused, Listed, Stored, checked_key
from headrace_scheduler.stores.areas import Area, Areas


class Stores:
    """An ArtifactStore over several; `areas` says whose they are, in the same order."""

    def __init__(self, default: ArtifactStore, others: Sequence[ArtifactStore], areas: Areas) -> None:
        self.all = (default, *others)
        self.areas = areas

    def store_of(self, area: Area) -> ArtifactStore:
        return self.all[self.areas.areas.index(area)]

    @property
    def default(self) -> ArtifactStore:
        return self.all[0]

    @property
    def root(self) -> str:
        return self.default.root

    def patient(self, seconds: float) -> Stores:
        default, *others = (store.patient(seconds) for store in self.all)
        return Stores(default, others, self.areas)

    def is_own(self, uri: str) -> bool:
        """Whether it lies beneath one of the roots; folders elsewhere on this machine do not."""
        return self.areas.of(uri) is not None

    def uri(self, key: str) -> str:
        store, own = self._at(key)
        return store.uri(own)

    def key(self, uri: str) -> str | None:
        area = self.areas.of(uri)
        number = self.areas.areas.index(area) if area is not None else 0
        key = self.all[number].key(uri)
        if key is None:
            return None
        return f":{number}/{key}" if number or _is_numbered(key) else key

    def put(self, key: str, source: Path, *, within: Path, move: bool = False) -> Stored:
        store, own = self._at(key)
        return store.put(own, source, within=within, move=move)

    def put_bytes(self, key: str, data: bytes) -> Stored:
        store, own = self._at(key)
        return store.put_bytes(own, data)

    def stage(self, key: str, target: Path) -> None:
        store, own = self._at(key)
        store.stage(own, target)

    def exists(self, key: str) -> bool:
        store, own = self._at(key)
        return store.exists(own)

    def describe(self, key: str) -> Stored:
        store, own = self._at(key)
        return store.describe(own)

    def listing(self, prefix: str) -> list[Listed]:
        store, own = self._at(prefix)
        before = prefix[: len(prefix) - len(own)]
        return [replace(one, key=before + one.key) for one in store.listing(own)]

    def size(self, key: str) -> int:
        store, own = self._at(key)
        return store.size(own)

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        store, own = self._at(key)
        return store.read(own, offset, length)

    def delete(self, key: str, spared: Sequence[str] = ()) -> None:
        store, own = self._at(key)
        others = [self._at(one) for one in spared]
        store.delete(own, [there for other, there in others if other is store])

    def open_log(self, key: str) -> BinaryIO:
        store, own = self._at(key)
        return store.open_log(own)

    def settle(self, key: str) -> None:
        store, own = self._at(key)
        store.settle(own)

    def give_up(self) -> None:
        """The platform ends: nobody waits any more for a store that is away."""
        for store in self.all:
            give_up = getattr(store, "give_up", None)  # a folder is never away
            if give_up is not None:
                give_up()

    def close(self) -> None:
        for store in self.all:
            store.close()

    def _at(self, key: str) -> tuple[ArtifactStore, str]:
        """The store of a key, and the key there."""
        if not _is_numbered(key):
            return self.default, key
        number, _, own = key[1:].partition("/")
        if int(number) >= len(self.all):
            raise KeyRefused(f"artifact key {key!r} names a store that is not there")
        return self.all[int(number)], checked_key(own)


def _is_numbered(key: str) -> bool:
    first = key.partition("/")[0]
    return first[:1] == ":" and first[1:].isdigit()
