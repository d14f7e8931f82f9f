"""The composition root: Postgres and the four services in one process, over the same gRPC as on a cluster.

The only module that imports several services. Order: lock, Postgres, persistence, cache, scheduler, apiserver; the reverse at
the end. Started by commands.py.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from headrace_apiserver import server as apiserver
from headrace_cache import server as cache
from headrace_embedded.exporting import exporter_from
from headrace_embedded.holding import announced, held
from headrace_embedded.postgres import BundledPostgres
from headrace_metrics.collecting import TRACES
from headrace_metrics.listening import listening
from headrace_persistence import server as persistence
from headrace_persistence.settings import PersistenceSettings
from headrace_scheduler import server as scheduler
from headrace_scheduler.replica import Replica
from headrace_scheduler.settings import SchedulerSettings
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.settings import Settings, load, private_folder, sockets_folder

Environ = dict[str, str]


@dataclass(frozen=True, slots=True)
class Platform:
    """What is up: the addresses that clients use, and the replica whose end is everybody's."""

    home: Path
    http_address: str
    grpc_address: str
    replica: Replica


@asynccontextmanager
async def platform(environ: Environ, progress: Callable[[str], None]) -> AsyncIterator[Platform]:
    """The whole platform while the block runs; `progress` gets a sentence for each stage."""
    settings = load(Settings, environ)
    async with AsyncExitStack() as stack:
        stack.enter_context(held(settings.home))
        private_folder(sockets_folder(settings.home))
        database_url = settings.database_url
        if database_url is None:
            progress("starting Postgres")
            database = await stack.enter_async_context(BundledPostgres(settings.home, progress=progress))
            database_url = database.dsn()
        inner = {**environ, "HEADRACE_DATABASE_URL": database_url, "HEADRACE_HOME": str(settings.home)}
        progress("starting the services")
        if place := stack.enter_context(listening(environ)):
            progress(f"metrics: http://{place}/metrics")
        exporter = exporter_from(environ)
        TRACES.exporter = exporter
        sink = None if exporter is None else await stack.enter_async_context(exporter)
        with _naming_the_setting(settings):
            await stack.enter_async_context(persistence.running(load(PersistenceSettings, inner), sink))
        await stack.enter_async_context(cache.running(load(cache.CacheSettings, inner), sink))
        driving = load(SchedulerSettings, {**inner, "HEADRACE_TAKE_OVER": "true"})
        replica = (await stack.enter_async_context(scheduler.running(driving, sink))).replica
        api = await stack.enter_async_context(apiserver.running(load(apiserver.ApiserverSettings, inner), sink))
        facts = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "http_address": api.http_address,
            "grpc_address": api.grpc_address,
            "sockets": str(sockets_folder(settings.home)),
        }
        stack.enter_context(announced(settings.home, facts))
        yield Platform(settings.home, api.http_address, api.grpc_address, replica)


@contextmanager
def _naming_the_setting(settings: Settings) -> Iterator[None]:
    """A database of the user's own that does not answer is told with what to do about it."""
    try:
        yield
    except ServiceError as failed:
        if failed.reason != Reason.UNAVAILABLE or settings.database_url is None:
            raise
        advice = "start that Postgres, or correct HEADRACE_DATABASE_URL; without the setting Headrace brings its own"
        raise ServiceError(Reason.UNAVAILABLE, f"{failed.message}; {advice}") from failed
