"""The gRPC channels to a platform, and what a failed call means.

Used by connection and raw. google.rpc.Status is read from the trailer here, so that the SDK needs no grpcio-status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from headrace.errors import HeadraceError, PlatformUnreachable, Problem, make_error
from headrace.finding import is_local

DOMAIN: Final = "headrace.v1"
STATUS_TRAILER: Final = "grpc-status-details-bin"
DEADLINE: Final = 60.0  # seconds for one call; streams have none
LARGEST_MESSAGE: Final = 64 * 1024 * 1024


def target_of(address: str, *, secure: bool) -> tuple[str, bool]:
    """What gRPC is to connect to, from HOST:PORT, http(s)://HOST:PORT or unix:PATH; and whether over TLS."""
    if "://" not in address or address.startswith("unix:"):
        return address, secure
    parts = urlsplit(address)
    return parts.netloc, parts.scheme == "https"


def options_for(target: str) -> list[tuple[str, int | str]]:
    """A proxy is never asked for this machine's own addresses."""
    options: list[tuple[str, int | str]] = [
        ("grpc.max_receive_message_length", LARGEST_MESSAGE),
        ("grpc.max_send_message_length", LARGEST_MESSAGE),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]
    return [*options, ("grpc.enable_http_proxy", 0)] if is_local(target) else options


def open_channel(address: str, *, secure: bool = False) -> grpc.aio.Channel:
    """For asyncio."""
    target, secure = target_of(address, secure=secure)
    if secure:
        return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=options_for(target))
    return grpc.aio.insecure_channel(target, options=options_for(target))


def open_blocking_channel(address: str, *, secure: bool = False) -> grpc.Channel:
    """For threads."""
    target, secure = target_of(address, secure=secure)
    if secure:
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(), options=options_for(target))
    return grpc.insecure_channel(target, options=options_for(target))


class Dressed:
    """A channel, of either kind, whose calls carry the metadata that DRESS makes, and have a deadline (streams none) where the
    caller gives none.

    Generated stubs take it for the channel itself: these two methods are all that ours ask of one.
    """

    def __init__(self, channel: Any, dress: Callable[[], Sequence[tuple[str, str]]]) -> None:
        self._channel = channel
        self._dress = dress

    def unary_unary(self, *arguments: Any, **options: Any) -> DressedCall:
        return DressedCall(self._channel.unary_unary(*arguments, **options), self._dress, DEADLINE)

    def unary_stream(self, *arguments: Any, **options: Any) -> DressedCall:
        return DressedCall(self._channel.unary_stream(*arguments, **options), self._dress, None)


class DressedCall:
    """One rpc; called as gRPC's own."""

    def __init__(self, call: Any, dress: Callable[[], Sequence[tuple[str, str]]], deadline: float | None) -> None:
        self._call = call
        self._dress = dress
        self._deadline = deadline

    def __call__(self, request: Any, *, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
        return self._call(request, **self._with(timeout, metadata), **options)

    def future(self, request: Any, *, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
        """Of blocking channels."""
        return self._call.future(request, **self._with(timeout, metadata), **options)

    def with_call(self, request: Any, *, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
        """Of blocking channels."""
        return self._call.with_call(request, **self._with(timeout, metadata), **options)

    def _with(self, timeout: float | None, metadata: Any) -> dict[str, Any]:
        return {
            "timeout": self._deadline if timeout is None else timeout,
            "metadata": (*self._dress(), *(metadata or ())),
        }


def from_call(failed: grpc.aio.AioRpcError, address: str) -> HeadraceError:
    """The SDK's exception for a call that failed."""
    status, reason, problems = status_pb2.Status(), "", list[Problem]()
    trailer = dict(cast("Iterable[tuple[str, bytes]]", failed.trailing_metadata() or ())).get(STATUS_TRAILER, b"")
    try:
        status.ParseFromString(trailer)
    except DecodeError:
        status = status_pb2.Status()
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for packed in status.details:
        if packed.Unpack(info):
            reason = info.reason if info.domain == DOMAIN else reason
        elif packed.Unpack(bad):
            problems += [Problem(one.field, one.description) for one in bad.field_violations]
    if not reason and failed.code() == grpc.StatusCode.UNAVAILABLE:
        return PlatformUnreachable(f"no platform answers at {address}: {failed.details() or 'no connection'}")
    return make_error(reason, failed.code().name, status.message or failed.details() or failed.code().name, problems)
