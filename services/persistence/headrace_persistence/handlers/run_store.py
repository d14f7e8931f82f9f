"""headrace.v1.RunStore: the scheduler's sessions, shards and appends; the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from headrace_metrics.definitions import APPEND_SECONDS
from headrace_persistence.measuring import count
from headrace_persistence.notifying import Hub
from headrace_persistence.stores.appending import Appender
from headrace_persistence.stores.archiving import Archive
from headrace_persistence.stores.delivering import Inbox
from headrace_persistence.stores.loading import Loader
from headrace_persistence.stores.noting import Notes
from headrace_persistence.stores.sessions import Sessions
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_protos.v1 import run_store_pb2_grpc


class RunStore(run_store_pb2_grpc.RunStoreServicer):
    """Each rpc is one call of a store, and a wake-up after its commit."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        sessions: Sessions,
        loader: Loader,
        appender: Appender,
        archive: Archive,
        notes: Notes,
        hub: Hub,
    ) -> None:
        self._inbox, self._sessions, self._loader, self._appender = inbox, sessions, loader, appender
        self._archive, self._notes, self._hub = archive, notes, hub
        self._appends: set[asyncio.Task[rs.AppendResponse]] = set()  # under way, also where nobody waits any more

    async def Deliver(self, request: rs.DeliverRequest, context: Any) -> rs.DeliverResponse:  # noqa: N802
        delivered = await self._inbox.deliver(request)
        if delivered.fresh:
            self._hub.inbox_changed()
        return delivered.response

    async def SetStorageState(  # noqa: N802
        self, request: rs.SetStorageStateRequest, context: Any
    ) -> rs.SetStorageStateResponse:
        await self._archive.set_run(request.run_id, request.storage_state)
        return rs.SetStorageStateResponse()

    async def OpenSession(self, request: rs.OpenSessionRequest, context: Any) -> rs.OpenSessionResponse:  # noqa: N802
        return await self._sessions.open(request)

    async def FindHolder(self, request: rs.FindHolderRequest, context: Any) -> rs.FindHolderResponse:  # noqa: N802
        return await self._sessions.holder(request)

    async def RenewSession(self, request: rs.RenewSessionRequest, context: Any) -> rs.RenewSessionResponse:  # noqa: N802
        return await self._sessions.renew(request)

    async def CloseSession(self, request: rs.CloseSessionRequest, context: Any) -> rs.CloseSessionResponse:  # noqa: N802
        await self._sessions.close(request)
        return rs.CloseSessionResponse()

    async def LoadRuns(self, request: rs.LoadRunsRequest, context: Any) -> AsyncIterator[rs.RunSnapshot]:  # noqa: N802
        async for snapshot in self._loader.load(request):
            yield snapshot

    async def FetchInbox(self, request: rs.FetchInboxRequest, context: Any) -> rs.FetchInboxResponse:  # noqa: N802
        return await self._inbox.fetch(request)

    async def WatchInbox(  # noqa: N802
        self, request: rs.WatchInboxRequest, context: Any
    ) -> AsyncIterator[rs.WatchInboxResponse]:
        with self._hub.watch_inbox(request.session_id) as watch:
            watch.news.set()  # what came before the watch counts too
            while True:
                await watch.news.wait()
                watch.news.clear()
                yield rs.WatchInboxResponse()

    async def Append(self, request: rs.AppendRequest, context: Any) -> rs.AppendResponse:  # noqa: N802
        # A caller that goes away must not leave the answer of a half-sent commit behind: the transaction ends either way.
        work = asyncio.create_task(self._append(request))
        self._appends.add(work)
        work.add_done_callback(self._appended)
        return await asyncio.shield(work)

    async def _append(self, request: rs.AppendRequest) -> rs.AppendResponse:
        with APPEND_SECONDS.time():
            appended = await self._appender.append(request)
        count(request, appended.runs)
        self._hub.runs_changed(appended.changed)
        return rs.AppendResponse(runs=appended.runs)

    async def NoteImages(self, request: rs.NoteImagesRequest, context: Any) -> rs.NoteImagesResponse:  # noqa: N802
        await self._notes.images(request)
        return rs.NoteImagesResponse()

    def _appended(self, work: asyncio.Task[rs.AppendResponse]) -> None:
        self._appends.discard(work)
        if not work.cancelled():
            work.exception()  # the caller has it, or is gone and will ask again
