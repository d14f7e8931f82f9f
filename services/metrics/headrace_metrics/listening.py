"""The port of a process's metrics: one for all services in it, of its own, without TLS or tokens. Called by the composition root.

HEADRACE_METRICS_ADDRESS names it; without it nothing listens and nothing is measured that costs a query. A number alone is a
port on loopback.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, start_http_server

from headrace_metrics.collecting import ACCOUNTS, TRACES, Pools
from headrace_metrics.definitions import CALL_SECONDS, CALLS, REGISTRY
from headrace_servicekit import telemetry
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.settings import SettingsError, load

VARIABLE: Final = "HEADRACE_METRICS_ADDRESS"
_collected: list[bool] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """The one setting."""

    metrics_address: str = ""  # host:port, or a port of this machine's loopback; "": nothing listens


def wanted(environ: Mapping[str, str]) -> tuple[str, int] | None:
    """Host and port of the setting, None where there is none."""
    text = load(MetricsSettings, environ).metrics_address
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"{VARIABLE} is {text!r}; expected host:port, or a port of this machine")
    return host.strip("[]") or "127.0.0.1", int(port)


@contextmanager
def listening(environ: Mapping[str, str]) -> Iterator[str]:
    """Metrics are told while the block runs; the address with the port that was really taken, "" where none is wanted."""
    place = wanted(environ)
    if place is None:
        yield ""
        return
    _collect()
    host, port = place
    try:
        server, thread = start_http_server(port, host, REGISTRY)
    except OSError as refused:
        why = "the port is in use" if refused.errno == errno.EADDRINUSE else refused.strerror or str(refused)
        raise ServiceError(
            Reason.UNAVAILABLE, f"metrics: cannot listen on {host}:{port}: {why}; set {VARIABLE}"
        ) from None
    telemetry.on_call.append(_called)
    try:
        yield f"{host}:{server.server_port}"
    finally:
        telemetry.on_call.remove(_called)
        server.shutdown()
        server.server_close()
        thread.join()


def _called(service: str, method: str, code: str, seconds: float, *, stream: bool) -> None:
    name = method.removeprefix("/")
    CALLS.labels(service, name, code).inc()
    if not stream:
        CALL_SECONDS.labels(service, name).observe(seconds)


def _collect() -> None:
    """What is read when it is asked for, registered once in a process."""
    if not _collected:
        for collector in (
            Pools(telemetry.pools),
            ACCOUNTS,
            TRACES,
            PROCESS_COLLECTOR,
            PLATFORM_COLLECTOR,
            GC_COLLECTOR,
        ):
            REGISTRY.register(collector)
        _collected.append(True)
