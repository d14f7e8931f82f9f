"""Watch streams, taken up again where they break. Used by api.calls, by the objects and by the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from headrace.errors import PlatformUnreachable
from headrace.models import Event

if TYPE_CHECKING:
    from headrace.api.calls import Calls
    from headrace_protos.v1 import run_query_pb2


async def answers(
    calls: Calls, request: run_query_pb2.WatchRequest
) -> AsyncGenerator[run_query_pb2.WatchResponse, None]:
    """The answers to REQUEST: a run's to its end, a namespace's for ever. REQUEST goes along: it says where to go on."""
    from headrace.api.calls import PATIENCE, PAUSE
    from headrace_protos.lifecycle import RUN_FINAL

    loop, state, gone = asyncio.get_running_loop(), 0, 0.0
    while True:
        try:
            async with calls.stream("Watch", request) as stream:
                async for answer in stream:
                    gone, state = 0.0, answer.state or state
                    last = answer.events[-1].seq if answer.events and request.run_id else 0
                    request.after_seq = max(request.after_seq, answer.sequence or last)
                    request.from_now = False
                    yield answer
            if not request.follow or (request.run_id and state in RUN_FINAL):
                return
        except PlatformUnreachable:
            gone = gone or loop.time()
            if loop.time() - gone > PATIENCE:
                raise
        await asyncio.sleep(PAUSE)


def events(
    calls: Calls,
    run_id: str = "",
    *,
    after: int = 0,
    from_now: bool = False,
    kinds: Sequence[str] = (),
    follow: bool = True,
) -> AsyncGenerator[Event, None]:
    """What happens in a run, or in all runs where none is named, each event once and in order: after a sequence number, or
    FROM_NOW; of these KINDS alone. With FOLLOW it goes on, of one run until it has ended.
    """

    async def told() -> AsyncGenerator[Event, None]:
        from headrace.reading import time
        from headrace_protos.event_json import event_objects
        from headrace_protos.v1 import run_query_pb2

        request = run_query_pb2.WatchRequest(
            run_id=run_id, after_seq=after, from_now=from_now, kinds=kinds, follow=follow
        )
        async with aclosing(answers(calls, request)) as found:
            async for answer in found:
                for message, one in zip(answer.events, event_objects(answer), strict=True):
                    yield Event(**{**one, "time": time(message.time_us)})

    return told()
