"""Keeping stores fit to use: a bucket that is not there is made, uploads that nobody goes on with are ended.

Called by `server`. A store that cannot be reached at the start is waited for, with a line in the log; one that refuses us is
a mistake that the start ends with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from headrace_companion.store import ArtifactStore, StoreDown, StoreError
from headrace_scheduler.stores.composite import Stores
from headrace_servicekit.errors import Reason, ServiceError

logger = logging.getLogger(__name__)
PUBLISHING_S: Final = 3600.0  # for so long a finished task waits for a store that is down
CHECK_S: Final = 5.0
AGAIN_S: Final = 2.0
EVERY_S: Final = 3600.0
ABANDONED: Final = timedelta(days=1)  # nobody goes on with an upload after this


@asynccontextmanager
async def opened(stores: Stores) -> AsyncIterator[Stores]:
    """The stores while the block runs, checked and kept. Raises ServiceError where one refuses us."""
    waiting = [store for store in stores.all if not await _answers(store)]
    keeping = asyncio.create_task(_keep(stores, waiting), name="stores")
    try:
        yield stores
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await asyncio.to_thread(stores.close)


async def _answers(store: ArtifactStore) -> bool:
    """False: it cannot be reached yet."""
    try:
        await asyncio.to_thread(_check, store.patient(CHECK_S))
    except StoreDown as down:
        logger.warning("waiting for the artifact store %s: %s", store.root, down)
        return False
    except StoreError as refused:
        raise ServiceError(Reason.INVALID_INPUT, f"the artifact store {store.root}: {refused}") from refused
    return True


def _check(store: ArtifactStore) -> None:
    check = getattr(store, "check", None)  # a folder needs none
    if check is not None:
        check()


async def _keep(stores: Stores, waiting: list[ArtifactStore]) -> None:
    while waiting:
        await asyncio.sleep(AGAIN_S)
        for store in list(waiting):
            try:
                if await _answers(store):
                    waiting.remove(store)
                    logger.info("the artifact store %s is there", store.root)
            except ServiceError as refused:
                logger.error("%s", refused)
                waiting.remove(store)
    while True:
        for store in stores.all:
            await asyncio.to_thread(end_abandoned, store, datetime.now(UTC) - ABANDONED)
        await asyncio.sleep(EVERY_S)


def end_abandoned(store: ArtifactStore, older_than: datetime) -> None:
    """End the uploads that were begun before OLDER_THAN; what they had sent costs money, and nobody sees it."""
    end = getattr(store, "end_unfinished", None)
    if end is None:
        return
    try:
        ended = end(older_than)
    except StoreError as failed:
        logger.warning("unfinished uploads in %s are not looked after: %s", store.root, failed)
    else:
        if ended:
            logger.info("ended %d unfinished uploads in %s", ended, store.root)
