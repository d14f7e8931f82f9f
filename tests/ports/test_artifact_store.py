"""The artifact store port: what every store promises. A new store joins `STORES`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from builders.granted import granted_store
from builders.stores import s3_store
from headrace_companion.folder_store import FolderStore
from headrace_companion.store import ArtifactStore, KeyRefused, ObjectMissing, SourceRefused

Opened = AbstractContextManager[ArtifactStore]
STORES: dict[str, Callable[[Path, pytest.FixtureRequest], Opened]] = {
    "folder": lambda path, _: closing(FolderStore(path / "store #1 [x]")),
    "granted": lambda path, request: granted_store(request.getfixturevalue("s3"), path.name),
    "s3": lambda path, request: closing(s3_store(request.getfixturevalue("s3"), path.name)),
}


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArtifactStore]:
    with STORES[request.param](tmp_path, request) as made:
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def test_a_key_and_its_uri_are_one_to_one(store: ArtifactStore) -> None:
    for key in ("a", "run/for-loop-1[3]/train/1/model.h5", "100% of ümlauts?/x"):
        assert store.key(store.uri(key)) == key
    for uri in ("gs://bucket/x", store.root, store.root + "/", store.root + "/../x", "file:///etc/passwd"):
        assert store.key(uri) is None


@pytest.mark.parametrize("key", ["", "/a", "a//b", "../a", "a/../b", "a/.", "a\0b", "a/" + "n" * 256])
def test_keys_that_escape_are_refused(store: ArtifactStore, key: str) -> None:
    with pytest.raises(KeyRefused):
        store.put_bytes(key, b"")
    with pytest.raises(KeyRefused):
        store.read(key)


@pytest.mark.parametrize("move", [False, True])
def test_a_file_is_stored_with_size_and_digest(store: ArtifactStore, source: Path, move: bool) -> None:
    (source / "file").write_bytes(b"hello")
    stored = store.put("run/file", source / "file", within=source, move=move)
    assert stored == store.describe("run/file") == store.put_bytes("other", b"hello")
    assert (stored.size, stored.is_folder, stored.digest[:11]) == (5, False, "sha256:2cf2")
    assert store.read("run/file", 1, 3) == b"ell"
    assert (source / "file").exists() is not move


@pytest.mark.parametrize("move", [False, True])
def test_a_folder_is_stored_and_replaced_as_a_whole(store: ArtifactStore, source: Path, move: bool) -> None:
    for content in (b"1", b"2"):
        tree = source / f"tree{content!r}"
        (tree / "below").mkdir(parents=True)
        (tree / "below" / content.decode()).write_bytes(content)
        stored = store.put("run/tree", tree, within=source, move=move)
        assert stored == store.describe("run/tree")
        assert [one.key for one in store.listing("run/tree")] == [f"run/tree/below/{content.decode()}"]
    assert stored.is_folder


def test_a_staged_copy_is_private(store: ArtifactStore, source: Path) -> None:
    store.put_bytes("run/file", b"kept")
    store.stage("run/file", source / "copy")
    (source / "copy").write_bytes(b"spoilt")
    assert store.read("run/file") == b"kept"


@pytest.mark.parametrize("move", [False, True])
def test_links_and_special_files_are_refused_and_nothing_is_stored(
    store: ArtifactStore, source: Path, move: bool
) -> None:
    (source / "target").write_bytes(b"secret")
    (source / "link").symlink_to(source / "target")
    (source / "folder").mkdir()
    (source / "folder" / "inner").symlink_to("/etc/passwd")
    (source / "away").symlink_to("/etc")
    os.mkfifo(source / "fifo")
    for path in ("link", "folder", "fifo", "away/passwd", "nothing", "../source/target/../../x"):
        with pytest.raises(SourceRefused):
            store.put("run/x", source / path, within=source, move=move)
        assert not store.exists("run/x")


def test_a_hard_link_is_copied_even_when_moving(store: ArtifactStore, source: Path) -> None:
    (source / "file").write_bytes(b"kept")
    os.link(source / "file", source / "other")
    store.put("run/file", source / "file", within=source, move=True)
    (source / "other").write_bytes(b"spoilt")
    assert store.read("run/file") == b"kept"


def test_what_is_not_there(store: ArtifactStore, source: Path) -> None:
    store.delete("run/nothing")
    for work in (store.read, store.size, store.describe):
        with pytest.raises(ObjectMissing, match="nothing is stored at"):
            work("run/nothing")
    with pytest.raises(ObjectMissing):
        store.stage("run/nothing", source / "copy")
    assert not store.exists("/".join(["n" * 200] * 30))


def test_a_log_is_readable_while_it_grows(store: ArtifactStore) -> None:
    with store.open_log("run/log") as log:
        log.write(b"one\n")
        assert store.read("run/log") == b"one\n"
        log.write(b"two\n")
        assert store.read("run/log", store.size("run/log") - 4) == b"two\n"
    store.delete("run/log")
    assert not store.exists("run/log")


def test_what_is_spared_stays_when_the_rest_of_a_folder_goes(store: ArtifactStore, source: Path) -> None:
    (source / "model" / "below").mkdir(parents=True)
    (source / "model" / "below" / "weights").write_bytes(b"kept")
    store.put("run/train/1/model", source / "model", within=source)
    for key in ("run/train/1/report", "run/train/1/models", "run/train/2/model", "run/values/a", "run/values/b"):
        store.put_bytes(key, b"x")
    with store.open_log("run/train/1/executor-logs") as log:
        log.write(b"said")
    whole = store.describe("run/train/1/model")
    for _ in range(2):
        store.delete("run", ["run/train/1/model", "run/values/b", "other/place"])
        assert store.describe("run/train/1/model") == whole
        assert store.read("run/values/b") == b"x"
        for key in (
            "run/train/1/report",
            "run/train/1/models",
            "run/train/2",
            "run/values/a",
            "run/train/1/executor-logs",
        ):
            assert not store.exists(key), key
    store.delete("run/train/1", ["run"])
    assert store.exists("run/train/1/model")
    store.delete("run", ["run/train/1/model/below"])
    assert store.read("run/train/1/model/below/weights") == b"kept"
    store.delete("run")
    assert not store.exists("run")


def test_a_listing_says_when_things_were_put_there(store: ArtifactStore) -> None:
    store.put_bytes("packages/a/tree.tar", b"x")
    (one,) = store.listing("packages")
    assert one.modified_us == 0 or one.modified_us > 1_700_000_000_000_000
    assert one.modified_us or not isinstance(store, FolderStore)
