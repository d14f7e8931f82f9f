"""The store of a platform whose tasks run on its machine: its own folder, and every other one by its URI."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace_companion.machine_store import MachineStore
from headrace_companion.store import KeyRefused, ObjectMissing


@pytest.fixture
def store(tmp_path: Path) -> MachineStore:
    return MachineStore(tmp_path / "own")


def test_its_own_folder_is_as_in_any_folder_store(store: MachineStore) -> None:
    assert store.key(store.uri("run/a")) == "run/a"
    store.put_bytes("run/a", b"1")
    assert (store.folder / "run" / "a").read_bytes() == b"1"


def test_a_folder_elsewhere_is_reached_by_its_uri(store: MachineStore, tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/runs #1/a%20b"
    key = store.key(uri)
    assert key is not None
    assert store.uri(key) == f"file://{tmp_path}/runs #1/a b"
    stored = store.put_bytes(key, b"hello")
    assert (tmp_path / "runs #1" / "a b").read_bytes() == b"hello"
    assert stored == store.describe(key)
    assert store.exists(key)
    assert store.read(key, 1, 3) == b"ell"
    parent = key.rpartition("/")[0]
    assert [(one.key, one.size) for one in store.listing(parent)] == [(key, 5)]


def test_what_is_put_elsewhere_is_visible_at_once_and_leaves_nothing_behind(
    store: MachineStore, tmp_path: Path
) -> None:
    source = tmp_path / "work" / "tree"
    (source / "below").mkdir(parents=True)
    (source / "below" / "f").write_bytes(b"x")
    key = store.key(f"file://{tmp_path}/runs/tree")
    assert key is not None
    for _ in range(2):
        stored = store.put(key, source, within=tmp_path / "work")
    assert (stored.is_folder, stored.size) == (True, 1)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["tree"]
    target = tmp_path / "copy"
    store.stage(key, target)
    (target / "below" / "f").write_bytes(b"changed")
    assert store.read(f"{key}/below/f") == b"x"


@pytest.mark.parametrize("uri", ["gs://b/k", "file://host/x", "file:///a/../b", "file:///", "file:///a//b\0"])
def test_what_is_no_folder_has_no_key(store: MachineStore, uri: str) -> None:
    assert store.key(uri) is None


def test_its_own_root_and_unfinished_uploads_have_none_either(store: MachineStore) -> None:
    assert store.key(store.root) is None
    assert store.key(f"{store.root}/../own/x") is None
    with pytest.raises(KeyRefused):
        store.read(".incoming/x")


def test_nothing_there_is_missing(store: MachineStore, tmp_path: Path) -> None:
    with pytest.raises(ObjectMissing, match="nothing is stored at file://"):
        store.read(f":{tmp_path}/nothing")
