"""The newest events of all runs, read once for all who follow them: a window of bounded size over the feed.

A reader is a sequence number, nothing is queued for it: while it keeps up it is given what lies in the window, and one that has
fallen behind reads its next page from Postgres. The loop runs while somebody reads. `watching` is the only caller.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from headrace_persistence.stores.feed import HELD, Feed, Page

logger = logging.getLogger(__name__)
WINDOW: Final = 4 << 20  # bytes of events that are kept for those who keep up
PAGES: Final = 1000  # pages that are kept at most
AGAIN: Final = 1.0  # seconds after a failure


class Tail:
    """`wake` says that there may be news; a hint may be lost where somebody calls it every second besides."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._pages: deque[tuple[int, Page]] = deque()  # each with the sequence number that it follows
        self._size = 0
        self._end: int | None = None  # of the window; None while nobody reads
        self._readers = 0
        self._loop: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._grown = asyncio.Event()

    def wake(self) -> None:
        """Something has been committed, here or elsewhere, or it is time to look."""
        self._news.set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Tail]:
        """The window is kept while the block runs."""
        self._readers += 1
        if self._loop is None:
            self._loop = asyncio.create_task(self._follow(), name="persistence feed")
        try:
            yield self
        finally:
            self._readers -= 1
            if not self._readers:
                await self._stop()

    async def history(self, sequence: int, end: int) -> AsyncGenerator[Page, None]:
        """The pages after a sequence number, up to another."""
        while sequence < end:
            page = await self._feed.page(sequence)
            if page.held:
                await asyncio.sleep(HELD)
            elif page.sequence == sequence:
                return
            else:
                sequence = page.sequence
                yield page

    async def after(self, sequence: int) -> AsyncGenerator[Page, None]:
        """The pages after a sequence number, for ever; a page without parts may be among them."""
        while True:
            end = self._end
            if end is None or not self._covers(sequence):
                page = await self._feed.page(sequence)
                if page.held:
                    await asyncio.sleep(HELD)
                elif page.sequence == sequence:
                    await self._more(end)
            else:
                found = self._next(sequence)
                if found is None:
                    await self._more(end)
                    continue
                page = found
            if page.sequence > sequence:
                sequence = page.sequence
                yield page

    def _covers(self, sequence: int) -> bool:
        """Whether all that comes after a sequence number will be found in the window."""
        return self._end is not None and (self._pages[0][0] if self._pages else self._end) <= sequence

    def _next(self, sequence: int) -> Page | None:
        """The first page of the window that has more; a part of it may have been read before."""
        for _, page in self._pages:
            if page.sequence > sequence:
                return page
        return None

    async def _more(self, seen: int | None) -> None:
        """Wait until the window ends elsewhere than at SEEN."""
        while self._end == seen:
            self._grown.clear()
            await self._grown.wait()

    async def _follow(self) -> None:
        while True:
            self._news.clear()  # before the read: what comes after it wakes the next turn
            try:
                if self._end is None:
                    self._moved(await self._feed.now())
                assert self._end is not None
                page = await self._feed.page(self._end)
            except Exception as failed:  # noqa: BLE001  # whatever it is, who reads must not wait for ever
                logger.warning("watchers of namespaces wait: %s", failed)
                await asyncio.sleep(AGAIN)
                continue
            if page.sequence > self._end:
                self._keep(self._end, page)
            if page.held:
                await asyncio.sleep(HELD)
            elif not page.more:
                await self._news.wait()

    def _keep(self, after: int, page: Page) -> None:
        self._pages.append((after, page))
        self._size += sum(part.size for part in page.parts)
        while len(self._pages) > PAGES or (self._size > WINDOW and len(self._pages) > 1):
            self._size -= sum(part.size for part in self._pages.popleft()[1].parts)
        self._moved(page.sequence)

    def _moved(self, end: int) -> None:
        self._end = end
        self._grown.set()

    async def _stop(self) -> None:
        loop, self._loop = self._loop, None
        self._pages.clear()
        self._size, self._end = 0, None
        if loop is not None:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
