"""Object stores that are away, refuse us, or hold what others left half done."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from minio.credentials.providers import StaticProvider

from builders.cutting import Wire, wire_to
from builders.stores import s3_store
from fixtures.fix_s3 import S3
from headrace_companion.buckets.connecting import from_environment
from headrace_companion.buckets.layout import Manifest, manifest_key
from headrace_companion.buckets.s3_store import S3Store
from headrace_companion.remote.sources import Ambient
from headrace_companion.store import ObjectMissing, SourceRefused, StoreDown, StoreError
from headrace_scheduler.stores.areas import Area, Areas
from headrace_scheduler.stores.composite import Stores
from headrace_scheduler.stores.keeping import opened
from headrace_servicekit.errors import ServiceError


@pytest.fixture
def store(s3: S3, tmp_path: Path) -> Iterator[S3Store]:
    made = s3_store(s3, tmp_path.name)
    yield made
    made.close()


@pytest.fixture
def wire(s3: S3) -> Iterator[Wire]:
    with wire_to(s3.endpoint) as made:
        yield made


def reached_by(wire: Wire, s3: S3, name: str, patience_s: float) -> S3Store:
    ambient = Ambient({**s3.environ, "AWS_ENDPOINT_URL_S3": wire.endpoint})
    return S3Store(f"{s3.bucket('artifacts', {})}/{name}", from_environment(ambient), ambient, patience_s)


def raw(store: S3Store, s3: S3) -> dict[str, int]:
    """What really lies beneath the store's root."""
    bucket, _, prefix = f"{store.root}/".removeprefix("s3://").partition("/")
    found = s3.client.list_objects(bucket, prefix, recursive=True)
    return {(one.object_name or "")[len(prefix) :]: one.size or 0 for one in found}


def put_raw(store: S3Store, s3: S3, key: str, data: bytes) -> None:
    bucket, _, prefix = store.root.removeprefix("s3://").partition("/")
    s3.bucket(bucket, {f"{prefix}/{key}": data})


def test_publishing_waits_for_a_store_that_is_away(wire: Wire, s3: S3, tmp_path: Path) -> None:
    store = reached_by(wire, s3, tmp_path.name, patience_s=60)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "small").write_bytes(b"small")
    (tree / "large").write_bytes(os.urandom(20 << 20))
    wire.cut()
    with ThreadPoolExecutor(1) as thread:
        putting = thread.submit(store.put, "run/tree", tree, within=tmp_path)
        assert wire.refused.wait(20)
        assert not putting.done()
        wire.mend()
        stored = putting.result(60)
    assert store.describe("run/tree") == stored
    store.close()


def test_a_platform_that_ends_waits_for_no_store(wire: Wire, s3: S3, tmp_path: Path) -> None:
    store = reached_by(wire, s3, tmp_path.name, patience_s=0)
    stores = Stores(store, [], Areas([Area(store.root)]))
    waiting = stores.patient(3600)
    wire.cut()
    with ThreadPoolExecutor(1) as thread:
        putting = thread.submit(waiting.put_bytes, "run/x", b"x")
        assert wire.refused.wait(20)
        stores.give_up()
        assert isinstance(putting.exception(20), StoreDown)
    stores.close()


def test_a_log_loses_nothing_while_the_store_is_away(wire: Wire, s3: S3, tmp_path: Path) -> None:
    store = reached_by(wire, s3, tmp_path.name, patience_s=60)
    with store.open_log("run/log") as log:
        log.write(b"one\n")
        wire.cut()
        log.write(b"two\n")
        assert wire.refused.wait(20)
    wire.mend()
    store.settle("run/log")
    assert store.read("run/log") == b"one\ntwo\n"
    store.close()


def test_who_waits_for_an_answer_is_told_that_the_store_is_away(wire: Wire, s3: S3, tmp_path: Path) -> None:
    store = reached_by(wire, s3, tmp_path.name, patience_s=0)
    wire.cut()
    with pytest.raises(StoreDown, match=f"the store at {wire.endpoint} does not answer: ") as down:
        store.read("run/log")
    assert "X-Amz" not in str(down.value)
    with pytest.raises(StoreDown, match="does not answer"):
        store.exists("run/log")
    store.close()


