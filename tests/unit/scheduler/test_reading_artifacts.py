"""What the store's service says of files and folders: listed by name, read by range, refused with a sentence.

- a file is one nameless entry; a folder has its files by their path, whatever else lies in it
- no name leads out of a folder; a FIFO does not hold anybody up
"""

from __future__ import annotations

import os

import pytest

from headrace_companion.machine_store import MachineStore
from headrace_protos.v1 import scheduler_pb2 as pb
from headrace_scheduler.handlers import artifacts
from headrace_scheduler.handlers.artifacts import ArtifactService
from headrace_servicekit.errors import Reason, ServiceError


@pytest.fixture
def store(tmp_path):
    made = MachineStore(tmp_path / "store")
    made.put_bytes("run/file", b"hello")
    for name in ("b", "a/x", "a/y"):
        made.put_bytes(f"run/tree/{name}", name.encode())
    return made


async def nobody(uris):
    """Told of deletions."""


@pytest.fixture
def service(store):
    return ArtifactService(store, lambda uri: False, nobody, lambda uri: None)


async def names(service, uri):
    return [
        (one.name, one.size)
        async for page in service.List(pb.ListObjectsRequest(uri=uri), None)
        for one in page.objects
    ]


async def read(service, **asked):
    return b"".join([answer.data async for answer in service.Read(pb.ReadRequest(**asked), None)])


async def test_a_file_and_a_folder_are_listed(service, store, monkeypatch):
    monkeypatch.setattr(artifacts, "PAGE", 2)
    assert await names(service, store.uri("run/file")) == [("", 5)]
    assert await names(service, store.uri("run/tree")) == [("a/x", 3), ("a/y", 3), ("b", 1)]


async def test_a_folder_of_the_machine_is_listed_without_what_is_no_file(service, store, tmp_path):
    folder = tmp_path / "own"
    (folder / "empty").mkdir(parents=True)
    (folder / "file").write_bytes(b"1")
    (folder / "gone").symlink_to(tmp_path / "nothing")
    os.mkfifo(folder / "fifo")
    assert await names(service, folder.as_uri()) == [("file", 1)]
    assert await names(service, (folder / "empty").as_uri()) == []
    with pytest.raises(ServiceError, match="is no regular file"):
        await read(service, uri=folder.as_uri(), file="fifo")


async def test_a_range_of_a_file_in_a_folder_is_read(service, store):
    tree = store.uri("run/tree")
    assert await read(service, uri=tree, file="a/x") == b"a/x"
    assert await read(service, uri=tree, file="a/x", offset=1, limit=1) == b"/"


@pytest.mark.parametrize(
    ("name", "file", "reason", "says"),
    [
        ("run/none", "", Reason.NOT_FOUND, "nothing is stored at file:///"),
        ("run/tree", "none", Reason.NOT_FOUND, "nothing is stored at file:///"),
        ("run/tree", "", Reason.INVALID_INPUT, "is a folder; name a file in it"),
        ("run/tree", "../file", Reason.INVALID_INPUT, "must be plain names separated by single slashes"),
        ("run/tree", "/etc/passwd", Reason.INVALID_INPUT, "must be plain names separated by single slashes"),
    ],
)
async def test_what_cannot_be_read_is_a_sentence(service, store, name, file, reason, says):
    with pytest.raises(ServiceError, match=says) as caught:
        await read(service, uri=store.uri(name), file=file)
    assert caught.value.reason == reason


async def test_nothing_outside_the_store_is_read(service):
    for call in (names(service, "gs://b/x"), read(service, uri="gs://b/x")):
        with pytest.raises(ServiceError, match=r"^'gs://b/x' is not in the artifact store file:///.*; read it where"):
            await call


async def test_a_listing_of_nothing_is_not_found(service, store):
    with pytest.raises(ServiceError, match="nothing is stored at") as caught:
        await names(service, store.uri("run/none"))
    assert caught.value.reason == Reason.NOT_FOUND


async def test_what_is_deleted_is_told(store):
    told = []

    async def deleted(uris):
        told.extend(uris)

    store.areas = None
    store.is_own = lambda uri: True
    service = ArtifactService(store, lambda uri: False, deleted, lambda uri: None)
    await service.Delete(pb.DeleteObjectsRequest(uris=[store.uri("run/file"), store.uri("run/tree") + "/"]), None)
    assert told == [store.uri("run/file"), store.uri("run/tree") + "/"]
    assert not store.exists("run/file")
    assert not store.exists("run/tree/b")
