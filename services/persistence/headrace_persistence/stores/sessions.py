"""Sessions and shards: who may append for which runs, decided by Postgres's clock and locks alone.

A session that expired or was taken over is deleted; the deletion waits for its appends in flight (they hold its row FOR KEY
SHARE, see appending.sql), so nothing of it can commit afterwards.
"""

from __future__ import annotations

import uuid
from typing import Final

from headrace_persistence.queries import SQL
from headrace_protos.lifecycle import shard_of
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Transaction

EXPIRES_AFTER: Final = 10.0  # seconds
SHARDS: Final = 256


def lost(session_id: str) -> ServiceError:
    """What a caller whose session is over is told."""
    return ServiceError(Reason.SESSION_LOST, f"session {session_id} is over: open a new one and load the runs again")


class Sessions:
    """Opening, renewing and closing sessions; claiming shards."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, request: rs.OpenSessionRequest) -> rs.OpenSessionResponse:
        """A new session; with take_over every other one ends at once."""
        session_id = str(uuid.uuid4())

        async def work(tx: Transaction) -> int:
            if request.take_over:
                await tx.execute(SQL["end_all_sessions"])
            opened = await tx.fetch_one(
                SQL["open_session"],
                {
                    "session_id": session_id,
                    "holder": request.holder,
                    "address": request.address,
                    "seconds": EXPIRES_AFTER,
                },
            )
            assert opened is not None
            return int(opened[0])

        epoch = await self._database.transaction(work)
        return rs.OpenSessionResponse(session_id=session_id, epoch=epoch, shards=SHARDS, expires_after_s=EXPIRES_AFTER)

    async def renew(self, request: rs.RenewSessionRequest) -> rs.RenewSessionResponse:
        """Renew, give back what the holder names, claim what is free up to the fair share."""
        key = {"session_id": request.session_id, "epoch": request.epoch}

        async def work(tx: Transaction) -> rs.RenewSessionResponse:
            if await tx.fetch_one(SQL["renew_session"], {**key, "seconds": EXPIRES_AFTER}) is None:
                raise lost(request.session_id)
            await tx.execute(SQL["end_expired_sessions"])
            if request.releasing:
                await tx.fetch_one(SQL["lock_session"], key)
                await tx.execute(
                    SQL["release_shards"], {"session_id": request.session_id, "shards": list(request.releasing)}
                )
            return await _share(tx, request.session_id, frozenset(request.releasing))

        return await self._database.transaction(work)

    async def close(self, request: rs.CloseSessionRequest) -> None:
        """End the session; its shards are free at once."""

        async def work(tx: Transaction) -> None:
            await tx.execute(SQL["close_session"], {"session_id": request.session_id, "epoch": request.epoch})

        await self._database.transaction(work)

    async def holder(self, request: rs.FindHolderRequest) -> rs.FindHolderResponse:
        """Who holds the run's shard; nobody is no error."""
        shard = shard_of(request.run_id, SHARDS)

        async def work(tx: Transaction) -> rs.FindHolderResponse:
            found = await tx.fetch_one(SQL["holder_of_shard"], {"shard": shard})
            return rs.FindHolderResponse(session_id=found[0], address=found[1]) if found else rs.FindHolderResponse()

        return await self._database.transaction(work)

    async def check(self, tx: Transaction, session_id: str, epoch: int) -> None:
        """Raise SESSION_LOST unless the session lives; for reads."""
        if await tx.fetch_one(SQL["check_session"], {"session_id": session_id, "epoch": epoch}) is None:
            raise lost(session_id)


async def _share(tx: Transaction, session_id: str, released: frozenset[int]) -> rs.RenewSessionResponse:
    counted = await tx.fetch_one(SQL["count_sessions"])
    live = max(1, int(counted[0])) if counted else 1
    fair = -(-SHARDS // live)
    held = [int(row[0]) for row in await tx.fetch(SQL["held_shards"], {"session_id": session_id})]
    claimed: list[int] = []
    if len(held) < fair and not released:  # who is giving back has too many, or is going
        rows = await tx.fetch(SQL["claim_shards"], {"session_id": session_id, "wanted": fair - len(held)})
        claimed = sorted(int(row[0]) for row in rows)
    return rs.RenewSessionResponse(held=sorted([*held, *claimed]), claimed=claimed, give_back=held[fair:])
