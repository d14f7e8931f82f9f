"""The composition of persistence: database, stores, handlers, loops and one gRPC server. Called by `headrace serve persistence`
and by the embedded platform.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from headrace_persistence.handlers.catalog import Catalog
from headrace_persistence.handlers.lineage import Lineage
from headrace_persistence.handlers.metadata import MetadataStore
from headrace_persistence.handlers.retention import Retention
from headrace_persistence.handlers.run_query import RunQuery
from headrace_persistence.handlers.run_store import RunStore
from headrace_persistence.housekeeping import Housekeeper
from headrace_persistence.lineage.comparing import Comparison
from headrace_persistence.lineage.finding import Records
from headrace_persistence.lineage.walking import Walker
from headrace_persistence.measuring import Measurer
from headrace_persistence.metadata.finding import Finder
from headrace_persistence.metadata.putting import Writer
from headrace_persistence.notifying import Hub
from headrace_persistence.queries import MIGRATIONS, SCHEMA
from headrace_persistence.retention.dooming import Doomer
from headrace_persistence.retention.erasing import Eraser
from headrace_persistence.retention.keeping import MOST_RUNS, Keeper
from headrace_persistence.retention.looking import Looker, Neighbours
from headrace_persistence.retention.rules import Rules
from headrace_persistence.retention.sweeping import Sweeper, pacer
from headrace_persistence.settings import PersistenceSettings
from headrace_persistence.stores.appending import Appender
from headrace_persistence.stores.archiving import Archive
from headrace_persistence.stores.delivering import Inbox
from headrace_persistence.stores.experiments import Experiments
from headrace_persistence.stores.feed import Feed
from headrace_persistence.stores.loading import Loader
from headrace_persistence.stores.noting import Notes
from headrace_persistence.stores.pipelines import Pipelines
from headrace_persistence.stores.querying import Runs
from headrace_persistence.stores.sessions import Sessions
from headrace_persistence.stores.using import Usage
from headrace_persistence.tracing.exporting import Projector
from headrace_persistence.watching import Watcher
from headrace_protos.ml_metadata.metadata_store_service_pb2_grpc import add_MetadataStoreServiceServicer_to_server
from headrace_protos.v1 import (
    cache_pb2_grpc,
    catalog_pb2_grpc,
    lineage_pb2_grpc,
    retention_pb2_grpc,
    run_query_pb2_grpc,
    run_store_pb2_grpc,
    scheduler_pb2_grpc,
)
from headrace_servicekit import server, telemetry
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.network import LOCAL, Network
from headrace_servicekit.postgres import Database, migrate
from headrace_servicekit.settings import Settings
from headrace_servicekit.telemetry import SpanSink


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


@asynccontextmanager
async def running(settings: Settings, sink: SpanSink | None = None, network: Network = LOCAL) -> AsyncIterator[Handle]:
    """Persistence while the block runs; spans go to SINK, where there is one."""
    async with await serve(settings, sink, network) as handle:
        yield handle


async def serve(settings: Settings, sink: SpanSink | None = None, network: Network = LOCAL) -> Handle:
    """Migrate, connect and listen; everything that was started is ended where a step fails."""
    if not settings.database_url:
        raise ServiceError(
            Reason.INVALID_INPUT,
            "persistence needs a database: set HEADRACE_DATABASE_URL to a Postgres of release 15 or later",
        )
    await migrate(settings.database_url, SCHEMA, MIGRATIONS)
    own = settings if isinstance(settings, PersistenceSettings) else PersistenceSettings()
    own.checked()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            Database(settings.database_url, name="persistence", min_size=2, max_size=own.persistence_connections)
        )
        await stack.enter_async_context(Housekeeper(database).running())
        if telemetry.on_call:  # somebody is told
            await stack.enter_async_context(Measurer(database).running())
        inbox = Inbox(database)
        hub = await stack.enter_async_context(Hub(database, inbox.waits).running())
        if sink is not None:
            projector = await stack.enter_async_context(Projector(database, Runs(database), sink).running())
            hub.listeners.append(projector.runs_changed)
        neighbours = Neighbours(
            cache_pb2_grpc.CacheStub(
                await stack.enter_async_context(server.channel(settings.address_of("cache"), network))
            ),
            scheduler_pb2_grpc.ArtifactAccessStub(
                await stack.enter_async_context(server.channel(settings.address_of("scheduler"), network))
            ),
        )
        retention = _retention(database, own, neighbours, inbox, hub)
        await stack.enter_async_context(retention.keeper.running(own.retention_every))
        told: Any = {"service": "persistence", "probe": database.probe, "sink": sink, "network": network}
        listening = await stack.enter_async_context(
            server.serve(settings.listening("persistence"), _served(database, inbox, hub, retention), **told)
        )
        return Handle(listening.address, stack.pop_all())
    raise AssertionError("the stack never swallows an error")


def _retention(
    database: Database, settings: PersistenceSettings, neighbours: Neighbours, inbox: Inbox, hub: Hub
) -> Retention:
    """What keeps storage from growing, and what erases."""
    pace = pacer(settings.retention_rate)
    rules = Rules(database, settings.policies())
    looker = Looker(database, neighbours, MOST_RUNS)
    sweeper = Sweeper(database, neighbours, pace)
    doomer = Doomer(database, neighbours, inbox)
    keeper = Keeper(database, rules, looker, doomer, sweeper, hub.inbox_changed, pace)
    return Retention(database=database, rules=rules, keeper=keeper, eraser=Eraser(database, sweeper))


def _served(database: Database, inbox: Inbox, hub: Hub, retention: Retention) -> list[server.Served]:
    store = RunStore(
        inbox=inbox,
        sessions=Sessions(database),
        loader=Loader(database),
        appender=Appender(database),
        archive=Archive(database),
        notes=Notes(database),
        hub=hub,
    )
    runs = Runs(database)
    query = RunQuery(runs=runs, watcher=Watcher(runs, hub, Feed(database)), usage=Usage(database))
    catalog = Catalog(experiments=Experiments(database), pipelines=Pipelines(database))
    lineage = Lineage(records=Records(database), walker=Walker(database), comparison=Comparison(database))
    metadata = MetadataStore(finder=Finder(database), writer=Writer(database))
    return [
        server.Served(
            "ml_metadata.MetadataStoreService", lambda on: add_MetadataStoreServiceServicer_to_server(metadata, on)
        ),
        server.Served("headrace.v1.Lineage", lambda on: lineage_pb2_grpc.add_LineageServicer_to_server(lineage, on)),
        server.Served(
            "headrace.v1.Retention", lambda on: retention_pb2_grpc.add_RetentionServicer_to_server(retention, on)
        ),
        server.Served("headrace.v1.RunStore", lambda on: run_store_pb2_grpc.add_RunStoreServicer_to_server(store, on)),
        server.Served("headrace.v1.RunQuery", lambda on: run_query_pb2_grpc.add_RunQueryServicer_to_server(query, on)),
        server.Served("headrace.v1.Catalog", lambda on: catalog_pb2_grpc.add_CatalogServicer_to_server(catalog, on)),
    ]