async def test_a_store_that_is_away_at_the_start_is_waited_for(
    wire: Wire, s3: S3, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = reached_by(wire, s3, tmp_path.name, patience_s=0)
    wire.cut()
    stores = Stores(store.patient(0), [], Areas([Area(store.root)]))
    async with asyncio.timeout(30), opened(stores):
        assert "waiting for the artifact store" in caplog.text
        wire.mend()


@pytest.mark.parametrize("wrong", ["a-secret-of-nobody", ""])
async def test_wrong_keys_are_one_sentence_at_the_start(s3: S3, tmp_path: Path, wrong: str) -> None:
    ambient = Ambient(s3.environ)
    keys = StaticProvider("headrace-test", wrong) if wrong else StaticProvider("nobody", "nothing")
    store = S3Store("s3://artifacts/x", replace(from_environment(ambient), keys=keys), ambient, 0)
    with pytest.raises(
        ServiceError, match=r"the artifact store s3://artifacts/x: the store at .* refuses access"
    ) as refused:
        async with opened(Stores(store, [], Areas([Area(store.root)]))):
            pass
    assert "AWS_ACCESS_KEY_ID" in refused.value.message
    assert wrong not in refused.value.message or not wrong
    store.close()


def test_a_bucket_is_made_where_it_is_not_there(s3: S3) -> None:
    ambient = Ambient(s3.environ)
    store = S3Store("s3://made-at-the-start/x", from_environment(ambient), ambient)
    with pytest.raises(StoreError, match=r"the bucket 'made-at-the-start' is not at .*: make it"):
        store.exists("a")
    store.check()
    assert not store.exists("a")
    store.put_bytes("a", b"")
    store.close()


def test_a_folder_that_others_wrote_is_what_lies_there(store: S3Store, s3: S3, tmp_path: Path) -> None:
    for name, data in (("set/a", b"a"), ("set/below/b", b"bb"), ("set/", b"")):
        put_raw(store, s3, name, data)
    assert [(one.key, one.size) for one in store.listing("set")] == [("set/a", 1), ("set/below/b", 2)]
    store.stage("set", tmp_path / "set")
    assert (tmp_path / "set" / "below" / "b").read_bytes() == b"bb"
    (tmp_path / "again" / "below").mkdir(parents=True)
    (tmp_path / "again" / "a").write_bytes(b"a")
    (tmp_path / "again" / "below" / "b").write_bytes(b"bb")
    assert store.describe("set") == store.put("ours", tmp_path / "again", within=tmp_path)


def test_a_folder_that_is_not_whole_is_not_there(store: S3Store, s3: S3, tmp_path: Path) -> None:
    put_raw(store, s3, "run/model/a", b"a")
    put_raw(store, s3, manifest_key("run/model"), Manifest(whole=False).to_json())
    assert not store.exists("run/model")
    assert store.listing("run/model") == []
    with pytest.raises(ObjectMissing):
        store.stage("run/model", tmp_path / "copy")


def test_empty_folders_are_kept(store: S3Store, tmp_path: Path) -> None:
    (tmp_path / "tree" / "empty").mkdir(parents=True)
    (tmp_path / "nothing").mkdir()
    store.put("tree", tmp_path / "tree", within=tmp_path)
    store.put("nothing", tmp_path / "nothing", within=tmp_path)
    store.stage("tree", tmp_path / "copy")
    store.stage("nothing", tmp_path / "none")
    assert (tmp_path / "copy" / "empty").is_dir()
    assert (tmp_path / "none").is_dir()
    assert store.describe("nothing").is_folder


def test_a_name_of_ours_is_refused(store: S3Store, tmp_path: Path) -> None:
    (tmp_path / "tree" / ".headrace").mkdir(parents=True)
    (tmp_path / "tree" / ".headrace" / "x").write_bytes(b"")
    with pytest.raises(SourceRefused, match="a name that Headrace keeps in artifact stores"):
        store.put("tree", tmp_path / "tree", within=tmp_path)


def test_what_changed_in_the_store_is_not_taken_for_what_was_stored(store: S3Store, s3: S3, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_bytes(b"right")
    store.put("tree", tmp_path / "tree", within=tmp_path)
    put_raw(store, s3, "tree/a", b"wrong")
    with pytest.raises(StoreError, match="is not what was stored: the content of a has changed"):
        store.stage("tree", tmp_path / "copy")


def test_deleting_a_run_leaves_nothing(store: S3Store, s3: S3, tmp_path: Path) -> None:
    (tmp_path / "tree" / "empty").mkdir(parents=True)
    (tmp_path / "tree" / "a").write_bytes(b"a")
    store.put("run/task/1/model", tmp_path / "tree", within=tmp_path)
    store.put_bytes("run/task/1/attempt.json", b"{}")
    log = store.open_log("run/task/1/executor-logs")
    log.write(b"begun")
    growing = store._logs.get("run/task/1/executor-logs")
    assert growing is not None
    growing.flush_piece(store)
    store.put_bytes("run2", b"stays")
    store.delete("run")
    assert list(raw(store, s3)) == ["run2"]
    log.close()
    assert list(raw(store, s3)) == ["run2"]


def test_uploads_that_nobody_goes_on_with_are_ended(
    store: S3Store, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(20 << 20))

    def failing(*_: object) -> str:
        raise StoreError("it ends here")

    monkeypatch.setattr(store._transfers, "put", failing)
    with pytest.raises(StoreError, match="ends here"):
        store.put("run/large", large, within=tmp_path)
    assert store.end_unfinished(datetime.now(UTC) - timedelta(days=1)) == 0
    assert store.end_unfinished(datetime.now(UTC) + timedelta(minutes=1)) == 1
    assert store.end_unfinished(datetime.now(UTC) + timedelta(minutes=1)) == 0
    assert raw(store, s3) == {}
