"""Housekeeping: partitions made ahead and dropped when empty, keys of old deliveries purged. One small loop; `run_once` is all
that it does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Final

from headrace_persistence.queries import SQL
from headrace_servicekit.errors import ServiceError
from headrace_servicekit.postgres import Database, Transaction

logger = logging.getLogger(__name__)
AHEAD: Final = 3  # days for which partitions exist already
EVERY: Final = 3600.0  # seconds
PAST: Final = 7  # days for which partitions stay, also empty
KEPT: Final = timedelta(days=1)  # how long a consumed delivery's key is known


class Housekeeper:
    """The duties that no request pays for."""

    def __init__(self, database: Database, today: Callable[[], date] = lambda: datetime.now(UTC).date()) -> None:
        self._database, self._today = database, today

    async def run_once(self) -> None:
        """Make the partitions of the next days, drop old ones that nothing is left in, forget old keys."""
        today = self._today()

        async def work(tx: Transaction) -> None:
            for ahead in range(AHEAD + 1):
                await tx.fetch(SQL["make_partition"], {"day": today + timedelta(days=ahead)})
            await tx.execute(SQL["purge_inbox"], {"age_us": int(KEPT.total_seconds() * 1e6)})

        await self._database.transaction(work)
        past = {"before": today - timedelta(days=PAST)}
        while await self._database.transaction(lambda tx: tx.fetch(SQL["drop_partition"], past)) == [(True,)]:
            logger.info("a partition of events that nothing was left in is dropped")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Housekeeper]:
        """Once now, then every hour while the block runs."""
        await self.run_once()
        task = asyncio.create_task(self._loop(), name="persistence housekeeping")
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _loop(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.run_once()
            except ServiceError as failed:
                logger.warning("housekeeping waits an hour: %s", failed)
