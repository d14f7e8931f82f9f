"""A companion's store whose ways are granted by a scheduler's Attempts.Access, over gRPC on a socket."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import grpc

from builders.launches import launch
from builders.stores import PATIENCE_S, s3_store
from fixtures.fix_s3 import S3
from headrace_companion.buckets.asking import AskingGranter, attempt_store
from headrace_companion.buckets.granted_store import GrantedStore
from headrace_companion.buckets.s3_store import S3Store
from headrace_companion.buckets.transferring import Transfers
from headrace_companion.remote.connections import manager
from headrace_companion.remote.sources import Ambient
from headrace_protos.v1 import access_pb2, attempts_pb2_grpc
from headrace_scheduler.executors.port import Launch
from headrace_scheduler.handlers.access import Access
from headrace_scheduler.handlers.attempts import AttemptsService
from headrace_scheduler.stores.areas import Area, Areas
from headrace_scheduler.stores.composite import Stores
from headrace_servicekit.errors import STATUS_TRAILER, Reason, ServiceError, from_status
from headrace_servicekit.server import Served, serve


class OneAttempt:
    """What finds attempts, where one is in flight."""

    def __init__(self, launched: Launch) -> None:
        self.launch: Launch | None = launched

    async def find(self, run_id: str, path: str, number: int) -> Launch:
        if self.launch is None:
            raise ServiceError(Reason.ATTEMPT_SUPERSEDED, f"{path}#{number} of run {run_id} has ended, or never was")
        return self.launch


class Asking:
    """Calls Access as a companion does; counts the calls."""

    def __init__(self, address: str) -> None:
        self.calls = 0
        self._channel = grpc.insecure_channel(address)
        self._stub: Any = attempts_pb2_grpc.AttemptsStub(self._channel)

    def __call__(self, wants: Sequence[access_pb2.Want]) -> Sequence[access_pb2.Way]:
        self.calls += 1
        request = access_pb2.AccessRequest(run_id="run", path="task", attempt=1, wants=wants)
        try:
            ways: Sequence[access_pb2.Way] = self._stub.Access(request, timeout=20).ways
        except grpc.RpcError as failed:
            call = cast(Any, failed)
            trailers = dict(call.trailing_metadata() or ())
            raise from_status(call.code().value[0], call.details() or "", trailers.get(STATUS_TRAILER)) from failed
        return ways

    def close(self) -> None:
        self._channel.close()


@contextmanager
def scheduler(attempt: OneAttempt, stores: Stores) -> Iterator[Asking]:
    """Attempts, served while the block runs."""
    started, ended = threading.Event(), asyncio.Event()
    folder = tempfile.TemporaryDirectory()  # a socket's path is short
    socket = Path(folder.name) / "socket"
    loop = asyncio.new_event_loop()

    async def run() -> None:
        access = Access(stores)
        service = AttemptsService(None, cast(Any, None), cast(Any, attempt), cast(Any, None), cast(Any, None), access)
        served = Served(
            "headrace.v1.Attempts", lambda server: attempts_pb2_grpc.add_AttemptsServicer_to_server(service, server)
        )
        async with serve(f"unix:{socket}", [served], service="scheduler"):
            started.set()
            await ended.wait()
        access.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert started.wait(20)
    asking = Asking(f"unix:{socket}")
    try:
        yield asking
    finally:
        asking.close()
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
        folder.cleanup()


@contextmanager
def granted_store(s3: S3, name: str) -> Iterator[GrantedStore]:
    """A store of the port's tests: the attempt may write in all of it."""
    behind = s3_store(s3, name)
    attempt = OneAttempt(replace(launch(cast(Any, behind), "true"), task_root=behind.root))
    with scheduler(attempt, Stores(behind, [], Areas([Area(behind.root.rpartition("/")[0])]))) as asking:
        transfers = Transfers(lambda url: manager(url, Ambient(), 10.0))
        made = GrantedStore(behind.root, AskingGranter(asking), transfers, PATIENCE_S)
        yield made
        made.close()
    behind.close()


Companion = tuple[GrantedStore, Asking, OneAttempt]


@contextmanager
def companion(behind: S3Store, launched: Launch, *outputs: str, area: Area | None = None) -> Iterator[Companion]:
    """What one attempt's companion has."""
    attempt = OneAttempt(launched)
    with scheduler(attempt, Stores(behind, [], Areas([area or Area(behind.root)]))) as asking:
        made = attempt_store(launched.task_root, asking, Ambient(), outputs, PATIENCE_S)
        yield made, asking, attempt
        made.close()
