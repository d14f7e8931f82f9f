"""RunQuery.Watch: the events of one run, or of all runs of a namespace, from a sequence number on.

Nothing is queued for a reader: the next answer is made when the last one has gone out, from where the reader is. So a slow
one costs one answer's memory, and loses nothing.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from headrace_persistence.notifying import Hub
from headrace_persistence.stores.feed import Feed, Part
from headrace_persistence.stores.querying import EventsRead, Runs
from headrace_persistence.tailing import Tail
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_servicekit.errors import Reason, ServiceError

KINDS: Final = {one.name: one.number for one in ev.Event.DESCRIPTOR.oneofs_by_name["kind"].fields}
MARKED: Final = 5.0  # seconds after which a reader of whose events none came is told how far it has come
LARGEST: Final = 2**63 - 1


class Watcher:
    """Makes the streams."""

    def __init__(self, runs: Runs, hub: Hub, feed: Feed) -> None:
        self._runs, self._hub, self._feed, self._tail = runs, hub, feed, Tail(feed)
        hub.wakers.append(self._tail.wake)

    def watch(self, request: rq.WatchRequest) -> AsyncGenerator[rq.WatchResponse, None]:
        """What REQUEST asks for; raises where it asks for what there is not."""
        kinds = numbers_of(request.kinds)
        if not 0 <= request.after_seq <= LARGEST:
            raise ServiceError(
                Reason.INVALID_INPUT, f"after_seq is {request.after_seq}; it cannot be negative: 0 is the beginning"
            )
        return self._of_run(request, kinds) if request.run_id else self._of_namespace(request, frozenset(request.kinds))

    async def _of_run(self, request: rq.WatchRequest, kinds: Sequence[int]) -> AsyncGenerator[rq.WatchResponse, None]:
        run = await self._runs.find(request.run_id)
        revision = await self._runs.revision(run)
        if request.after_seq > revision:
            raise _unknown(request.after_seq, f"run {request.run_id}")
        after = revision if request.from_now else request.after_seq
        state: int = ev.RUN_STATE_UNSPECIFIED
        told = False
        with self._hub.watch_run(run, after) as watch:
            while True:
                watch.news.clear()  # before the read: what comes after it wakes the next turn
                read = await self._runs.watched(request.run_id, run, watch.seen, kinds)
                watch.seen = max(watch.seen, read.upto)
                ends = watch.seen >= read.revision
                state = read.state if ends else state_after(read.events, state)
                if read.events or not told:
                    told = True
                    yield _answer(request.run_id, read, watch.seen, state)
                if ends and (not request.follow or read.state in lifecycle.RUN_FINAL):
                    return
                if ends:
                    await watch.news.wait()

    async def _of_namespace(
        self, request: rq.WatchRequest, kinds: frozenset[str]
    ) -> AsyncGenerator[rq.WatchResponse, None]:
        if not await self._feed.given(request.after_seq):
            raise _unknown(request.after_seq, "this platform")
        async with self._tail.reading() as tail:
            now = await self._feed.now() if request.from_now or not request.follow else 0
            after = now if request.from_now else request.after_seq
            yield rq.WatchResponse(sequence=after)
            marked = time.monotonic()
            async with aclosing(tail.after(after) if request.follow else tail.history(after, now)) as pages:
                async for page in pages:
                    for part in page.parts:
                        answer = _part(part, after, request.namespace, kinds)
                        if answer is not None:
                            marked = time.monotonic()
                            yield answer
                    after = page.sequence
                    if time.monotonic() - marked >= MARKED:
                        marked = time.monotonic()
                        yield rq.WatchResponse(sequence=after)
            yield rq.WatchResponse(sequence=max(after, now))


def numbers_of(kinds: Sequence[str]) -> list[int]:
    """The field numbers of kinds of events; raises where one is none."""
    for kind in kinds:
        if kind not in KINDS:
            raise ServiceError(Reason.INVALID_INPUT, f"{kind!r} is no kind of event; there are {', '.join(KINDS)}")
    return sorted({KINDS[kind] for kind in kinds})


def _unknown(sequence: int, where: str) -> ServiceError:
    told = f"after_seq is {sequence}, which {where} has not come to: it may have been restored from a backup"
    return ServiceError(Reason.INVALID_INPUT, f"{told}; read from the beginning (0) or from now on")


def state_after(events: Sequence[ev.Event], before: int) -> int:
    """The run's state after EVENTS, as far as they tell it."""
    state = before
    for event in events:
        kind = event.WhichOneof("kind")
        if kind == "run_finished":
            state = event.run_finished.state
        elif kind in _STATES:
            state = _STATES[kind]
    return state


def _answer(run_id: str, read: EventsRead, sequence: int, state: int) -> rq.WatchResponse:
    return rq.WatchResponse(events=read.events, state=state, sequence=sequence, run_id=run_id)  # type: ignore[arg-type]  # an enum's number


def _part(part: Part, after: int, namespace: str, kinds: frozenset[str]) -> rq.WatchResponse | None:
    """The events of PART after a sequence number that are asked for, if there are any."""
    if (namespace and part.namespace != namespace) or part.sequences[-1] <= after:
        return None
    told = [
        (event, sequence)
        for event, sequence in zip(part.events, part.sequences, strict=True)
        if sequence > after and (not kinds or event.WhichOneof("kind") in kinds)
    ]
    if not told:
        return None
    return rq.WatchResponse(
        events=[event for event, _ in told],
        state=state_after(part.events, ev.RUN_STATE_UNSPECIFIED),  # type: ignore[arg-type]  # an enum's number
        sequence=part.sequences[-1],
        run_id=part.run_id,
        sequences=[sequence for _, sequence in told],
    )


_STATES: Final = {
    "run_created": ev.RUN_PENDING,
    "run_started": ev.RUN_RUNNING,
    "run_terminating": ev.RUN_CANCELING,
    "run_retried": ev.RUN_RUNNING,
}
