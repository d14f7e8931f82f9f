"""What comes from outside: fetches inbox items for held shards and turns each into facts for its run. Called by driving.py.

A hint (Wake, WatchInbox) makes it look at once; without any it looks every second, so a lost hint costs a second.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from headrace_protos.v1 import attempts_pb2
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.claiming import Session
from headrace_scheduler.engine.facts import AttemptEnded, Fact, RetryRequested, TerminateRequested
from headrace_servicekit.errors import Reason, ServiceError

logger = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
PAGE = 500


def fact_of(request: rs.DeliverRequest) -> Fact | None:
    """What an inbox item says to its run; None: the run is created, the driver's own business. One that is to be deleted ends
    first, whatever it does; that it is removed then is the driver's business (`Drive.note`).
    """
    match request.WhichOneof("item"):
        case "terminate":
            return TerminateRequested(request.terminate.run_exit_tasks)
        case "delete":
            return TerminateRequested()
        case "retry":
            return RetryRequested()
        case "report":
            result = attempts_pb2.AttemptResult.FromString(request.report.result)
            return AttemptEnded(request.report.path, request.report.attempt, result)
    return None


class Receiver:
    """Yields inbox items once each, oldest first; `look()` is the hint."""

    def __init__(self, store: Any, session: Session) -> None:
        self._store = store
        self._session = session
        self._hint = asyncio.Event()
        self._seen: set[int] = set()

    def look(self) -> None:
        """There may be something."""
        self._hint.set()

    def forget(self, inbox_ids: list[int]) -> None:
        """These were not applied after all: hand them out again."""
        self._seen.difference_update(inbox_ids)
        if inbox_ids:
            self._hint.set()

    def later(self, inbox_id: int) -> None:
        """Hand it out again with the next look."""
        self._seen.discard(inbox_id)

    def reset(self) -> None:
        """A new session: everything that is not consumed comes again."""
        self._seen.clear()
        self._hint.set()

    async def wait(self) -> None:
        """Until a hint, or a second."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._hint.wait()
        self._hint.clear()

    async def fetch(self) -> list[rs.InboxItem]:
        """All items that were not handed out yet; what is no longer in the inbox is forgotten."""
        items: list[rs.InboxItem] = []
        present: set[int] = set()
        after = 0
        while True:
            request = rs.FetchInboxRequest(
                session_id=self._session.session_id, epoch=self._session.epoch, after_inbox_id=after, limit=PAGE
            )
            page = list((await self._store.FetchInbox(request)).items)
            present.update(item.inbox_id for item in page)
            items.extend(item for item in page if item.inbox_id not in self._seen)
            if len(page) < PAGE:
                break
            after = page[-1].inbox_id
        self._seen = present
        return items

    async def watch(self) -> None:
        """Turn the store's hints into ours, for as long as the session lives."""
        while True:
            try:
                async for _ in self._store.WatchInbox(rs.WatchInboxRequest(session_id=self._session.session_id)):
                    self._hint.set()
            except ServiceError as gone:
                if gone.reason not in (Reason.UNAVAILABLE, Reason.SESSION_LOST, Reason.DEADLINE):
                    logger.warning("cannot watch the inbox: %s", gone)
            await asyncio.sleep(LOOK_EVERY_S)
