"""Counts requests by route. A route is a rpc's name or a path's pattern, never the path itself. Called by gateway.app."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from headrace_metrics.definitions import HTTP_REQUESTS, HTTP_SECONDS

RPC: Final = web.RequestKey("rpc", str)  # which rpc a transcoded request was for
STREAMS: Final = ("text/event-stream", "text/plain")  # events and logs: their time is their reader's


@web.middleware
async def measure(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The outermost middleware."""
    began = time.perf_counter()
    code, streams = 500, False
    try:
        response = await handler(request)
        code, streams = response.status, response.content_type in STREAMS
        return response
    except web.HTTPException as refused:
        code = refused.status
        raise
    finally:
        route = route_of(request)
        HTTP_REQUESTS.labels(route, str(code)).inc()
        if not streams:
            HTTP_SECONDS.labels(route).observe(time.perf_counter() - began)


def route_of(request: web.Request) -> str:
    """The rpc, or the pattern of the path."""
    resource = request.match_info.route.resource
    return request.get(RPC) or (resource.canonical if resource is not None else "none")
