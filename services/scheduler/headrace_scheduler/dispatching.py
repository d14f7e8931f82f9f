"""Carries out the engine's commands against cache, executor and importer, off the tick's path; answers come back as facts.

Every kind has a queue that is drained in batches by one task, so that a tick never waits for a service and calls are
few. Called by driving.py; what could not be carried out is asked for again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from headrace_scheduler.caching import RENEW_EVERY_S, CacheClient
from headrace_scheduler.engine.commands import (
    AskCache,
    CancelAttempt,
    Command,
    CommitCache,
    Import,
    ReadValues,
    ReleaseCache,
    StartAttempt,
)
from headrace_scheduler.engine.facts import CacheAnswered, CacheSettled, Fact, ValuesRead
from headrace_scheduler.executors.port import AttemptId, Executor
from headrace_scheduler.importing import Importer
from headrace_scheduler.mishaps import fault_of
from headrace_scheduler.storing import Contents
from headrace_servicekit.errors import ServiceError

logger = logging.getLogger(__name__)
T = TypeVar("T")
C = TypeVar("C", AskCache, Import, ReadValues)
Told = Callable[[str, Fact], None]
COMMIT_AGAIN_S = 2.0
SETTLE_WITHIN_S = 2.0
LARGEST_BATCH = 500
READERS = 4  # at once; each holds one value in memory


class Dispatcher:
    """`told(run_id, fact)` is called for every answer. `async with` runs the queues."""

    def __init__(
        self, cache: CacheClient, importer: Importer, executor: Executor, contents: Contents, told: Told
    ) -> None:
        self._cache = cache
        self._importer = importer
        self._executor = executor
        self._contents = contents
        self._told = told
        self._asks: asyncio.Queue[tuple[str, AskCache]] = asyncio.Queue()
        self._imports: asyncio.Queue[tuple[str, Import]] = asyncio.Queue()
        self._settles: asyncio.Queue[tuple[str, CommitCache | ReleaseCache]] = asyncio.Queue()
        self._starts: asyncio.Queue[tuple[str, StartAttempt | CancelAttempt]] = asyncio.Queue()
        self._reads: asyncio.Queue[tuple[str, ReadValues]] = asyncio.Queue()
        self._unsettled: list[tuple[str, CommitCache | ReleaseCache]] = []  # taken from the queue, not yet acknowledged
        self._waiting: dict[
            str, set[tuple[str, str]]
        ] = {}  # cache key → executions that wait for its reservation's end
        self._settled_lately: set[str] = set()  # keys settled while the cache was being asked
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Dispatcher:
        readers = (self._reading,) * READERS
        loops = (self._asking, self._importing, self._settling, self._starting, self._renewing, *readers)
        self._tasks = [asyncio.create_task(loop(), name=f"scheduler {loop.__name__.strip('_')}") for loop in loops]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while not self._settles.empty():
            self._unsettled.append(self._settles.get_nowait())
        try:
            async with asyncio.timeout(SETTLE_WITHIN_S):
                await self._settle()
        except (TimeoutError, ServiceError) as away:
            logger.warning("%d results were not stored in the cache: %s", len(self._unsettled), away)

    @property
    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """The loops, for whoever watches that none has died."""
        return self._tasks

    def dispatch(self, run_id: str, command: Command) -> None:
        """Queue one command; its events, if it has any, are durable."""
        match command:
            case AskCache():
                self._asks.put_nowait((run_id, command))
            case StartAttempt() | CancelAttempt():
                self._starts.put_nowait((run_id, command))
            case CommitCache() | ReleaseCache():
                self._settles.put_nowait((run_id, command))
            case ReadValues():
                self._reads.put_nowait((run_id, command))
            case Import():
                self._imports.put_nowait((run_id, command))
            case _:
                raise TypeError(f"not a command of the dispatcher: {command!r}")

    async def forget_run(self, run_id: str) -> None:
        """A run was deleted."""
        await self._cache.forget_run(run_id)

    async def _asking(self) -> None:
        while True:
            asked = await _batch(self._asks)
            self._settled_lately.clear()
            for run_id, fact in await _answers(self._cache.ask, asked):
                self._told(run_id, fact)
                if isinstance(fact, CacheAnswered):
                    self._note(run_id, fact)

    async def _importing(self) -> None:
        while True:
            for run_id, fact in await _answers(self._importer.ask, await _batch(self._imports)):
                self._told(run_id, fact)

    def _note(self, run_id: str, fact: CacheAnswered) -> None:
        """Remember who waits for an identical task, so that the end of one of this replica's wakes them at once."""
        waiting = self._waiting.setdefault(fact.key, set())
        waiting.discard((run_id, fact.path))
        if fact.held_by:
            waiting.add((run_id, fact.path))
            if fact.key in self._settled_lately:
                self._wake(fact.key)
        elif not waiting:
            del self._waiting[fact.key]

    def _wake(self, key: str) -> None:
        for run_id, path in self._waiting.pop(key, ()):
            self._told(run_id, CacheSettled(path))

    async def _starting(self) -> None:
        """Launches follow one another: the executor's `launch` returns as soon as the attempt is on its way."""
        while True:
            for run_id, command in await _batch(self._starts):
                attempt = AttemptId(run_id, command.path, command.number)
                try:
                    if isinstance(command, StartAttempt):
                        await self._executor.launch(command.launch)
                    else:
                        await self._executor.cancel(attempt)
                except Exception as fault:  # see mishaps.py
                    logger.exception("run %s: %s could not be carried out", run_id, attempt)
                    if isinstance(command, StartAttempt):
                        self._told(run_id, fault_of(command, fault))

    async def _reading(self) -> None:
        while True:
            for run_id, fact in await _answers(self._read, [await self._reads.get()]):
                self._told(run_id, fact)

    async def _read(self, asked: Sequence[tuple[str, ReadValues]]) -> list[tuple[str, ValuesRead]]:
        return [(run, ValuesRead(c.path, await self._contents.read(c.refs))) for run, c in asked]

    async def _settling(self) -> None:
        while True:
            self._unsettled = await _batch(self._settles)
            while self._unsettled:
                try:
                    await self._settle()
                except ServiceError as down:
                    logger.warning("the cache does not answer, %d results wait: %s", len(self._unsettled), down)
                    await asyncio.sleep(COMMIT_AGAIN_S)
                except Exception:  # see mishaps.py; without these entries tasks run again, and reservations expire
                    logger.exception("%d results are not told to the cache", len(self._unsettled))
                    self._unsettled = []

    async def _settle(self) -> None:
        """Tell the cache what has ended; what is acknowledged is no longer in `_unsettled`."""
        commits = [(run, c) for run, c in self._unsettled if isinstance(c, CommitCache)]
        releases = [(run, c) for run, c in self._unsettled if isinstance(c, ReleaseCache)]
        if commits:
            await self._cache.commit(commits)
        if releases:
            await self._cache.release(releases)
        settled = {command.key for _, command in self._unsettled}
        self._unsettled = []
        self._settled_lately |= settled
        for key in settled:
            self._wake(key)

    async def _renewing(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            try:
                await self._cache.renew()
            except Exception as failed:  # they expire, and identical tasks may run twice: no reason to stop
                logger.warning(
                    "cannot renew cache reservations: %s", failed, exc_info=not isinstance(failed, ServiceError)
                )


async def _answers(
    ask: Callable[[Sequence[tuple[str, C]]], Awaitable[Sequence[tuple[str, Fact]]]], asked: Sequence[tuple[str, C]]
) -> list[tuple[str, Fact]]:
    """The answers of ASK; where it meets a fault of ours, those it can give one by one, and the fault to the others."""
    try:
        return list(await ask(asked))
    except Exception as fault:  # see mishaps.py
        if len(asked) > 1:
            return [answer for one in asked for answer in await _answers(ask, [one])]
        run_id, command = asked[0]
        logger.exception("run %s: %s of '%s' could not be carried out", run_id, type(command).__name__, command.path)
        return [(run_id, fault_of(command, fault))]


async def _batch(queue: asyncio.Queue[T]) -> list[T]:
    """What is in the queue now, at least one."""
    items = [await queue.get()]
    while not queue.empty() and len(items) < LARGEST_BATCH:
        items.append(queue.get_nowait())
    return items
