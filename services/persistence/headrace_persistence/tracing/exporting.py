"""Spans of finished tasks, attempts and runs, sent out in the background as their events come.

How far a run was exported is kept on its row: after a restart the spans are made again from the events, with the same ids, and
those that were not yet recorded as sent go out (at least once). Where no sink is configured, nothing of this runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final

from headrace_persistence.queries import SQL
from headrace_persistence.stores.querying import Runs
from headrace_persistence.tracing.messages import exported
from headrace_persistence.tracing.spans import Tracer
from headrace_protos import lifecycle
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Transaction
from headrace_servicekit.telemetry import SpanSink

logger = logging.getLogger(__name__)
EVERY: Final = 0.5  # seconds: spans are batched, nobody waits for them
AGAIN: Final = 5.0  # seconds after a failure
STOPS: Final = 3.0  # seconds for the last export
DAY_US: Final = 86_400_000_000
KEPT: Final = 1000  # runs whose spans are in memory; others are made again from their events


class Projector:
    """Turns news of runs into spans for the sink."""

    def __init__(self, database: Database, runs: Runs, sink: SpanSink) -> None:
        self._database, self._runs, self._sink = database, runs, sink
        self._tracers: OrderedDict[int, Tracer] = OrderedDict()
        self._due: set[int] = set()
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()

    def runs_changed(self, runs: Iterable[int]) -> None:
        """An append has committed."""
        self._due.update(runs)
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Projector]:
        """The loop runs while the block does; what is left goes out at the end."""
        rows = await self._database.read(SQL["unexported_runs"], {"age_us": DAY_US})
        self.runs_changed(int(row[0]) for row in rows)
        task = asyncio.create_task(self._loop(), name="persistence span projector")
        try:
            yield self
        finally:
            self._stop.set()
            self._wake.set()
            await asyncio.wait([task], timeout=STOPS)  # it exports what is left, then ends
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _loop(self) -> None:
        while not self._stop.is_set():
            await self._wake.wait()
            self._wake.clear()
            pause = EVERY
            try:
                await self.run_once()
            except ServiceError as failed:
                logger.warning("spans wait: %s", failed)
                self._wake.set()
                pause = AGAIN
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()
        with suppress(ServiceError):  # what is left goes out at the next start
            await self.run_once()

    async def run_once(self) -> None:
        """Export what has ended in the runs that have news."""
        due, self._due = self._due, set()
        done: dict[int, int] = {}
        try:
            for run, run_id, name, exported in await self._database.read(SQL["trace_heads"], {"runs": sorted(due)}):
                done[run] = await self._export(run, run_id, name, exported)
                due.discard(run)
            if done:
                await self._database.transaction(lambda tx: _mark(tx, done))
        except ServiceError:
            self._due |= due
            raise

    async def _export(self, run: int, run_id: str, name: str, sent: int) -> int:
        """Offer the spans that the run's new events ended; answers with the seq of the last event."""
        tracer = self._tracers.pop(run, None) or Tracer(run_id, name, keep=False)
        while True:
            try:
                read = await self._runs.events(run_id, run, tracer.seq)
            except ServiceError as failed:
                if failed.reason == Reason.NOT_FOUND:  # deleted meanwhile
                    return tracer.seq
                raise
            for event in read.events:
                ended = tracer.feed(event)
                if event.seq > sent:
                    self._sink.offer(*(exported(tracer.trace_id, run_id, span) for span in ended))
            if not read.events or tracer.seq >= read.revision:
                break
        if read.state not in lifecycle.RUN_FINAL:
            self._tracers[run] = tracer
            if len(self._tracers) > KEPT:
                self._tracers.popitem(last=False)
        return tracer.seq


async def _mark(tx: Transaction, done: dict[int, int]) -> None:
    await tx.execute(SQL["mark_exported"], {"runs": list(done), "seqs": list(done.values())})
