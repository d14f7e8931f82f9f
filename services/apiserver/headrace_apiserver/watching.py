"""Watch streams of persistence, taken up again where they break: a reader here outlives a restart there.

One answer is in hand at a time: the next is asked for when the last has been taken. Called by handlers.headrace_runs (gRPC) and
gateway.events (server-sent events).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Final

from headrace_apiserver.backends import Backends
from headrace_apiserver.names import NAMESPACE, check_id
from headrace_metrics.definitions import WATCH_STREAMS
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_servicekit.errors import Reason, ServiceError

PATIENCE: Final = 60.0  # seconds without an answer of persistence after which a gRPC reader is told
PAUSE: Final = 0.25  # seconds between two tries
LATER: Final = 5.0  # seconds after which a reader who found the house full may come again


class Watching:
    """The watch streams of this replica; MOST at once, so that what they hold is bounded."""

    def __init__(self, backends: Backends, most: int) -> None:
        self._backends, self._most, self._open = backends, most, 0

    async def answers(
        self, request: rq.WatchRequest, *, first: float | None = PATIENCE, later: float | None = PATIENCE
    ) -> AsyncGenerator[rq.WatchResponse, None]:
        """The answers to REQUEST, without a gap or a repetition. FIRST and LATER: how long persistence may be away before
        the first answer and after it; None is for ever.
        """
        asked = rq.WatchRequest()
        asked.CopyFrom(request)
        if asked.run_id:
            asked.run_id = check_id("Run", asked.run_id)
        asked.namespace = NAMESPACE
        with self._seat(), WATCH_STREAMS.labels("run" if request.run_id else "all").track_inprogress():
            gone, patience = 0.0, first
            while True:
                call = self._backends.run_query.Watch(asked)
                try:
                    async for answer in call:
                        asked.after_seq, asked.from_now = max(asked.after_seq, reached(answer)), False
                        gone, patience = 0.0, later
                        yield answer
                    return
                except ServiceError as broken:
                    gone = gone or time.monotonic()
                    late = patience is not None and time.monotonic() - gone > patience
                    if broken.reason != Reason.UNAVAILABLE or late:
                        raise
                finally:
                    call.cancel()  # a reader that leaves ends the stream behind; no effect on one that has ended
                await asyncio.sleep(PAUSE)

    @contextmanager
    def _seat(self) -> Iterator[None]:
        if self._open >= self._most:
            full = f"{self._most} watch streams are open on this apiserver, the most that HEADRACE_WATCHERS allows"
            raise ServiceError(Reason.UNAVAILABLE, f"{full}; close some, or try again later", retry_after=LATER)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


def reached(answer: rq.WatchResponse) -> int:
    """Where to go on after ANSWER; the release before gives no `sequence`."""
    return answer.sequence or (answer.events[-1].seq if answer.events else 0)
