"""A companion's store: its ways are granted by the scheduler over gRPC, its bytes go to a real S3-compatible server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from builders.granted import Companion, companion
from builders.launches import launch
from builders.stores import s3_store
from fixtures.fix_s3 import S3
from headrace_companion.buckets.granting import put
from headrace_companion.buckets.layout import LARGEST
from headrace_companion.buckets.s3_store import S3Store
from headrace_companion.store import StoreError
from headrace_protos.v1 import events_pb2, scheduler_pb2
from headrace_scheduler.handlers.artifacts import ArtifactService
from headrace_scheduler.stores.areas import Area, Areas
from headrace_scheduler.stores.composite import Stores
from headrace_servicekit.errors import Reason, ServiceError


@pytest.fixture
def behind(s3: S3, tmp_path: Path) -> Iterator[S3Store]:
    made = s3_store(s3, tmp_path.name)
    yield made
    made.close()


@pytest.fixture
def attempt(behind: S3Store, s3: S3, tmp_path: Path) -> Iterator[Companion]:
    """An attempt of namespace `a` with an input of its own, one of another namespace, and one elsewhere."""
    s3.bucket("elsewhere", {"x": b"x"})
    tree = tmp_path / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "empty").mkdir()
    (tree / "a").write_bytes(b"a")
    (tree / "below" / "b").write_bytes(b"b")
    behind.put("namespaces/a/set", tree, within=tmp_path)
    behind.put_bytes("namespaces/a/one", b"one")
    behind.put_bytes("namespaces/b/secret", b"secret")
    uris = [behind.uri(f"namespaces/{name}") for name in ("a/set", "a/one", "b/secret")] + ["s3://elsewhere/x"]
    inputs = {f"in{i}": events_pb2.ArtifactList(artifacts=[events_pb2.Artifact(uri=uri)]) for i, uri in enumerate(uris)}
    made = replace(
        launch(cast(Any, behind), "true", inputs=inputs),
        namespace="a",
        task_root=behind.uri("namespaces/a/p/run/task/1"),
    )
    with companion(behind, made, "model", "metrics") as one:
        yield one


def test_one_question_is_enough_for_inputs_and_usual_outputs(
    attempt: Companion, behind: S3Store, tmp_path: Path
) -> None:
    store, asking, _ = attempt
    uris = [behind.uri(f"namespaces/a/{name}") for name in ("set", "one")]
    assert store.prepare([*uris, "s3://elsewhere/x"]) == {"s3://elsewhere/x"}
    for uri, name in zip(uris, ("set", "one"), strict=True):
        key = store.key(uri)
        assert key is not None
        store.stage(key, tmp_path / "in" / name)
    assert (tmp_path / "in" / "set" / "below" / "b").read_bytes() == b"b"
    assert (tmp_path / "in" / "set" / "empty").is_dir()
    assert store.read(store.key(uris[1]) or "") == b"one"
    for name in ("model", "metrics"):
        (tmp_path / name).write_bytes(name.encode())
        store.put(f"1/{name}", tmp_path / name, within=tmp_path)
    store.put_bytes("1/attempt.json", b"{}")
    assert asking.calls == 1
    assert behind.read("namespaces/a/p/run/task/1/model") == b"model"
    assert store.key("s3://elsewhere/x") is None


def test_one_question_is_enough_for_all_that_an_attempt_leaves(
    attempt: Companion, behind: S3Store, tmp_path: Path
) -> None:
    store, asking, _ = attempt
    store.prepare([store.uri("1/executor-logs")])
    with store.open_log("1/executor-logs") as log:
        assert store.size("1/executor-logs") == 0
        log.write(b"said\n")
    (tmp_path / "model").write_bytes(b"weights")
    store.put("1/model", tmp_path / "model", within=tmp_path)
    store.settle("1/executor-logs")
    store.put_bytes("1/attempt.json", b"{}")
    assert asking.calls == 1
    assert store.read("1/executor-logs") == b"said\n"
    names = ("executor-logs", "model", "attempt.json")
    assert [behind.read(f"namespaces/a/p/run/task/1/{name}") for name in names] == [b"said\n", b"weights", b"{}"]


def test_an_input_of_another_namespace_is_refused(attempt: Companion, behind: S3Store, tmp_path: Path) -> None:
    store, _, _ = attempt
    uri = behind.uri("namespaces/b/secret")
    store.prepare([uri])
    with pytest.raises(StoreError, match="namespaces/b/secret belongs to the namespace 'b', not to 'a'"):
        store.stage(store.key(uri) or "", tmp_path / "secret")
    assert not (tmp_path / "secret").exists()


def test_what_the_attempt_has_nothing_to_do_with_is_forbidden(attempt: Companion, behind: S3Store) -> None:
    store, asking, _ = attempt
    with pytest.raises(StoreError, match="is neither an input of this attempt nor beneath"):
        store.prepare([behind.uri("namespaces/a/another")])
    with pytest.raises(ServiceError) as refused:
        asking([put(behind.uri("namespaces/a/one"), 1)])
    assert refused.value.reason == Reason.FORBIDDEN


def test_an_attempt_that_has_ended_gets_no_way(attempt: Companion) -> None:
    store, _, known = attempt
    known.launch = None
    with pytest.raises(StoreError, match="has ended, or never was"):
        store.put_bytes("1/model", b"too late")


def test_a_bucket_that_the_keys_may_read_is_read_with_them(attempt: Companion, behind: S3Store, tmp_path: Path) -> None:
    _, _, known = attempt
    assert known.launch is not None
    area = Area(behind.root, frozenset({"a"}), ("s3://elsewhere/",))
    with companion(behind, known.launch, area=area) as (store, _, _):
        assert store.prepare(["s3://elsewhere/x"]) == set()
        store.stage(store.key("s3://elsewhere/x") or "", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"x"


def test_a_large_object_goes_in_parts_and_goes_on_where_it_was(
    attempt: Companion, behind: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _, _ = attempt
    large = tmp_path / "large"
    large.write_bytes(os.urandom(40 << 20))
    sent: list[int] = []
    put = store._transfers.put

    def failing(url: str, descriptor: int, offset: int, length: int) -> str:
        if offset >= 32 << 20 and not sent.count(-1):
            sent.append(-1)
            raise StoreError("the companion ends here")
        sent.append(offset)
        return put(url, descriptor, offset, length)

    monkeypatch.setattr(store._transfers, "put", failing)
    with pytest.raises(StoreError, match="ends here"):
        store.put("1/model", large, within=tmp_path)
    assert not behind.exists("namespaces/a/p/run/task/1/model")
    before = sorted(offset for offset in sent if offset >= 0)
    stored = store.put("1/model", large, within=tmp_path)
    assert sorted(offset for offset in sent if offset >= 0) == [0, 16 << 20, 32 << 20]
    assert before == [0, 16 << 20]
    assert behind.describe("namespaces/a/p/run/task/1/model") == stored
    store.stage("1/model", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == large.read_bytes()


def test_a_log_of_a_pod_is_read_while_it_grows_and_one_object_later(
    attempt: Companion, behind: S3Store, s3: S3
) -> None:
    store, asking, _ = attempt
    key = "namespaces/a/p/run/task/1/executor-logs"
    log = store.open_log("1/executor-logs")
    growing = store._logs.get("1/executor-logs")
    assert growing is not None
    for number in range(70):
        log.write(f"line {number}\n".encode())
        growing.flush_piece(store)
    expected = b"".join(f"line {number}\n".encode() for number in range(70))
    assert behind.read(key) == expected
    assert behind.read(key, len(expected) - 8) == b"line 69\n"
    assert behind.size(key) == len(expected)
    assert asking.calls < 10
    log.close()
    store.settle("1/executor-logs")
    bucket, _, prefix = f"{behind.root}/namespaces/a/p/run/task/1/".removeprefix("s3://").partition("/")
    names = [one.object_name for one in s3.client.list_objects(bucket, prefix, recursive=True)]
    assert names == [f"{prefix}executor-logs"]
    assert behind.read(key) == expected


def test_another_companion_goes_on_with_a_log(attempt: Companion, behind: S3Store) -> None:
    store, _, known = attempt
    log = store.open_log("1/executor-logs")
    log.write(b"before\n")
    growing = store._logs.get("1/executor-logs")
    assert growing is not None
    growing.flush_piece(store)
    assert known.launch is not None
    with companion(behind, known.launch) as (another, _, _):
        with another.open_log("1/executor-logs") as going_on:
            going_on.write(b"after\n")
        another.settle("1/executor-logs")
        assert behind.read("namespaces/a/p/run/task/1/executor-logs") == b"before\nafter\n"


def test_ways_that_have_expired_are_asked_for_again(attempt: Companion, behind: S3Store, tmp_path: Path) -> None:
    store, asking, _ = attempt
    uri = behind.uri("namespaces/a/set")
    store.prepare([uri])
    stale, until = store._reads[uri]
    for one in stale.objects:
        one.url = one.url.replace("X-Amz-Signature=", "X-Amz-Signature=0")
    store._writes = {at: (url + "0", end) for at, (url, end) in store._writes.items()}
    store._reads[uri] = stale, until
    store.stage(store.key(uri) or "", tmp_path / "copy")
    store.put_bytes("1/attempt.json", b"{}")
    assert (tmp_path / "copy" / "a").read_bytes() == b"a"
    assert asking.calls == 3


def test_a_folder_of_very_many_files_is_staged_in_steps(
    attempt: Companion, behind: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace_companion.buckets.signing.MOST_SIGNED", 1)
    store, asking, _ = attempt
    uri = behind.uri("namespaces/a/set")
    store.prepare([uri])
    store.stage(store.key(uri) or "", tmp_path / "copy")
    assert (tmp_path / "copy" / "a").read_bytes() == b"a"
    assert (tmp_path / "copy" / "below" / "b").read_bytes() == b"b"
    assert asking.calls == 2


async def nobody(uris: object) -> None:
    """Told of deletions."""


async def test_a_pods_log_is_followed_through_the_scheduler(attempt: Companion, behind: S3Store) -> None:
    store, _, known = attempt
    assert known.launch is not None
    running = asyncio.Event()
    running.set()
    service = ArtifactService(
        Stores(behind, [], Areas([Area(behind.root)])), lambda _: running.is_set(), nobody, lambda _: None
    )
    request = scheduler_pb2.ReadRequest(uri=f"{known.launch.task_root}/executor-logs", follow=True)
    log = await asyncio.to_thread(store.open_log, "1/executor-logs")
    growing = store._logs.get("1/executor-logs")
    assert growing is not None
    async with asyncio.timeout(30):
        pieces = service.Read(request, cast(Any, None))
        log.write(b"one\n")
        await asyncio.to_thread(growing.flush_piece, store)
        assert (await anext(pieces)).data == b"one\n"
        log.write(b"two\n")
        log.close()
        await asyncio.to_thread(store.settle, "1/executor-logs")
        running.clear()
        assert [piece.data async for piece in pieces] == [b"two\n"]


def test_what_s3_cannot_hold_is_said(attempt: Companion) -> None:
    _, asking, known = attempt
    assert known.launch is not None
    ways = asking(
        [put(f"{known.launch.task_root}/model", LARGEST + 1), put(f"{known.launch.task_root}/{'n/' * 600}x", 1)]
    )
    assert "more than the 5497558138880 that S3 takes" in ways[0].problem
    assert "is longer than 1024 bytes, which S3 refuses" in ways[1].problem
