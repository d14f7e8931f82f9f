"""Who may call: a web page must not be able to start runs through the loopback port (design, section 2).

`refusal` is the rule, pure; `guard` applies it to every request, `harden` sets headers on every answer. No CORS headers, ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from headrace_apiserver.gateway.errors import gateway_error

UPLOAD_PATHS: Final = frozenset({"/apis/v2beta1/pipelines/upload", "/apis/v2beta1/pipelines/upload_version"})
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


def refusal(caller: Caller, endpoint: str | None) -> str | None:
    """Why the request is refused, or None. ENDPOINT is the address that clients were told, where it is not loopback."""
    ours = urlsplit(endpoint or "")
    host = _host_name(caller.host)
    if host is None or (host not in _LOOPBACK and caller.host.lower() != ours.netloc.lower()):
        return f"the Host header {caller.host!r} is not this server's; call it as 127.0.0.1 or localhost"
    if caller.fetch_site == "cross-site":
        return "requests of other web sites are refused (Sec-Fetch-Site: cross-site)"
    if caller.origin is not None and caller.origin.lower() not in _origins(caller.host, endpoint):
        return f"requests of the web page at {caller.origin!r} are refused: its origin is not this server's"
    if caller.has_body and not _is_ours(caller.content_type, caller.path):
        return f"the Content-Type of the body is {caller.content_type!r}; send application/json"
    return None


def _host_name(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None


def _origins(host: str, endpoint: str | None) -> set[str]:
    origins = {f"http://{host}".lower()}
    if endpoint:
        ours = urlsplit(endpoint)
        origins.add(f"{ours.scheme}://{ours.netloc}".lower())
    return origins


def _is_ours(content_type: str, path: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind == "multipart/form-data" and path in UPLOAD_PATHS)


def guard(endpoint: str | None) -> Callable[..., Awaitable[web.StreamResponse]]:
    """The middleware."""

    @web.middleware
    async def check(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        why = refusal(_caller(request), endpoint)
        if why is not None:
            status, body = gateway_error(7, why)
            return web.Response(status=status, body=body, content_type="application/json")
        return await handler(request)

    return check


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
