"""The aiohttp application: every route, the guard in front, and the limits. Called by server."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from headrace_apiserver.gateway.calling import MAX_BODY, Bound, Transcoder
from headrace_apiserver.gateway.errors import gateway_error
from headrace_apiserver.gateway.events import Events
from headrace_apiserver.gateway.grpc_web import PATH, GrpcWeb
from headrace_apiserver.gateway.guard import HEALTH_PATHS, Door, guard, harden
from headrace_apiserver.gateway.health import Health
from headrace_apiserver.gateway.logs import RunLog
from headrace_apiserver.gateway.measuring import measure
from headrace_apiserver.gateway.page import page
from headrace_apiserver.gateway.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Routes:
    """What answers: the transcoded services and the routes written by hand."""

    services: list[Bound]
    uploads: Uploads
    health: Health
    log: RunLog
    metadata: GrpcWeb
    events: Events


def application(routes: Routes, door: Door) -> web.Application:
    """DOOR says who is let in."""
    app = web.Application(middlewares=[measure, guard(door)], client_max_size=MAX_BODY)
    app.on_response_prepare.append(harden)
    app.router.add_get("/", page)
    for path in HEALTH_PATHS:
        app.router.add_get(path, routes.health.answer)
    app.router.add_post("/apis/v2beta1/pipelines/upload", routes.uploads.pipeline)
    app.router.add_post("/apis/v2beta1/pipelines/upload_version", routes.uploads.version)
    app.router.add_get("/apis/v1alpha1/runs/{run}/nodes/{node:.+}/log", routes.log.answer)
    app.router.add_get("/apis/headrace.v1/events", routes.events.answer, allow_head=False)
    app.router.add_get("/apis/headrace.v1/runs/{run}/events", routes.events.answer, allow_head=False)
    app.router.add_route("*", "/apis/{rest:.*}", Transcoder(routes.services).answer)
    app.router.add_post(PATH, routes.metadata.answer)
    app.router.add_route("*", "/{rest:.*}", _nothing_here)
    return app


async def _nothing_here(request: web.Request) -> web.Response:
    status, body = gateway_error(5, "Not Found")
    return web.Response(status=status, body=body, content_type="application/json")
