"""Starts the cache service; called by `headrace serve cache` and the composition root."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from headrace_cache.ages import Ages, parse_ages
from headrace_cache.handlers import CacheService
from headrace_cache.store import MIGRATIONS, SCHEMA, CacheStore
from headrace_protos.v1 import cache_pb2_grpc
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.network import LOCAL, Network
from headrace_servicekit.postgres import Database, migrate
from headrace_servicekit.server import Served, serve
from headrace_servicekit.settings import Settings, SettingsError
from headrace_servicekit.telemetry import SpanSink


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings(Settings):
    """What the cache knows besides the common settings."""

    cache_connections: int = 2  # in its pool at most
    cache_max_age: float = 0.0  # seconds after which an entry is no longer used; 0: never
    cache_max_ages: str = (
        ""  # "NAMESPACE=7d NAMESPACE/PIPELINE=12h …": the same for some, where a lookup asks for nothing else
    )

    def ages(self) -> Ages:
        """Both as one."""
        try:
            return parse_ages(self.cache_max_ages, self.cache_max_age)
        except ValueError as wrong:
            raise SettingsError(f"HEADRACE_CACHE_MAX_AGES: {wrong}") from None


@dataclass(frozen=True, slots=True)
class Running:
    """Where it listens."""

    address: str


@asynccontextmanager
async def running(
    settings: CacheSettings, sink: SpanSink | None = None, network: Network = LOCAL
) -> AsyncIterator[Running]:
    """The cache while the block runs; brings its schema up to date first."""
    if settings.database_url is None:
        raise ServiceError(
            Reason.INVALID_INPUT, "cache: HEADRACE_DATABASE_URL is not set; give a Postgres to keep entries in"
        )
    await migrate(settings.database_url, SCHEMA, MIGRATIONS)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            Database(settings.database_url, name="cache", max_size=settings.cache_connections)
        )
        service = CacheService(CacheStore(database), settings.ages())
        served = [
            Served("headrace.v1.Cache", lambda server: cache_pb2_grpc.add_CacheServicer_to_server(service, server))
        ]
        told: Any = {"service": "cache", "probe": database.probe, "sink": sink, "network": network}
        listening = await stack.enter_async_context(serve(settings.listening("cache"), served, **told))
        yield Running(listening.address)
