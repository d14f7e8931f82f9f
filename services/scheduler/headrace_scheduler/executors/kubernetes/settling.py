"""The end of an attempt whose Pod ended without a report: what it published, else how its Pod ended. Called by the executor.

`attempt.json` is the last object that an attempt publishes, so whoever finds it has the whole result.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from headrace_companion.publishing import sealed
from headrace_companion.store import ArtifactStore, StoreError
from headrace_protos.v1 import attempts_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.process.reports import report

logger = logging.getLogger(__name__)
AT_ONCE: Final = 8
TRIES: Final = 30
AGAIN_S: Final = 2.0


@dataclass(slots=True)
class Settler:
    """Looks into the store, in threads."""

    store: ArtifactStore
    _looks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def result(
        self, attempt: port.AttemptId, root: str, otherwise: attempts_pb2.AttemptResult
    ) -> attempts_pb2.AttemptResult:
        """What it published below ROOT, else OTHERWISE. A store that is away for a minute is waited for."""
        for _ in range(TRIES):
            try:
                async with self._looks:
                    found = await asyncio.to_thread(sealed, root, self.store)
            except StoreError as away:
                if self.store.key(root) is None:
                    return otherwise  # it published elsewhere, if at all
                logger.warning("cannot see whether %s was published, trying again: %s", root, away)
                await asyncio.sleep(AGAIN_S)
                continue
            except (OSError, ValueError):
                return otherwise  # what cannot be read was not published completely
            return otherwise if found is None else report(attempt, found)
        return otherwise
