"""Spans of what has ended, sent out in the background as the events of runs come.

The events are the queue: how far a run's spans are received is a cursor in a table of their own, moved only when the receiver has
them, so that one that is away or slow costs no run anything and no span. After a restart the same spans are made again, with
the same ids, from the cursor on. Of several replicas one at a time sends a run's spans: it holds the run for some seconds.
Where no sink is configured, nothing of this runs.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from headrace_metrics.definitions import TRACES_BEHIND, TRACES_GIVEN_UP
from headrace_persistence.queries import SQL
from headrace_persistence.stores.querying import Runs
from headrace_persistence.tracing.spans import Tracer
from headrace_persistence.tracing.splitting import named_loops, split
from headrace_protos import lifecycle
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database
from headrace_servicekit.telemetry import Span, SpanSink

logger = logging.getLogger(__name__)
EVERY: Final = 0.5  # seconds: spans are batched, nobody waits for them
LONGEST_PAUSE: Final = 30.0  # seconds between two tries, when the receiver or the database is away
STOPS: Final = 3.0  # seconds for the last export
HELD_S: Final = 30.0  # seconds for which a run is held; longer than one batch may take
SWEEP_S: Final = 60.0  # seconds between two looks for what nobody told us
DAY_US: Final = 86_400_000_000  # what is older is given up
MOST_DUE: Final = 100_000  # runs with news that are remembered; the others are found by the sweep
AT_ONCE: Final = 100  # runs of one round
BATCH: Final = 512  # spans of one delivery
BATCHES: Final = 8  # that a round gathers before it sends them
KEPT_TASKS: Final = 50_000  # of runs whose traces are in memory; others are made again from their events


@dataclass(slots=True)
class _Batch:
    """Spans of one delivery, and how far their runs are when they are received: the spans of an event are never parted."""

    spans: list[Span] = field(default_factory=list)
    reached: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Round:
    """What goes out together."""

    batches: list[_Batch] = field(default_factory=lambda: [_Batch()])
    unread: set[int] = field(default_factory=set)  # runs of which more is to be read

    def add(self, run: int, seq: int, spans: list[Span]) -> None:
        if spans and len(self.batches[-1].spans) + len(spans) > BATCH:
            self.batches.append(_Batch())
        batch = self.batches[-1]
        batch.spans += spans
        batch.reached[run] = seq

    @property
    def is_full(self) -> bool:
        return len(self.batches) > BATCHES


class Projector:
    """Turns news of runs into spans for the sink."""

    def __init__(
        self, database: Database, runs: Runs, sink: SpanSink, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database, self._runs, self._sink, self._clock = database, runs, sink, clock
        self._holder = uuid.uuid4().hex
        self._tracers: OrderedDict[int, Tracer] = OrderedDict()
        self._due: OrderedDict[int, None] = OrderedDict()
        self._held_elsewhere: set[int] = set()
        self._swept = 0.0
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()

    @property
    def behind(self) -> int:
        """How many runs have news that are not sent yet."""
        return len(self._due) + len(self._held_elsewhere)

    def runs_changed(self, runs: Iterable[int]) -> None:
        """An append has committed."""
        for run in runs:
            self._due[run] = None
        over = len(self._due) - MOST_DUE
        for _ in range(over):
            self._due.popitem(last=False)
        if over > 0:
            logger.warning("spans of %d runs wait for the next look: too many runs have news", over)
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Projector]:
        """The loop runs while the block does; what is left goes out at the end."""
        await self._database.transaction(lambda tx: tx.execute(SQL["forget_exports"]))
        await self.sweep()
        TRACES_BEHIND.set_function(lambda: self.behind)
        task = asyncio.create_task(self._loop(), name="persistence span projector")
        try:
            yield self
        finally:
            self._stop.set()
            self._wake.set()
            await asyncio.wait([task], timeout=STOPS)  # it exports what is left, then ends
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def sweep(self) -> None:
        """Find what other replicas left, and what found no room."""
        self._swept = self._clock()
        given_up = await self._database.transaction(lambda tx: tx.execute(SQL["give_up_exports"], {"age_us": DAY_US}))
        if given_up:
            TRACES_GIVEN_UP.inc(given_up)
            logger.warning("spans of %d runs that ended more than a day ago are not sent any more", given_up)
        rows = await self._database.read(SQL["unexported_runs"], {"age_us": DAY_US, "limit": MOST_DUE // 2})
        self.runs_changed(int(row[0]) for row in rows)

    async def _loop(self) -> None:
        pause = EVERY
        while not self._stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(HELD_S if self._held_elsewhere else SWEEP_S):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._turn()
                pause = EVERY
            except (ServiceError, ConnectionError) as failed:
                pause = min(pause * 2, LONGEST_PAUSE)
                logger.warning("spans of %d runs wait %.0f s: %s", self.behind, pause, failed)
                self._wake.set()
            except Exception:  # a fault of ours: it must be seen, and not be the end of all export
                pause = min(pause * 2, LONGEST_PAUSE)
                logger.exception("spans of %d runs wait %.0f s", self.behind, pause)
                self._wake.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()
        with suppress(ServiceError, ConnectionError):  # what is left goes out at the next start
            await self._send_due()

    async def _turn(self) -> None:
        if self._clock() - self._swept >= SWEEP_S:
            await self.sweep()
        others, self._held_elsewhere = self._held_elsewhere, set()
        self.runs_changed(others)
        await self._send_due()

    async def _send_due(self) -> None:
        """Rounds, until no run has news."""
        while self._due:
            await self.run_once()

    async def run_once(self) -> None:
        """One round: the spans of some runs, as far as they are gathered."""
        due = [self._due.popitem(last=False)[0] for _ in range(min(AT_ONCE, len(self._due)))]
        held: list[int] = []
        try:
            claimed = await self._claim(due)
            held = [run for run, *_ in claimed]
            await self._send(held, await self._gathered(claimed))
        except BaseException as failed:
            for run in due:
                self._tracers.pop(run, None)  # they are ahead of what was sent
                self._due[run] = None
            if isinstance(failed, ConnectionError):
                await self._reached(held, {}, release=True)
            raise

    async def _send(self, held: list[int], round_: _Round) -> None:
        last = round_.batches[-1]
        for batch in round_.batches:
            if batch.spans:
                await self._sink.deliver(batch.spans)
            await self._reached(held, batch.reached, release=batch is last)
        self.runs_changed(round_.unread)
        self._forget()

    async def _claim(self, due: list[int]) -> list[tuple[int, str, str, int]]:
        wanted = {"runs": due, "holder": self._holder, "for_us": int(HELD_S * 1e6)}
        rows = await self._database.transaction(lambda tx: tx.fetch(SQL["claim_exports"], wanted))
        self._held_elsewhere.update(
            run for run, *_, sent in rows if sent is None
        )  # those that are gone are not waited for
        return [(int(run), run_id, name, int(sent)) for run, run_id, name, sent in rows if sent is not None]

    async def _reached(self, held: list[int], seqs: dict[int, int], *, release: bool) -> None:
        """The cursors move; the runs are held on, unless that was all."""
        said: dict[str, object] = {"runs": held, "seqs": [seqs.get(run, 0) for run in held], "holder": self._holder}
        said |= {"release": release, "for_us": int(HELD_S * 1e6)}
        await self._database.transaction(lambda tx: tx.execute(SQL["exported_up_to"], said))

    async def _gathered(self, claimed: list[tuple[int, str, str, int]]) -> _Round:
        round_ = _Round()
        for run, run_id, name, sent in claimed:
            if round_.is_full:
                round_.unread.add(run)
                continue
            try:
                await self._gather(round_, run, run_id, name, sent)
            except (ServiceError, ConnectionError):
                raise
            except Exception:  # a fault of ours: other runs' spans go out, and a sweep tries these again
                logger.exception("spans of run %s cannot be made", run_id)
        return round_

    async def _gather(self, round_: _Round, run: int, run_id: str, name: str, sent: int) -> None:
        """The spans that the run's new events ended, as far as the round has room."""
        tracer = self._tracers.pop(run, None)
        if tracer is None or tracer.seq < sent:
            tracer = Tracer(run_id, name, keep=(), timed=False)
        while True:
            try:
                read = await self._runs.events(run_id, run, tracer.seq)
            except ServiceError as failed:
                if failed.reason == Reason.NOT_FOUND:  # deleted meanwhile
                    return
                raise
            tracer.elsewhere |= await self._runs.iterations(named_loops(read.events) - tracer.elsewhere.keys())
            for event in read.events:
                ended = tracer.feed(event)
                if event.seq > sent:
                    round_.add(run, event.seq, split(tracer, ended))
            if not read.events or tracer.seq >= read.revision:
                break
            if round_.is_full:
                round_.unread.add(run)
                break
        if read.state not in lifecycle.RUN_FINAL or run in round_.unread:
            self._tracers[run] = tracer

    def _forget(self) -> None:
        """The traces that were used longest ago, where there are too many tasks in memory."""
        tasks = sum(len(one.tasks) for one in self._tracers.values())
        while tasks > KEPT_TASKS and len(self._tracers) > 1:
            tasks -= len(self._tracers.popitem(last=False)[1].tasks)
