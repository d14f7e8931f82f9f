"""ML Metadata's public service, forwarded: the apiserver hands a call's bytes to persistence, which answers, and reads neither.

`served` is for the gRPC server, gateway/grpc_web.py for browsers; who may call is decided before, as for every public service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import grpc

from headrace_protos.ml_metadata import metadata_store_service_pb2
from headrace_servicekit.policies import PUBLIC
from headrace_servicekit.server import Served

_DESCRIPTOR: Final = metadata_store_service_pb2.DESCRIPTOR.services_by_name["MetadataStoreService"]
SERVICE: Final[str] = _DESCRIPTOR.full_name
Call = Callable[..., Any]


class Forwarder:
    """The calls of the service over one channel, bytes in and bytes out."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.calls: Mapping[str, Call] = {
            method.name: channel.unary_unary(f"/{SERVICE}/{method.name}", None, None) for method in _DESCRIPTOR.methods
        }

    def served(self) -> Served:
        """For the gRPC server."""
        handlers = {name: grpc.unary_unary_rpc_method_handler(_handler(call)) for name, call in self.calls.items()}
        generic = grpc.method_handlers_generic_handler(SERVICE, handlers)
        return Served(SERVICE, lambda server: server.add_generic_rpc_handlers((generic,)), PUBLIC)


def _handler(call: Call) -> Call:
    async def forward(request: bytes, context: Any) -> bytes:
        answer: bytes = await call(request)
        return answer

    return forward
