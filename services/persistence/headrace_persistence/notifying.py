"""Wake-ups: after a commit, watchers here at once, other replicas by one coalesced, payload-free NOTIFY at most every 20 ms.

Never inside an append's transaction, and over a connection of its own. A hint may be lost: every second everything that is
watched is looked at anyway, so correctness never depends on this module. Handlers call `Hub`; stores know nothing of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final, LiteralString

from headrace_persistence.queries import SQL
from headrace_servicekit.errors import ServiceError
from headrace_servicekit.postgres import Database, connect

logger = logging.getLogger(__name__)
INBOX: Final[LiteralString] = "headrace_inbox"
RUNS: Final[LiteralString] = "headrace_runs"
COALESCED: Final = 0.020  # seconds between two NOTIFYs
POLLED: Final = 1.0  # seconds between two looks without a hint
RECONNECT: Final = 1.0  # seconds


@dataclass(eq=False, slots=True)
class Watch:
    """Someone who waits for news of one run, having seen its events up to `seen`."""

    run: int
    seen: int
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False, slots=True)
class InboxWatch:
    """A session that waits for deliveries."""

    session_id: str
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Hub:
    """Watchers of this replica, and the loops that wake them."""

    def __init__(self, database: Database, waits: Callable[[str], Awaitable[bool]]) -> None:
        self._database = database
        self._waits = waits
        self.listeners: list[Callable[[frozenset[int]], None]] = []  # told of this replica's own commits
        self.wakers: list[Callable[[], None]] = []  # told that there may be news of any run, and every second
        self._runs: set[Watch] = set()
        self._inboxes: set[InboxWatch] = set()
        self._dirty: set[LiteralString] = set()
        self._send = asyncio.Event()
        self._look = asyncio.Event()

    def runs_changed(self, runs: Iterable[int]) -> None:
        """An append of this replica has committed."""
        changed = frozenset(runs)
        if not changed:
            return
        for watch in self._runs:
            if watch.run in changed:
                watch.news.set()
        for listener in self.listeners:
            listener(changed)
        self._wake_all()
        self._dirty.add(RUNS)
        self._send.set()

    def inbox_changed(self) -> None:
        """A delivery to this replica has committed."""
        self._wake_inboxes()
        self._wake_all()  # it may have been a new run
        self._dirty.add(INBOX)
        self._send.set()

    @contextmanager
    def watch_run(self, run: int, seen: int) -> Iterator[Watch]:
        """News of one run while the block runs."""
        watch = Watch(run, seen)
        self._runs.add(watch)
        try:
            yield watch
        finally:
            self._runs.discard(watch)

    @contextmanager
    def watch_inbox(self, session_id: str) -> Iterator[InboxWatch]:
        """News of deliveries while the block runs."""
        watch = InboxWatch(session_id)
        self._inboxes.add(watch)
        try:
            yield watch
        finally:
            self._inboxes.discard(watch)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Hub]:
        """The loops run while the block does."""
        loops: list[Callable[[], Coroutine[None, None, None]]] = [
            self._sending,
            lambda: self._listening(RUNS, self._look.set),
            lambda: self._listening(INBOX, self._wake_inboxes),
            self._looking,
        ]
        tasks = [asyncio.create_task(loop(), name="persistence wake-ups") for loop in loops]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _wake_all(self) -> None:
        for wake in self.wakers:
            wake()

    def _wake_inboxes(self) -> None:
        for watch in self._inboxes:
            watch.news.set()

    async def _sending(self) -> None:
        """NOTIFY what is dirty, then rest."""
        while True:
            try:
                connection = await connect(self._database.url, "persistence notify")
                async with connection:
                    await connection.execute("SET synchronous_commit = off")  # a hint needs no disk
                    while True:
                        await self._send.wait()
                        self._send.clear()
                        channels, self._dirty = sorted(self._dirty), set()
                        await connection.execute(SQL["notify"], {"channels": channels})
                        await asyncio.sleep(COALESCED)
            except Exception as lost:  # noqa: BLE001  # hints may be lost, whatever the reason; the loop must go on
                logger.warning("wake-ups of other replicas rest: %s", lost)
                await asyncio.sleep(RECONNECT)

    async def _listening(self, channel: LiteralString, heard: Callable[[], None]) -> None:
        while True:
            try:
                async with self._database.listen(channel) as payloads:
                    async for _ in payloads:
                        heard()
            except ServiceError as lost:
                logger.warning("wake-ups by other replicas rest: %s", lost)
            await asyncio.sleep(RECONNECT)

    async def _looking(self) -> None:
        """One query for all watched runs, when another replica hints, and every second."""
        while True:
            try:
                async with asyncio.timeout(POLLED):
                    await self._look.wait()
                hinted = True
            except TimeoutError:
                hinted = False
            self._look.clear()
            try:
                await self.look(inboxes=not hinted)
            except ServiceError as failed:
                logger.warning("watchers wait: %s", failed)
                await asyncio.sleep(POLLED)
            if hinted:
                await asyncio.sleep(COALESCED)

    async def look(self, *, inboxes: bool = True) -> None:
        """Wake whoever has missed something."""
        self._wake_all()
        if self._runs:
            ids = sorted({watch.run for watch in self._runs})
            revisions: dict[int, int] = dict(await self._database.read(SQL["revisions"], {"runs": ids}))
            for watch in self._runs:
                if revisions.get(watch.run, -1) != watch.seen:  # also where the run was deleted
                    watch.news.set()
        if inboxes:
            for waiting in tuple(self._inboxes):
                if not waiting.news.is_set() and await self._waits(waiting.session_id):
                    waiting.news.set()
