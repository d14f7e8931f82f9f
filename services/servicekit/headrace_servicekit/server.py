"""gRPC servers and channels: addresses, limits, health, reflection, and the interceptor pair on both ends.

`serve` is what each service calls: on a unix socket in a 0700 folder; on TCP with token checks (`network`) alone, but for the
public API on loopback. `channel` is what clients call.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.interceptors import ServerInterceptor, client_interceptors
from headrace_servicekit.network import LOCAL, Gate, Network, is_loopback
from headrace_servicekit.policies import CONTROL, OPEN, Policy
from headrace_servicekit.settings import private_folder
from headrace_servicekit.telemetry import SpanSink

logger = logging.getLogger(__name__)
ALIVE: Final = "headrace.alive"  # to the health service: SERVING while the process answers, whatever the probe says
LARGEST_MESSAGE: Final = 64 * 1024 * 1024
_COMMON: Final[list[tuple[str, int]]] = [
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    ("grpc.max_metadata_size", 32 * 1024),
]
_SERVER: Final = [
    *_COMMON,
    ("grpc.so_reuseport", 0),  # with it a second platform would silently share the port
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
]
_CLIENT: Final = [
    *_COMMON,
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 250),
    ("grpc.enable_http_proxy", 0),  # internal calls never leave by a proxy
]


class Served(NamedTuple):
    """A gRPC service on a server: its full name, the generated `add_…_to_server` bound to its servicer, who may call it."""

    name: str
    register: Callable[[grpc.aio.Server], None]
    policy: Policy = CONTROL


class Listening(NamedTuple):  # a started server; its address has the port that was really taken
    address: str


@asynccontextmanager
async def serve(
    address: str,
    served: Sequence[Served],
    *,
    service: str,
    probe: Callable[[], Awaitable[None]] | None = None,
    probe_every: float = 5.0,
    sink: SpanSink | None = None,
    grace: float = 3.0,
    network: Network = LOCAL,
) -> AsyncIterator[Listening]:
    """Serve SERVED at ADDRESS while the block runs; PROBE raises while the service SERVICE is not healthy."""
    check_address(address, network, public=all(one.policy.who == "public" for one in served))
    calls = ServerInterceptor(service, Gate(network, _policies(served), checked=not address.startswith("unix:")), sink)
    server = grpc.aio.server(interceptors=[calls], options=_SERVER)
    for one in served:
        one.register(server)
    checker = health.aio.HealthServicer()  # type: ignore[attr-defined]  # the stubs lack it
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    names = [one.name for one in served]
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    bound = await _bind(server, address, service)
    await checker.set(ALIVE, health_pb2.HealthCheckResponse.SERVING)
    await _report(checker, names, probe)
    await server.start()
    prober = asyncio.create_task(_probing(checker, names, probe, probe_every))
    try:
        yield Listening(bound)
    finally:
        prober.cancel()
        await asyncio.gather(prober, return_exceptions=True)
        await checker.enter_graceful_shutdown()
        await server.stop(grace)
        await calls.ended()
        if bound.startswith("unix:"):
            Path(bound.removeprefix("unix:")).unlink(missing_ok=True)


def channel(address: str, network: Network = LOCAL) -> grpc.aio.Channel:
    """A channel to ADDRESS whose calls raise ServiceError alone, and carry deadline, trace and NETWORK's own token."""
    return grpc.aio.insecure_channel(address, options=_CLIENT, interceptors=client_interceptors(address, network.token))


def check_address(address: str, network: Network = LOCAL, *, public: bool = True) -> None:
    """Refuse to listen where strangers could call: TCP without token checks, but for a PUBLIC service on loopback."""
    if address.startswith("unix:"):
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ServiceError(Reason.INVALID_INPUT, f"{address!r} is not an address; expected host:port or unix:/path")
    if network.verifier is not None or (public and (host == "localhost" or is_loopback(host))):
        return
    unsafe = f"refusing to listen on {address}: calls over the network would not be authenticated"
    instead = f"use 127.0.0.1:{port}" if public else "leave the setting out to use a unix socket"
    raise ServiceError(Reason.INVALID_INPUT, f"{unsafe}; {instead}, or set HEADRACE_TOKEN_FILE to check tokens")


def _policies(served: Sequence[Served]) -> dict[str, Policy]:
    """Of every service on one server. Who may call the public API may ask what it is."""
    described = CONTROL if any(one.policy is CONTROL for one in served) or not served else served[0].policy
    named = {one.name: one.policy for one in served}
    return {**named, health.SERVICE_NAME: OPEN, reflection.SERVICE_NAME: described}


async def _bind(server: grpc.aio.Server, address: str, service: str) -> str:
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        private_folder(path.parent)
        if await asyncio.to_thread(_answers, path):
            raise ServiceError(Reason.UNAVAILABLE, f"{service}: another process listens on {path}; stop it first")
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as refused:
        what_to_do = "it is in use; stop the other process or take another address"
        raise ServiceError(Reason.UNAVAILABLE, f"{service}: cannot listen on {address}: {what_to_do}") from refused
    if address.startswith("unix:"):
        path.chmod(0o600)
        return address
    return f"{address.rpartition(':')[0]}:{port}"


def _answers(path: Path) -> bool:
    """Whether a live server holds the socket at PATH; a dead one's file is gRPC's to replace."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(path)) == 0


async def _probing(checker: Any, names: Sequence[str], probe: Any, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        await _report(checker, names, probe)


async def _report(checker: Any, names: Sequence[str], probe: Callable[[], Awaitable[None]] | None) -> None:
    status = health_pb2.HealthCheckResponse.SERVING
    try:
        if probe is not None:
            async with asyncio.timeout(3):
                await probe()
    except Exception as unwell:  # noqa: BLE001  # any failure of a probe means the same: not serving
        logger.warning("not healthy: %s", unwell)
        status = health_pb2.HealthCheckResponse.NOT_SERVING
    for name in ("", *names):
        await checker.set(name, status)
