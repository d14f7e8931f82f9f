"""gRPC-web for the forwarded service: one request frame in, one answer frame and the trailers out, binary or as base64.

The frames are read and written here, what is in them is not. Browsers that show KFP's pages speak this. Called by gateway.app.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from headrace_apiserver.forwarding import SERVICE
from headrace_apiserver.gateway.calling import MAX_BODY, internal
from headrace_servicekit.errors import Reason, ServiceError, code_of

BINARY: Final = "application/grpc-web"
TEXT: Final = "application/grpc-web-text"
PATH: Final = f"/{SERVICE}/{{method}}"
_SECONDS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_TRAILERS: Final = 0x80


def is_grpc_web(content_type: str) -> bool:
    """Whether a Content-Type, without parameters, is gRPC-web."""
    return content_type.removesuffix("+proto") in (BINARY, TEXT)


class GrpcWeb:
    """Answers the paths of the forwarded service."""

    def __init__(self, calls: Mapping[str, Any]) -> None:
        self._calls = calls

    async def answer(self, request: web.Request) -> web.Response:
        """The aiohttp handler: the status of the call is in its trailers, that of HTTP is 200."""
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        text = kind.startswith(TEXT)
        try:
            message = await self._called(request, text=text)
        except ServiceError as error:
            message = failed(error)
        except Exception as fault:  # noqa: BLE001  # the boundary of the service: logged once, and told in our own words
            message = failed(internal(fault, request.path))
        body = base64.b64encode(message) if text else message
        return web.Response(body=body, headers={"Content-Type": f"{TEXT if text else BINARY}+proto"})

    async def _called(self, request: web.Request, *, text: bool) -> bytes:
        call = self._calls.get(request.match_info["method"])
        if call is None:
            raise ServiceError(Reason.NOT_IMPLEMENTED, f"{SERVICE} has no method {request.match_info['method']}")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise ServiceError(Reason.TOO_LARGE, f"the body is larger than {MAX_BODY >> 20} MiB, the limit") from None
        answer: bytes = await call(unframed(body, text=text), timeout=seconds(request.headers.get("grpc-timeout", "")))
        return framed(answer, trailers={"grpc-status": "0"})


def unframed(body: bytes, *, text: bool) -> bytes:
    """The one message of a request."""
    if text:
        try:
            body = base64.b64decode(body, validate=True)
        except binascii.Error:
            raise ServiceError(Reason.INVALID_INPUT, "the body is not the base64 of a gRPC-web frame") from None
    if len(body) < 5 or int.from_bytes(body[1:5], "big") != len(body) - 5:
        raise ServiceError(Reason.INVALID_INPUT, "the body is not one gRPC-web frame: a flag, a length, a message")
    if body[0] != 0:
        raise ServiceError(Reason.NOT_IMPLEMENTED, "compressed gRPC-web frames are not read; send them as they are")
    return body[5:]


def framed(message: bytes, *, trailers: Mapping[str, str]) -> bytes:
    """A message and the trailers after it."""
    return _frame(0, message) + _told(trailers)


def failed(error: ServiceError) -> bytes:
    """The answer of a call that failed: trailers alone."""
    message = quote(error.message, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")
    return _told({"grpc-status": str(code_of(error.reason)), "grpc-message": message})


def seconds(timeout: str) -> float | None:
    """The header grpc-timeout; None where there is none that can be read."""
    found = re.fullmatch(r"(\d{1,8})([HMSmun])", timeout)
    return int(found[1]) * _SECONDS[found[2]] if found else None


def _told(trailers: Mapping[str, str]) -> bytes:
    return _frame(_TRAILERS, "".join(f"{name}: {value}\r\n" for name, value in trailers.items()).encode())


def _frame(flag: int, content: bytes) -> bytes:
    return bytes([flag]) + len(content).to_bytes(4, "big") + content
