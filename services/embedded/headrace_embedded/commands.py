"""The server verbs of the `headrace` command, found by the entry-point group `headrace.commands`.

Each is a function from arguments to an exit code. Imports are inside: `headrace up --help` must not load four services.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace_servicekit.network import Network
    from headrace_servicekit.settings import Settings
    from headrace_servicekit.telemetry import SpanSink

    Start = Callable[[dict[str, str], SpanSink | None, Network], AbstractAsyncContextManager[Any]]

BAD_INPUT = 2
# A service holds its runs' rows for long and makes little cyclic garbage: Python's usual 700 new objects between two looks for
# it cost a loop of 100,000 items a third of its time, and this costs it no memory (bench/size.py).
COLLECTING = (50_000, 20, 50)
SERVICES = ("apiserver", "scheduler", "persistence", "cache", "postgres")


def up(argv: Sequence[str]) -> int:
    """Run the whole platform in the foreground."""
    options = _up_parser().parse_args(argv)
    environ = dict(os.environ)
    given = {
        "HEADRACE_HOME": options.home,
        "HEADRACE_HTTP_ADDRESS": options.http,
        "HEADRACE_GRPC_ADDRESS": options.grpc,
    }
    environ.update({name: value for name, value in given.items() if value})
    say = _silent if options.quiet else _say
    from headrace_embedded.composing import platform  # before there is a loop that it would hold up

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with platform(environ, say) as one:
            say(
                f"headrace is up: REST and web page http://{one.http_address}, gRPC {one.grpc_address}, data {one.home}"
            )
            say("stop it with Ctrl-C")
            watch = asyncio.create_task(_end_with(one.replica), name="watch the scheduler")
            try:
                yield
            finally:
                watch.cancel()
                say("stopping")

    return _serving(environ, running)


def serve(argv: Sequence[str]) -> int:
    """Run one service in the foreground."""
    options = _serve_parser().parse_args(argv)
    environ = dict(os.environ)
    start = _starter(options.name)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with _service(options.name, start, environ) as one:
            _say(f"{options.name} is up{_where(one)}")
            watch = asyncio.create_task(_end_with(getattr(one, "replica", None)), name="watch the scheduler")
            try:
                yield
            finally:
                watch.cancel()

    return _serving(environ, running)


def validate(argv: Sequence[str]) -> int:
    """Check a pipeline file and print every problem with its place."""
    parser = argparse.ArgumentParser(prog="headrace validate", description=validate.__doc__)
    parser.add_argument("file", type=Path, help="IR YAML or JSON, zip or tar.gz")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    options = parser.parse_args(argv)
    from headrace_embedded.validating import validate_file

    return validate_file(options.file, as_json=options.output == "json")


def _up_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headrace up", description=up.__doc__)
    parser.add_argument("--home", metavar="FOLDER", help="data folder (HEADRACE_HOME; default ~/.local/share/headrace)")
    parser.add_argument(
        "--http", metavar="HOST:PORT", help="REST address (default 127.0.0.1:8888; port 0 = a free one)"
    )
    parser.add_argument(
        "--grpc", metavar="HOST:PORT", help="gRPC address (default 127.0.0.1:8887; port 0 = a free one)"
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")
    return parser


def _serve_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headrace serve", description=serve.__doc__)
    parser.add_argument("name", metavar="SERVICE", choices=SERVICES, help=f"which one: {', '.join(SERVICES)}")
    return parser


PARSERS = {"up": _up_parser, "serve": _serve_parser}  # what completes commands in shells reads them


@asynccontextmanager
async def _service(name: str, start: Start, environ: dict[str, str]) -> AsyncIterator[Any]:
    from headrace_embedded.exporting import exporter_from
    from headrace_metrics.collecting import TRACES
    from headrace_metrics.listening import listening
    from headrace_servicekit.settings import Settings, load

    settings = load(Settings, environ)
    if name in ("persistence", "cache"):
        environ = {**environ, "HEADRACE_DATABASE_URL": await _database(settings)}
    async with AsyncExitStack() as stack:
        if place := stack.enter_context(listening({} if name == "postgres" else environ)):
            _say(f"metrics of {name}: http://{place}/metrics")
        exporter = exporter_from(environ)
        TRACES.exporter = exporter
        sink = None if exporter is None else await stack.enter_async_context(exporter)
        yield await stack.enter_async_context(start(environ, sink, _network(settings)))


async def _database(settings: Settings) -> str:
    """Where Postgres is, once it answers: what is started together with its clients may be the last to be up."""
    from headrace_embedded.reaching import answering, bundled_database

    if settings.database_url is None:
        return await bundled_database(settings.home, _say)
    if (away := await answering(settings.database_url, lambda why: _say(f"waiting for Postgres: {why}"))) is not None:
        raise away
    return settings.database_url


def _network(settings: Settings) -> Network:
    """Loaded only where there is a token: on one machine nobody checks any."""
    from headrace_servicekit.network import LOCAL

    if settings.token_file is None:
        return LOCAL
    from headrace_identity.meeting import network_of

    return network_of(settings)


def _starter(name: str) -> Start:
    """How to run the service NAME, with its modules loaded: a loop that already runs would be held up by that."""
    import headrace_embedded.exporting
    from headrace_servicekit.settings import Settings, load

    if name in ("persistence", "cache"):  # the others have no client of Postgres in their images
        import headrace_embedded.reaching  # noqa: F401
    if name == "postgres":
        from headrace_embedded.postgres import BundledPostgres

        return lambda environ, *_: BundledPostgres(load(Settings, environ).home, progress=_say)
    if name == "persistence":
        from headrace_persistence import server as persistence
        from headrace_persistence.settings import PersistenceSettings

        return lambda environ, *to: persistence.running(load(PersistenceSettings, environ), *to)
    if name == "cache":
        from headrace_cache import server as cache

        return lambda environ, *to: cache.running(load(cache.CacheSettings, environ), *to)
    if name == "scheduler":
        from headrace_scheduler import server as scheduler
        from headrace_scheduler.settings import SchedulerSettings

        return lambda environ, *to: scheduler.running(load(SchedulerSettings, environ), *to)
    from headrace_apiserver import server as apiserver

    return lambda environ, *to: apiserver.running(load(apiserver.ApiserverSettings, environ), *to)


def _where(one: Any) -> str:
    if hasattr(one, "dsn"):
        return f": HEADRACE_DATABASE_URL={one.dsn()}"
    addresses = [getattr(one, name) for name in ("http_address", "grpc_address", "address") if hasattr(one, name)]
    return f" on {', '.join(addresses)}" if addresses else ""


async def _end_with(replica: Any) -> None:
    """A scheduler loop that died is a fault of ours: end the process, so that a supervisor or a user sees it."""
    if replica is None:
        return
    try:
        await replica.failed()
    except Exception as fault:  # noqa: BLE001  # whatever it was, the platform cannot go on without its scheduler
        print(f"headrace: the scheduler stopped: {type(fault).__name__}: {fault}; see the log above", file=sys.stderr)
        os.kill(os.getpid(), 15)


def _serving(environ: dict[str, str], running: Any) -> int:
    from headrace_embedded.lifecycle import run_until_signal, set_up_logging
    from headrace_servicekit.errors import ServiceError
    from headrace_servicekit.settings import Settings, SettingsError, load

    gc.set_threshold(*COLLECTING)
    try:
        settings = load(Settings, environ)
        set_up_logging(settings.log_level, settings.log_format)
        return run_until_signal(running)
    except (ServiceError, SettingsError) as failed:
        print(f"headrace: {failed}", file=sys.stderr)
        return BAD_INPUT


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _silent(sentence: str) -> None:
    """Nothing is said."""
