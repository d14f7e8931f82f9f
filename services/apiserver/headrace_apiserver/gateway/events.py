"""GET /apis/headrace.v1/runs/{run}/events and /apis/headrace.v1/events: watch streams as server-sent events (HTML standard, 9.2).

Each event has its sequence number as `id`, so that a browser that reconnects sends it as Last-Event-ID and goes on there. A
stream stays open while persistence is away. A reader that takes nothing for STALLED is disconnected: it goes on where it was when
it comes back. Called by gateway.app.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Final

from aiohttp import web

from headrace_apiserver.gateway.calling import internal
from headrace_apiserver.gateway.errors import rpc_error
from headrace_apiserver.watching import Watching, reached
from headrace_protos import lifecycle
from headrace_protos.event_json import event_objects
from headrace_protos.v1 import events_pb2
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_servicekit.errors import Reason, ServiceError

RPC: Final = "Watch"
RETRY_MS: Final = 2000  # after which a browser comes back
HEARTBEAT: Final = 15.0  # seconds without an event after which a comment shows proxies that the stream lives
LOOKED: Final = 1.0  # seconds between two looks whether the reader is still there
STALLED: Final = 60.0  # seconds in which a reader has to take something
FIRST: Final = 5.0  # seconds for the first answer, where there may be none: a reader that comes back
HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx would keep events back
}
WORDS: Final = {"true": True, "1": True, "false": False, "0": False, "": False}


class Events:
    """The routes."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """?after=N | from_now=true, kinds=a,b, follow=false; Last-Event-ID wins over `after`."""
        again = "Last-Event-ID" in request.headers
        try:
            asked = request_of(request)
            answers = self._watching.answers(asked, first=None if again else FIRST, later=None)
            # What can be refused is refused before the stream begins. Who comes back is kept, or a browser would give up.
            pending: asyncio.Task[rq.WatchResponse] = asyncio.create_task(anext(answers))
            try:
                done, _ = await asyncio.wait({pending}, timeout=FIRST if again else None)
                if done:
                    pending.result()
                    if again and asked.run_id and _is_over(pending.result()):
                        await answers.aclose()
                        return web.Response(status=204)  # what tells a browser not to come back
            except BaseException:
                await _stop(pending, answers)
                raise
        except ServiceError as error:
            return _json(*rpc_error(error, RPC))
        except Exception as fault:  # noqa: BLE001  # the boundary of the service: logged once, and told in our own words
            return _json(*rpc_error(internal(fault, request.path), RPC))
        return await _stream(request, pending, answers)


async def _stream(
    request: web.Request, pending: asyncio.Task[rq.WatchResponse], answers: AsyncGenerator[rq.WatchResponse, None]
) -> web.StreamResponse:
    response = web.StreamResponse(headers=HEADERS)
    state = 0
    try:
        await response.prepare(request)
        await _write(response, f"retry: {RETRY_MS}\n\n")
        while True:
            if not await _soon(request, pending):
                await _write(response, ":\n\n")
                continue
            try:
                answer = pending.result()
            except StopAsyncIteration:
                ended = {"state": _state(state)} if "run" in request.match_info else {}
                await _write(response, f"event: end\ndata: {_text(ended)}\n\n")
                break
            state = answer.state or state
            await _write(response, frames(answer))
            pending = asyncio.create_task(anext(answers))
    except ServiceError as error:
        told = {"reason": Reason.Name(error.reason), "message": error.message}
        await _write(response, f"event: failed\ndata: {_text(told)}\n\n")
    except TimeoutError:  # it takes nothing: a new connection goes on where it was
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        pass  # it has left
    finally:
        await _stop(pending, answers)
    return response


async def _soon(request: web.Request, pending: asyncio.Task[rq.WatchResponse]) -> bool:
    """Whether an answer comes before the next heartbeat is due; raises where the reader has left meanwhile."""
    until = time.monotonic() + HEARTBEAT
    while not pending.done():
        left = until - time.monotonic()
        if left <= 0:
            return False
        await asyncio.wait({pending}, timeout=min(left, LOOKED))
        if request.transport is None or request.transport.is_closing():
            raise ConnectionError("the reader has left")
    return True


def frames(answer: rq.WatchResponse) -> str:
    """The events of one answer; without any, where the reader is, which dispatches nothing in a browser."""
    found = event_objects(answer)
    if not found:
        return f"id: {reached(answer)}\n\n"
    return "".join(f"id: {one['sequence']}\ndata: {_text(one)}\n\n" for one in found)


def request_of(request: web.Request) -> rq.WatchRequest:
    """What the path, the query and Last-Event-ID ask for."""
    query = request.query
    unknown = set(query) - {"after", "from_now", "kinds", "follow"}
    if unknown:
        names = "after, from_now, kinds and follow"
        raise ServiceError(Reason.INVALID_INPUT, f"{sorted(unknown)[0]!r} is no option of events; there are {names}")
    last = request.headers.get("Last-Event-ID", "")
    after = last or query.get("after", "")
    if after and not (after.isascii() and after.isdecimal() and len(after) < 19):
        name = "Last-Event-ID" if last else "after"
        raise ServiceError(Reason.INVALID_INPUT, f"{name} is {after[:40]!r}; expected a sequence number")
    kinds = [kind for given in query.getall("kinds", []) for kind in given.split(",") if kind]
    return rq.WatchRequest(
        run_id=request.match_info.get("run", ""),
        after_seq=int(after or 0),
        from_now=_flag(query.get("from_now", "false"), "from_now") and not last,
        follow=_flag(query.get("follow", "true"), "follow"),
        kinds=kinds,
    )


def _flag(text: str, name: str) -> bool:
    found = WORDS.get(text.lower())
    if found is None:
        raise ServiceError(Reason.INVALID_INPUT, f"{name} is {text[:40]!r}; expected true or false")
    return found


def _is_over(answer: rq.WatchResponse) -> bool:
    return not answer.events and answer.state in lifecycle.RUN_FINAL


def _state(number: int) -> str:
    return events_pb2.RunState.Name(number).removeprefix("RUN_")  # type: ignore[arg-type]  # an enum's number


async def _write(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(STALLED):
        await response.write(text.encode())


async def _stop(pending: asyncio.Task[rq.WatchResponse], answers: AsyncGenerator[rq.WatchResponse, None]) -> None:
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)
    await answers.aclose()


def _text(tree: object) -> str:
    """JSON in ASCII: nothing in it can end a line."""
    return json.dumps(tree, separators=(",", ":"))


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")
