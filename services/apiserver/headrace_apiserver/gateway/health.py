"""GET /apis/v2beta1/healthz (and v1beta1): KFP's answer, and where our gRPC API is. Called by gateway.app."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from headrace_apiserver.backends import Backends
from headrace_apiserver.gateway.errors import gateway_error
from headrace_protos.v1 import run_query_pb2
from headrace_servicekit.errors import ServiceError

PROBE: Final = 2.0  # seconds for persistence to answer


class Health:
    """The route."""

    def __init__(self, backends: Backends, grpc_endpoint: str, version: str) -> None:
        self._backends = backends
        self._grpc_endpoint = grpc_endpoint
        self._version = version

    async def answer(self, request: web.Request) -> web.Response:
        """503 while persistence cannot be reached: without it no call can be answered."""
        try:
            await probe(self._backends)
        except ServiceError as unwell:
            status, body = gateway_error(14, f"persistence does not answer: {unwell}")
            return web.Response(status=status, body=body, content_type="application/json")
        return web.json_response(health(self._version, self._grpc_endpoint))


async def probe(backends: Backends) -> None:
    """Raises where persistence does not answer; also the gRPC health service's probe."""
    page = run_query_pb2.Page(size=1, sort_field="created_at", descending=True)
    await backends.run_query.ListRuns(run_query_pb2.ListRunsRequest(page=page), timeout=PROBE)


def health(version: str, grpc_endpoint: str) -> dict[str, Any]:
    """`multi_user` is emitted although false: clients look at it."""
    return {
        "commit_sha": "unknown",
        "tag_name": version,
        "multi_user": False,
        "pipeline_store": "database",
        "grpc_endpoint": grpc_endpoint,
    }
