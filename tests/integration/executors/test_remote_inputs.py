"""Inputs that lie outside the platform's store, as tasks of the process executor get them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from builders.launches import Watched, launch, log_of, store_in, succeeded, watching
from fixtures.fix_http import Pages
from headrace_companion.folder_store import FolderStore
from headrace_companion.remote.fetching import Means
from headrace_companion.remote.sources import Limits
from headrace_protos.v1 import events_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.process.executor import ProcessExecutor

QUICK = Means(Limits(pauses=()))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return store_in(tmp_path)


@pytest.fixture
async def watched(tmp_path: Path, store: FolderStore) -> AsyncIterator[Watched]:
    environ = {**os.environ, "AWS_ACCESS_KEY_ID": "the-platforms", "AWS_SECRET_ACCESS_KEY": "its-secret"}
    async with watching(ProcessExecutor(tmp_path, store, environ, grace_s=0.2, fetching=QUICK)) as one:
        yield one


def reading(store: FolderStore, uri: str, **more: object) -> port.Launch:
    artifact = events_pb2.Artifact(artifact_id="a", name="data", uri=uri, schema_title="system.Dataset")
    inputs = {"data": events_pb2.ArtifactList(artifacts=[artifact])}
    return launch(
        store, "sh", "-c", 'cat "$0"; echo "$0" >&2', "{{$.inputs.artifacts['data'].path}}", inputs=inputs, **more
    )


async def test_a_consumer_reads_a_page_under_its_own_name(watched: Watched, store: FolderStore, pages: Pages) -> None:
    task = reading(store, pages.put("/set/a%20b.csv", b"hello\n") + "?x=/y")
    result = await watched.run(task)
    assert succeeded(result)
    log = log_of(store, result).decode()
    assert "hello\n" in log
    key = store.key(f"{task.task_root}/attempt.json")
    assert key is not None
    digest = "sha256:" + hashlib.sha256(b"hello\n").hexdigest()
    assert json.loads(store.read(key))["fetched"] == {f"{pages.root}/set/a%20b.csv": digest}
    assert "/inputs/data/0/a b.csv\n" in log


async def test_many_consumers_fetch_once(watched: Watched, store: FolderStore, pages: Pages) -> None:
    gate = threading.Event()
    uri = pages.put("/a", b"shared", etag='"1"', gate=gate)
    tasks = [asyncio.ensure_future(watched.run(reading(store, uri, path=f"t{n}"))) for n in range(12)]
    held = await watched.first(lambda fact: isinstance(fact, port.Held))
    assert isinstance(held, port.Held)
    assert held.detail.startswith(f"fetching {uri}: 0.0")
    gate.set()
    results = await asyncio.gather(*tasks)
    assert all(succeeded(one) and b"shared" in log_of(store, one) for one in results)
    assert pages.whole == 1


async def test_nothing_there_fails_with_a_sentence(watched: Watched, store: FolderStore, pages: Pages) -> None:
    result = await watched.run(reading(store, pages.root + "/missing"))
    assert result.state == events_pb2.ATTEMPT_FAILED
    assert (result.error.reason, result.error.failure_class) == ("MissingInput", events_pb2.USER)
    assert "input artifact 'data' is missing" in result.error.message
    assert "the server answered 404" in result.error.message


async def test_a_refusal_names_the_input(watched: Watched, store: FolderStore, pages: Pages) -> None:
    result = await watched.run(reading(store, pages.put("/a", status=403)))
    assert result.error.message.startswith("input artifact 'data': http://127.0.0.1")


@pytest.mark.parametrize("where", ["page", "file", "store"])
async def test_an_optional_input_may_be_missing(
    watched: Watched, store: FolderStore, pages: Pages, tmp_path: Path, where: str
) -> None:
    uri = {"page": pages.root + "/no", "file": f"file://{tmp_path}/no", "store": f"{store.root}/no"}[where]
    artifact = events_pb2.Artifact(artifact_id="a", name="data", uri=uri)
    inputs = {"data": events_pb2.ArtifactList(artifacts=[artifact])}
    task = launch(store, "echo", "{{$}}", inputs=inputs, optional_inputs=frozenset({"data"}))
    result = await watched.run(task)
    assert succeeded(result)
    assert b'"inputs"' not in log_of(store, result)
    assert any("input is optional, so the task runs without it" in one for one in result.warnings)


async def test_canceling_does_not_wait_for_a_slow_server(watched: Watched, store: FolderStore, pages: Pages) -> None:
    gate = threading.Event()
    task = reading(store, pages.put("/slow", b"x", gate=gate))
    await watched.executor.launch(task)
    await watched.first(lambda fact: isinstance(fact, port.Held))
    await watched.executor.cancel(task.attempt)
    result = await watched.finished(task.attempt)
    gate.set()
    assert result.state == events_pb2.ATTEMPT_CANCELED


async def test_user_code_does_not_see_the_platforms_keys(watched: Watched, store: FolderStore) -> None:
    result = await watched.run(launch(store, "env"))
    assert succeeded(result)
    assert b"AWS_" not in log_of(store, result)


async def test_what_is_no_file_is_not_read(watched: Watched, store: FolderStore, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    result = await watched.run(reading(store, f"file://{tmp_path}/fifo"))
    assert result.error.reason == "MissingInput"
    assert "fifo is no regular file" in result.error.message


async def test_a_folder_with_what_cannot_be_copied(watched: Watched, store: FolderStore, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "sock"))
        result = await watched.run(reading(store, f"file://{folder}"))
    assert result.error.reason == "MissingInput"
    text = f"input artifact 'data' could not be copied from file://{folder}: {folder}"
    ends = ("/fifo is no regular file (and 1 more)", "/sock is no regular file (and 1 more)")
    assert result.error.message in [text + end for end in ends]


async def test_a_folder_round_the_platforms_own(watched: Watched, store: FolderStore, tmp_path: Path) -> None:
    result = await watched.run(reading(store, f"file://{tmp_path}"))
    assert result.error.reason == "MissingInput"
    assert result.error.message.endswith(": the folder holds the platform's own data; give one that does not")
