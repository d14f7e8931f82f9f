"""Whether what a hit names is still whole: there, and on request the same by its digest."""

from __future__ import annotations

import pytest

from headrace_companion.machine_store import MachineStore
from headrace_protos.v1 import events_pb2
from headrace_scheduler.verifying import checks


@pytest.fixture
def store(tmp_path):
    return MachineStore(tmp_path / "store")


def hit(store, name: str, data: bytes) -> events_pb2.Values:
    """A result with an artifact and a large value."""
    made = events_pb2.Values()
    stored = store.put_bytes(f"{name}/model", data)
    made.artifacts["model"].artifacts.add(uri=store.uri(f"{name}/model"), digest=stored.digest)
    value = store.put_bytes(f"{name}/value", data)
    made.parameters["text"].CopyFrom(events_pb2.Value(uri=store.uri(f"{name}/value"), digest=value.digest))
    return made


@pytest.mark.parametrize("how", ["none", "exists", "digest"])
async def test_what_is_whole_can_be_taken(store, how):
    assert await checks(store, how)([hit(store, "a", b"1"), events_pb2.Values()]) == ["", ""]


@pytest.mark.parametrize("name", ["model", "value"])
async def test_what_is_gone_is_named(store, name):
    one, two = hit(store, "a", b"1"), hit(store, "b", b"1")
    store.delete(f"a/{name}")
    uri = store.uri(f"a/{name}")
    assert await checks(store, "exists")([one, two]) == [f"{uri} is not there any more", ""]
    assert await checks(store, "none")([one, two]) == ["", ""]


async def test_what_was_changed_is_seen_where_digests_are_looked_at(store):
    one = hit(store, "a", b"1")
    store.put_bytes("a/model", b"2")
    assert await checks(store, "exists")([one]) == [""]
    assert await checks(store, "digest")([one]) == [f"what lies at {store.uri('a/model')} is not what was put there"]
