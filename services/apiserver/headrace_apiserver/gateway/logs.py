"""GET /apis/v1alpha1/runs/{run}/nodes/{node}/log: a task's log as text. Called by gateway.app.

A node is what KFP's clients have of a task: its id; here also its path, or an attempt's (`train#2`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from headrace_apiserver.backends import Backends
from headrace_apiserver.following import follow_log
from headrace_apiserver.gateway.calling import close, internal
from headrace_apiserver.gateway.errors import rpc_error
from headrace_apiserver.names import check_id
from headrace_protos.v1 import run_query_pb2, runs_pb2
from headrace_servicekit.errors import ServiceError

RPC: Final = "ReadRunLog"


class RunLog:
    """The route."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """?follow=true goes on until the attempt has ended."""
        follow = request.query.get("follow", "").lower() == "true"
        try:
            run_id = check_id("Run", request.match_info["run"])
            asked = await self._asked(run_id, request.match_info["node"], follow=follow)
            chunks = follow_log(self._backends, asked)
            first = await anext(chunks, None)
        except ServiceError as error:
            status, body = rpc_error(error, RPC)
            return web.Response(status=status, body=body, content_type="application/json")
        except Exception as fault:  # noqa: BLE001  # the boundary of the service: logged once, and told in our own words
            status, body = rpc_error(internal(fault, request.path), RPC)
            return web.Response(status=status, body=body, content_type="application/json")
        return await _stream(request, first, chunks)

    async def _asked(self, run_id: str, node: str, *, follow: bool) -> runs_pb2.LogsRequest:
        path, _, number = node.partition("#")
        asked = runs_pb2.LogsRequest(run_id=run_id, path=path, follow=follow)
        if number.isascii() and number.isdecimal() and len(number) < 7:
            asked.attempt = int(number)
        request = run_query_pb2.ListTasksRequest(run_id=run_id, page_size=10_000)
        while "-" in path and len(path) == 36:  # a UUID: find the task that has it
            found: run_query_pb2.ListTasksResponse = await self._backends.run_query.ListTasks(request)
            matching = [task.path for task in found.tasks if task.task_id == path]
            if matching or not found.next_after_id:
                asked.path = matching[0] if matching else path
                break
            request.after_id = found.next_after_id
        return asked


async def _stream(
    request: web.Request, first: runs_pb2.LogsResponse | None, chunks: AsyncIterator[runs_pb2.LogsResponse]
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    await response.prepare(request)
    try:
        if first is not None:
            await response.write(first.data)
            async for chunk in chunks:
                await response.write(chunk.data)
    except ServiceError as error:
        await response.write(f"\n[headrace: the log ends here: {error}]\n".encode())
    finally:
        await close(chunks)
    await response.write_eof()
    return response
