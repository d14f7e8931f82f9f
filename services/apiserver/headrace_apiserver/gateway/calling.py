"""The /apis/ routes: find the rpc, bind the request, call the handler object, write its answer or error.

The handler objects are the servicers that the gRPC server registers too; in place of the gRPC context, which they do
not use, they get a RestCall. Called by gateway.app.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from headrace_apiserver.gateway.errors import gateway_error, rpc_error
from headrace_apiserver.gateway.json_rules import body_keys, message_to_json
from headrace_apiserver.gateway.measuring import RPC
from headrace_apiserver.gateway.routes import NotFound, Route, RouteTable, route_table
from headrace_apiserver.gateway.transcoding import bind
from headrace_apiserver.rest import RestCall
from headrace_servicekit.errors import Reason, ServiceError

logger = logging.getLogger(__name__)
MAX_BODY: Final = 64 << 20  # bytes of a JSON body; a spec inside one is bounded by its own limits besides


@dataclass(frozen=True, slots=True)
class Bound:
    """A service's descriptor and the object whose methods answer its rpcs."""

    descriptor: ServiceDescriptor
    handler: object


class Transcoder:
    """Answers every REST path that the annotations of the bound services name."""

    def __init__(self, services: list[Bound]) -> None:
        self._table: RouteTable = route_table(bound.descriptor for bound in services)
        self._handlers: Mapping[str, object] = {bound.descriptor.full_name: bound.handler for bound in services}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The aiohttp handler."""
        found = self._table.find(request.method, request.rel_url.raw_path)
        if isinstance(found, NotFound):
            code, text = (12, "Method Not Allowed") if found.other_method else (5, "Not Found")
            return _json(*gateway_error(code, text))
        route = found.route
        request[RPC] = f"{route.service}/{route.rpc}"
        try:
            body = await request.read()
            message = bind(found, request.query.items(), body)
        except web.HTTPRequestEntityTooLarge:
            return _json(*gateway_error(3, f"the body is larger than {MAX_BODY >> 20} MiB, the limit"))
        except ValueError as wrong:
            return _json(*gateway_error(3, str(wrong)))
        call = RestCall(body_keys(body) if route.body else frozenset())
        method = getattr(self._handlers[route.service], route.rpc)
        try:
            if route.streaming:
                return await _stream(request, method(message, call), route)
            return _json(200, message_to_json(await method(message, call)))
        except ServiceError as error:
            return _json(*rpc_error(error, route.rpc))
        except Exception as fault:  # noqa: BLE001  # the boundary of the service: logged once, and told in our own words
            return _json(*rpc_error(internal(fault, f"{request.method} {request.path}"), route.rpc))


async def _stream(request: web.Request, answers: AsyncIterator[Message], route: Route) -> web.StreamResponse:
    """A stream as grpc-gateway writes it: one JSON object a line, `result` or at the end `error`."""
    first = await anext(answers, None)  # so that an error before any answer has its own HTTP status
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        if first is not None:
            await response.write(b'{"result":' + message_to_json(first) + b"}\n")
            async for answer in answers:
                await response.write(b'{"result":' + message_to_json(answer) + b"}\n")
    except ServiceError as error:
        await response.write(b'{"error":' + rpc_error(error, route.rpc)[1] + b"}\n")
    finally:
        await close(answers)
    await response.write_eof()
    return response


async def close(answers: AsyncIterator[Any]) -> None:
    """End a stream whose reader has gone."""
    if hasattr(answers, "aclose"):
        await answers.aclose()


def internal(fault: Exception, what: str) -> ServiceError:
    """A fault of ours, logged with a number that the caller is given."""
    incident = uuid.uuid4().hex[:12]
    logger.error("%s failed (incident %s)", what, incident, exc_info=fault)
    return ServiceError(
        Reason.INTERNAL,
        f"a fault of Headrace in the apiserver: please report it with the lines of its log about incident {incident}",
    )


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")
