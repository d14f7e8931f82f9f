"""The composition of persistence: database, stores, handlers, loops and one gRPC server. Called by `headrace serve persistence`
and by the embedded platform.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from headrace_persistence.handlers.run_store import RunStore
from headrace_persistence.housekeeping import Housekeeper
from headrace_persistence.notifying import Hub
from headrace_persistence.queries import MIGRATIONS, SCHEMA
from headrace_persistence.settings import PersistenceSettings
from headrace_persistence.stores.appending import Appender
from headrace_persistence.stores.archiving import Archive
from headrace_persistence.stores.delivering import Inbox
from headrace_persistence.stores.loading import Loader
from headrace_persistence.stores.sessions import Sessions
from headrace_protos.v1 import run_store_pb2_grpc
from headrace_servicekit import server
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, migrate
from headrace_servicekit.settings import Settings


@dataclass(slots=True)
class Handle:
    """A running persistence service."""

    address: str
    _stack: AsyncExitStack

    async def aclose(self) -> None:
        """End it: calls in flight get a few seconds, then the pool is closed. Idempotent."""
        await self._stack.aclose()

    async def __aenter__(self) -> Handle:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def serve(settings: Settings) -> Handle:
    """Migrate, connect and listen; everything that was started is ended where a step fails."""
    if not settings.database_url:
        raise ServiceError(
            Reason.INVALID_INPUT,
            "persistence needs a database: set HEADRACE_DATABASE_URL to a Postgres of release 15 or later",
        )
    await migrate(settings.database_url, SCHEMA, MIGRATIONS)
    most = settings.persistence_connections if isinstance(settings, PersistenceSettings) else 6
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            Database(settings.database_url, name="persistence", min_size=2, max_size=most)
        )
        await stack.enter_async_context(Housekeeper(database).running())
        inbox = Inbox(database)
        hub = await stack.enter_async_context(Hub(database, inbox.waits).running())
        store = RunStore(
            inbox=inbox,
            sessions=Sessions(database),
            loader=Loader(database),
            appender=Appender(database),
            archive=Archive(database),
            hub=hub,
        )
        served = [
            server.Served(
                "headrace.v1.RunStore", lambda grpc: run_store_pb2_grpc.add_RunStoreServicer_to_server(store, grpc)
            )
        ]
        listening = await stack.enter_async_context(
            server.serve(settings.address_of("persistence"), served, service="persistence", probe=database.probe)
        )
        return Handle(listening.address, stack.pop_all())
    raise AssertionError("the stack never swallows an error")
