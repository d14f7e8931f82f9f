"""Who may call: over the network those with a token; and a web page must not be able to start runs (design, section 2).

`refusal` is the rule for pages, pure; `guard` applies it and the token check to every request, `harden` sets headers on every
answer. No CORS headers, ever. That a page cannot make a browser send a token is why a caller with one may name any Host.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from headrace_apiserver.gateway.errors import gateway_error, rpc_error
from headrace_apiserver.gateway.grpc_web import is_grpc_web
from headrace_servicekit import callers
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.network import Network, admitted
from headrace_servicekit.policies import PUBLIC

UPLOAD_PATHS: Final = frozenset({"/apis/v2beta1/pipelines/upload", "/apis/v2beta1/pipelines/upload_version"})
HEALTH_PATHS: Final = (
    "/apis/v1beta1/healthz",
    "/apis/v2beta1/healthz",
)  # probes carry no token, and name the Pod's address
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """What a request says about where it comes from."""

    path: str
    host: str
    origin: str | None
    fetch_site: str | None
    content_type: str
    has_body: bool


@dataclass(frozen=True, slots=True)
class Door:
    """How callers are told apart. ENDPOINT is the address that clients were told, where it is not loopback; with GATEWAY a proxy
    that knows its users stands in front.
    """

    network: Network
    endpoint: str | None = None
    gateway: bool = False


def refusal(caller: Caller, endpoint: str | None, *, any_host: bool = False) -> str | None:
    """Why the request is refused, or None. ANY_HOST: who calls is known by other means than the address called."""
    ours = urlsplit(endpoint or "")
    host = _host_name(caller.host)
    if host is None or not (any_host or host in _LOOPBACK or caller.host.lower() == ours.netloc.lower()):
        return f"the Host header {caller.host!r} is not this server's; call it as 127.0.0.1 or localhost"
    if caller.fetch_site == "cross-site":
        return "requests of other web sites are refused (Sec-Fetch-Site: cross-site)"
    if caller.origin is not None and caller.origin.lower() not in _origins(caller.host, endpoint, any_host):
        return f"requests of the web page at {caller.origin!r} are refused: its origin is not this server's"
    if caller.has_body and not _is_ours(caller.content_type, caller.path):
        wanted = "application/grpc-web+proto" if _is_metadata(caller.path) else "application/json"
        return f"the Content-Type of the body is {caller.content_type!r}; send {wanted}"
    return None


def _host_name(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None


def _origins(host: str, endpoint: str | None, behind_tls: bool) -> set[str]:
    origins = {f"http://{host}".lower()}
    if behind_tls:  # what stands in front may have ended it
        origins.add(f"https://{host}".lower())
    if endpoint:
        ours = urlsplit(endpoint)
        origins.add(f"{ours.scheme}://{ours.netloc}".lower())
    return origins


def _is_ours(content_type: str, path: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    if _is_metadata(path):
        return is_grpc_web(kind)
    return kind == "application/json" or (kind == "multipart/form-data" and path in UPLOAD_PATHS)


def _is_metadata(path: str) -> bool:
    return path.startswith("/ml_metadata.")


def guard(door: Door) -> Callable[..., Awaitable[web.StreamResponse]]:
    """The middleware."""

    @web.middleware
    async def check(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            any_host = await _known(request, door)
            if (why := refusal(_caller(request), door.endpoint, any_host=any_host)) is not None:
                return _answer(*gateway_error(7, why))
        except ServiceError as refused:
            return _answer(*rpc_error(refused, "Authenticate"), refused.reason)
        return await handler(request)

    return check


async def _known(request: web.Request, door: Door) -> bool:
    """Finds out who calls, for the handlers; whether that is known by more than the address called. Raises where it must be."""
    if door.network.verifier is None:
        return door.gateway
    if request.method == hdrs.METH_GET and request.path in HEALTH_PATHS:
        return True
    peer = request.transport.get_extra_info("peername") if request.transport else None
    authorization = request.headers.get(hdrs.AUTHORIZATION)
    caller = await admitted(door.network, PUBLIC, authorization, str(peer[0]) if peer else "")
    callers.enter(caller)
    return door.gateway or not caller.is_local


def _answer(status: int, body: bytes, reason: int = Reason.FORBIDDEN) -> web.Response:
    headers = {hdrs.WWW_AUTHENTICATE: "Bearer"} if reason == Reason.UNAUTHENTICATED else None
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _caller(request: web.Request) -> Caller:
    headers = request.headers
    return Caller(
        path=request.path,
        host=headers.get(hdrs.HOST, ""),
        origin=headers.get(hdrs.ORIGIN),
        fetch_site=headers.get("Sec-Fetch-Site"),
        content_type=headers.get(hdrs.CONTENT_TYPE, ""),
        has_body=request.body_exists,
    )


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """For Application.on_response_prepare: so that streamed answers have the headers too."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
