"""What persistence counts: appends as they come, and what waits on the whole platform, asked of Postgres from time to time.

The queries run only where metrics are told to somebody (`headrace_metrics.listening`); each replica tells the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from headrace_metrics.collecting import ACCOUNTS
from headrace_metrics.definitions import (
    APPENDED_EVENTS,
    ATTEMPTS_ENDED,
    INBOX_OLDEST,
    INBOX_WAITING,
    REFUSED_APPENDS,
    RUNS_ENDED,
    RUNS_OPEN,
    TASKS_ENDED,
    TASKS_OPEN,
)
from headrace_persistence.queries import SQL
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import ServiceError
from headrace_servicekit.postgres import Database

logger = logging.getLogger(__name__)
EVERY: Final = 15.0  # seconds: as often as metrics are usually asked for
OPEN_TASKS: Final = (ev.TASK_PENDING, ev.TASK_READY, ev.TASK_RUNNING)
OPEN_RUNS: Final = (ev.RUN_PENDING, ev.RUN_RUNNING, ev.RUN_CANCELING)


def count(request: rs.AppendRequest, answers: Sequence[rs.RunAppended]) -> None:
    """What an append did."""
    kinds: Counter[str] = Counter()
    for run, answer in zip(request.runs, answers, strict=True):
        if answer.outcome != rs.COMMITTED:
            REFUSED_APPENDS.labels(rs.AppendOutcome.Name(answer.outcome)).inc()
            continue
        for event in run.events:
            kind: str = event.WhichOneof("kind") or "unknown"
            kinds[kind] += 1
            if kind.endswith("_finished"):
                _count_end(kind, event)
    for kind, number in kinds.items():
        APPENDED_EVENTS.labels(kind).inc(number)


def _count_end(kind: str, event: ev.Event) -> None:
    if kind == "run_finished":
        RUNS_ENDED.labels(state_of(ev.RunState.Name(event.run_finished.state))).inc()
    elif kind == "task_finished":
        TASKS_ENDED.labels(state_of(ev.TaskState.Name(event.task_finished.state))).inc()
    else:
        done = event.attempt_finished
        failure = ev.FailureClass.Name(done.error.failure_class) if done.error.failure_class else "NONE"
        ATTEMPTS_ENDED.labels(state_of(ev.AttemptState.Name(done.state)), failure).inc()


def state_of(name: str) -> str:
    """RUN_FAILED → FAILED."""
    return name.partition("_")[2]


class Measurer:
    """Sets the gauges; `run_once` is all that it does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run_once(self) -> None:
        """Ask Postgres what has not ended, what waits, and what the accounts say."""
        runs = {int(row[0]): row for row in await self._database.read(SQL["measure_runs"])}
        for state in OPEN_RUNS:
            RUNS_OPEN.labels(state_of(ev.RunState.Name(state))).set(runs[state][1] if state in runs else 0)
        for index, task in enumerate(OPEN_TASKS, 2):
            TASKS_OPEN.labels(state_of(ev.TaskState.Name(task))).set(sum(row[index] for row in runs.values()))
        waiting, oldest_us = (await self._database.read(SQL["measure_inbox"]))[0]
        INBOX_WAITING.set(waiting)
        INBOX_OLDEST.set(oldest_us / 1e6)
        accounts = await self._database.read(SQL["measure_accelerators"])
        ACCOUNTS.accounts = [(row[0], row[1], int(row[2]), int(row[3])) for row in accounts]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Measurer]:
        """Now and again while the block runs."""
        task = asyncio.create_task(self._loop(), name="persistence metrics")
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _loop(self) -> None:
        while True:
            try:
                await self.run_once()
            except ServiceError as failed:
                logger.warning("metrics of what waits are old: %s", failed)
            await asyncio.sleep(EVERY)
