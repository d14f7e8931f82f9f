"""Waiting until the end of an attempt is durable, so that its report is acknowledged by the append that applies it, and needs
no transaction of its own. The driver tells; the handler of headrace.v1.Attempts waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headrace_scheduler.executors.port import AttemptId


class Ends:
    """Who waits for which attempt."""

    def __init__(self) -> None:
        self._waiting: dict[AttemptId, asyncio.Future[None]] = {}

    def tell(self, attempt: AttemptId) -> None:
        """Its end is durable."""
        waiting = self._waiting.get(attempt)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def wait(self, attempt: AttemptId, begin: Callable[[], bool], within_s: float) -> bool:
        """Whether the end that BEGIN sets going was durable in that time; BEGIN says whether it did."""
        waiting = self._waiting.setdefault(attempt, asyncio.get_running_loop().create_future())
        try:
            if not begin():
                return False
            async with asyncio.timeout(within_s):
                await asyncio.shield(waiting)
            return True
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(attempt, None)
