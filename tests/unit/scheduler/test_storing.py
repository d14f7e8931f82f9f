"""Large values and a store that fails: tried again for a while, then the run is told why."""

from __future__ import annotations

from typing import Any, cast

import pytest

from headrace_companion.store import ArtifactStore
from headrace_scheduler.storing import Contents, Unstorable


class Full:
    """A store on a full disk, until it has been asked often enough."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.kept: dict[str, bytes] = {}

    def key(self, uri: str) -> str:
        return uri

    def exists(self, key: str) -> bool:
        return key in self.kept

    def put_bytes(self, key: str, data: bytes) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError(28, "No space left on device")
        self.kept[key] = data


async def test_a_store_that_recovers_costs_no_run():
    store = Full(failures=1)
    await Contents(cast(ArtifactStore, store)).put({"file:///v": "[1]"})
    assert store.kept == {"file:///v": b"[1]"}


async def test_a_store_that_stays_full_fails_the_run_with_the_reason():
    store: Any = Full(failures=1_000)
    with pytest.raises(
        Unstorable, match=r"its values cannot be stored: .*space.*; retry the run once the store can"
    ) as told:
        await Contents(store, patience_s=0).put({"file:///v": "[1]"})
    assert told.value.reason == "Internal"
