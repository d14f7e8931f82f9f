"""The gRPC channel to a platform, and what a failed call means. The only module that imports grpc.

Used by async_client. google.rpc.Status is read from the trailer here, so that the SDK needs no grpcio-status.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from headrace.errors import HeadraceError, PlatformUnreachable, Problem, make_error
from headrace.finding import is_local

DOMAIN: Final = "headrace.v1"
STATUS_TRAILER: Final = "grpc-status-details-bin"
LARGEST_MESSAGE: Final = 64 * 1024 * 1024


def open_channel(address: str, *, secure: bool = False) -> grpc.aio.Channel:
    """A channel to HOST:PORT, http(s)://HOST:PORT or unix:PATH; a proxy is never asked for this machine's own addresses."""
    parts = urlsplit(address) if "://" in address and not address.startswith("unix:") else None
    target = parts.netloc if parts else address
    options: list[tuple[str, int | str]] = [
        ("grpc.max_receive_message_length", LARGEST_MESSAGE),
        ("grpc.max_send_message_length", LARGEST_MESSAGE),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]
    if is_local(target):
        options.append(("grpc.enable_http_proxy", 0))
    if parts.scheme == "https" if parts else secure:
        return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=options)
    return grpc.aio.insecure_channel(target, options=options)


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
