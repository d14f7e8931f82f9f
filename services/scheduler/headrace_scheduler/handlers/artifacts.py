"""headrace.v1.ArtifactAccess: the artifact store, read and written on behalf of apiserver and persistence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeAlias, TypeVar

import grpc

from headrace_companion.store import ArtifactStore, KeyRefused, ObjectMissing, StoreDown, StoreError, checked_key
from headrace_protos.v1 import scheduler_pb2 as pb
from headrace_protos.v1 import scheduler_pb2_grpc
from headrace_scheduler.packages import FOLDER as PACKAGES
from headrace_scheduler.stores.composite import Stores
from headrace_servicekit.errors import Reason, ServiceError

T = TypeVar("T")
Deleted = Callable[[Sequence[str]], Awaitable[None]]
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
CHUNK = 256 * 1024
PAGE = 1_000  # files in one answer of a listing
FOLLOW_EVERY_S = 0.15
LOOKERS = 16


class ArtifactService(scheduler_pb2_grpc.ArtifactAccessServicer):
    """`growing(uri)` tells whether an attempt in flight may still add to the object; `deleted(uris)` follows a deletion;
    `forget(uri)` drops copies of what was fetched from elsewhere.
    """

    def __init__(
        self, store: Stores, growing: Callable[[str], bool], deleted: Deleted, forget: Callable[[str], None]
    ) -> None:
        self._store = store
        self._forget = forget
        self._growing = growing
        self._deleted = deleted

    async def Read(self, request: pb.ReadRequest, context: Context) -> AsyncIterator[pb.ReadResponse]:  # noqa: N802
        """Chunks from `offset`; with `follow` until the attempt that writes it has ended."""
        key = self._file_key(request)
        offset, left = request.offset, request.limit or None
        while left is None or left > 0:
            growing = request.follow and self._growing(request.uri)
            data = await self._read(key, offset, min(CHUNK, left or CHUNK), missing_ok=growing)
            if data:
                yield pb.ReadResponse(data=data)
                offset += len(data)
                left = None if left is None else left - len(data)
            elif growing:
                await asyncio.sleep(FOLLOW_EVERY_S)
            else:
                return

    async def List(  # noqa: N802
        self, request: pb.ListObjectsRequest, context: Context
    ) -> AsyncIterator[pb.ListObjectsResponse]:
        """The one file, or those of the folder."""
        key = self._key(request.uri)
        found = await self._refusing(key, lambda: listed(self._store, key))
        for start in range(0, len(found), PAGE):
            page = [pb.StoredObject(name=name, size=size) for name, size in found[start : start + PAGE]]
            yield pb.ListObjectsResponse(objects=page)

    async def Put(self, request: pb.PutRequest, context: Context) -> pb.PutResponse:  # noqa: N802
        """Write a small object whole."""
        key = self._own_key(request.uri)
        await self._refusing(key, lambda: self._store.put_bytes(key, request.data))
        return pb.PutResponse()

    async def Exists(self, request: pb.ExistsRequest, context: Context) -> pb.ExistsResponse:  # noqa: N802
        """Which are there."""
        return pb.ExistsResponse(exists=await exists(self._store, request.uris))

    async def Delete(self, request: pb.DeleteObjectsRequest, context: Context) -> pb.DeleteObjectsResponse:  # noqa: N802
        """Delete each, and what lies below it but what is spared; cached results that need it are forgotten."""
        spared = [self._own_key(uri.rstrip("/")) for uri in request.spared]
        for key in [self._own_key(uri.rstrip("/")) for uri in request.uris]:
            await self._refusing(key, partial(self._store.delete, key, spared))
        for uri in request.fetched:
            await asyncio.to_thread(self._forget, uri)
        if not spared and request.uris:  # whoever spares something has told the cache
            await self._deleted(request.uris)
        return pb.DeleteObjectsResponse()

    async def ListPackages(self, request: pb.ListPackagesRequest, context: Context) -> pb.ListPackagesResponse:  # noqa: N802
        """Each archive's folder, with the time of the newest file in it."""
        found: dict[str, pb.StoredPackage] = {}
        for namespace in request.namespaces:
            top = f"{self._store.areas.default_root(namespace)}/{PACKAGES}"
            key = self._own_key(top)
            for one in await self._refusing(key, partial(self._store.listing, key)):
                uri = f"{top}/{one.key[len(key) + 1 :].partition('/')[0]}"
                package = found.setdefault(uri, pb.StoredPackage(uri=uri, namespace=namespace))
                package.size += one.size
                package.modified_at_us = max(package.modified_at_us, one.modified_us)
        return pb.ListPackagesResponse(packages=found.values())

    async def _read(self, key: str, offset: int, length: int, *, missing_ok: bool) -> bytes:
        try:
            return await self._refusing(key, lambda: self._store.read(key, offset, length))
        except ServiceError as error:
            if missing_ok and error.reason == Reason.NOT_FOUND:
                return b""
            raise

    async def _refusing(self, key: str, call: Callable[[], T]) -> T:
        """CALL in a thread; what the store refuses is the caller's mistake."""
        try:
            return await asyncio.to_thread(call)
        except ObjectMissing:
            raise ServiceError(Reason.NOT_FOUND, f"nothing is stored at {self._store.uri(key)}") from None
        except StoreDown as down:
            raise ServiceError(Reason.UNAVAILABLE, str(down)) from down
        except StoreError as refused:
            raise ServiceError(Reason.INVALID_INPUT, str(refused)) from refused

    def _file_key(self, request: pb.ReadRequest) -> str:
        key = self._key(request.uri)
        try:
            return checked_key(f"{key}/{request.file}") if request.file else key
        except KeyRefused as refused:
            raise ServiceError(Reason.INVALID_INPUT, str(refused)) from None

    def _own_key(self, uri: str) -> str:
        """Of what may be changed: a folder that a run named, or an importer, is its owner's to change."""
        if not self._store.is_own(uri):
            raise ServiceError(Reason.INVALID_INPUT, f"{uri!r} is not in the artifact store {self._store.root}")
        return self._key(uri)

    def _key(self, uri: str) -> str:
        key = self._store.key(uri)
        if key is None:
            raise ServiceError(
                Reason.INVALID_INPUT, f"{uri!r} is not in the artifact store {self._store.root}; read it where it lies"
            )
        return key


