"""Tells persistence what became known of attempts after their ends: which image they ran. Run by the replica.

Nothing is decided by it, so it is no event of a run, which may be over by then; lineage shows it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.executors.port import Ran
from headrace_servicekit.errors import Reason, ServiceError

logger = logging.getLogger(__name__)
GATHER_S: Final = 1.0  # and by then the append has gone that they are about
AGAIN_S: Final = 5.0
MOST: Final = 1_000  # in a call
KEPT: Final = 20_000  # while persistence is away
PASSING: Final = frozenset({Reason.UNAVAILABLE, Reason.DEADLINE})


class Notes:
    """`store` is a RunStore stub."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._open: asyncio.Queue[rs.RanImage] = asyncio.Queue(KEPT)

    def add(self, fact: Ran) -> None:
        """To be written soon; what finds no room is lost."""
        of = fact.attempt
        if not self._open.full():
            self._open.put_nowait(
                rs.RanImage(run_id=of.run_id, path=of.path, attempt=of.number, image_digest=fact.image_digest)
            )

    async def write(self) -> None:
        """What there is, whenever there is something."""
        while True:
            batch = [await self._open.get()]
            await asyncio.sleep(GATHER_S)
            while not self._open.empty() and len(batch) < MOST:
                batch.append(self._open.get_nowait())
            await self._tell(rs.NoteImagesRequest(images=batch))

    async def _tell(self, request: rs.NoteImagesRequest) -> None:
        while True:
            try:
                await self._store.NoteImages(request)
            except ServiceError as refused:
                logger.warning("the images of %d attempts are not written down: %s", len(request.images), refused)
                if refused.reason not in PASSING:
                    return
                await asyncio.sleep(AGAIN_S)
            else:
                return