def listed(store: ArtifactStore, key: str) -> list[tuple[str, int]]:
    """(path in the folder, size) of each file, or ("", size) of the one that the key names."""
    if not store.exists(key):
        raise ObjectMissing(key)
    beneath = store.listing(key)
    if beneath:
        return sorted((one.key[len(key) + 1 :], one.size) for one in beneath)
    try:
        store.read(key, 0, 0)
    except StoreError:  # a folder without files
        return []
    return [("", store.size(key))]


async def exists(store: ArtifactStore, uris: Sequence[str]) -> list[bool]:
    """Which of the URIs are there; those outside the store are somebody else's to keep, and count as there."""

    def look() -> list[bool]:
        keys = [store.key(uri) for uri in uris]
        if len(keys) == 1:
            return [keys[0] is None or store.exists(keys[0])]
        return list(_lookers().map(lambda key: key is None or store.exists(key), keys))

    try:
        return await asyncio.to_thread(look)
    except StoreDown as down:
        raise ServiceError(Reason.UNAVAILABLE, str(down)) from down
    except StoreError as refused:
        raise ServiceError(Reason.INVALID_INPUT, str(refused)) from refused


@cache
def _lookers() -> ThreadPoolExecutor:
    """For looking at many places at once, because a store elsewhere answers after a while."""
    return ThreadPoolExecutor(LOOKERS, thread_name_prefix="headrace-looking")
