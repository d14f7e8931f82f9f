"""Deleting what is doomed: cached results that need it, then what lies in the stores, then the row that says so.

Every step may be done twice; a row goes when its step is done, so whoever is killed is followed by another who goes on where
it stopped. Called by `keeping` and `erasing`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from headrace_persistence.queries import SQL
from headrace_persistence.retention.leaving import ARTIFACT, ENTRY, EVENTS, FETCHED, FOLDER, LOGS, OBJECT, logs_of
from headrace_persistence.retention.looking import Neighbours
from headrace_persistence.retention.lying import folder_of, is_within
from headrace_protos.v1 import cache_pb2, scheduler_pb2
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Row, Transaction

logger = logging.getLogger(__name__)
BATCH: Final = 50  # rows at a time
PAGE: Final = 500  # logs
SOME_EVENTS: Final = 5_000
SHOWN: Final = 3  # problems of one kind that are told


@dataclass(frozen=True, slots=True)
class Remains:
    """A row of what is doomed."""

    id: int
    kind: int
    uri: str
    run_id: str
    namespace: str
    pipeline: str
    created_us: int
    size: int
    drop_cache: bool
    spared: tuple[str, ...]
    upto: int
    erasure: int


class Sweeper:
    """`pace(n)` is awaited before n things are deleted, so that runs come first."""

    def __init__(self, database: Database, neighbours: Neighbours, pace: Callable[[int], Awaitable[None]]) -> None:
        self._database, self._neighbours, self._pace = database, neighbours, pace

    async def sweep(self, erasure: int = 0) -> tuple[list[Remains], list[str]]:
        """All that is doomed now, or is part of one erasure; and what could not be deleted."""
        done: list[Remains] = []
        problems: list[str] = []
        after = 0
        while True:
            asked = {"after": after, "erasure": erasure, "most": BATCH}
            rows = [_remains(row) for row in await self._database.read(SQL["doomed_remains"], asked)]
            if not rows:
                return done, _few(problems)
            after = rows[-1].id
            gone = await self._forgotten(rows, problems)
            for one in gone:
                await self._pace(1)
                try:
                    await self._delete(one)
                except ServiceError as refused:
                    if refused.reason == Reason.INVALID_INPUT and not one.erasure:
                        logger.info("retention leaves %s where it lies: %s", one.uri, refused.message)
                        await self._done([one.id])  # a folder that a run named, in no store of the platform's
                        continue
                    problems.append(f"{one.uri or one.run_id} is not deleted yet: {refused.message}")
                    if refused.reason == Reason.UNAVAILABLE:
                        return done, _few(problems)
                else:
                    done.append(one)

    async def _forgotten(self, rows: Sequence[Remains], problems: list[str]) -> Sequence[Remains]:
        """The cache forgets first what needs them; none are deleted where it cannot be told."""
        uris = [one.uri for one in rows if one.kind in (ARTIFACT, OBJECT)]
        try:
            if uris:
                await self._neighbours.cache.Invalidate(cache_pb2.InvalidateRequest(uris=uris))
            for one in rows:
                if one.drop_cache:
                    await self._neighbours.cache.Invalidate(cache_pb2.InvalidateRequest(run_id=one.run_id))
        except ServiceError as away:
            problems.append(f"nothing is deleted before the cache can be told: {away.message}")
            return ()
        return rows

    async def _delete(self, one: Remains) -> None:
        if one.kind == LOGS:
            await self._logs(one)
        elif one.kind == EVENTS:
            await self._events(one)
        elif one.kind == ENTRY:
            await self._neighbours.cache.Invalidate(cache_pb2.InvalidateRequest(keys=[one.uri]))
        elif one.kind == FETCHED:
            await self._neighbours.artifacts.Delete(scheduler_pb2.DeleteObjectsRequest(fetched=[one.uri]))
        else:
            spared = [uri for uri in one.spared if is_within(uri, one.uri)]
            await self._objects([one.uri], spared)
            if one.erasure:
                await self._prove_gone(one.uri)
        if one.kind == FOLDER and one.spared:
            await self._wait(one)
        else:
            await self._done([one.id])

    async def _wait(self, one: Remains) -> None:
        """A folder's row stays while somebody uses what no row of its own speaks for: a value by reference."""

        async def work(tx: Transaction) -> None:
            waiting = {"folder": one.uri, "run_id": one.run_id}
            spoken_for = {row[0] for row in await tx.fetch(SQL["waiting_within"], waiting)}
            if set(one.spared) <= spoken_for:
                await tx.execute(SQL["delete_remains"], {"ids": [one.id]})
            else:
                await tx.execute(SQL["undoom_folder"], {"id": one.id})

        await self._database.transaction(work)

    async def _prove_gone(self, uri: str) -> None:
        answer = await self._neighbours.artifacts.Exists(scheduler_pb2.ExistsRequest(uris=[uri]))
        if answer.exists[0]:
            raise ServiceError(
                Reason.INTERNAL, "it is still there after its deletion; look at who may delete in the store"
            )

    async def _done(self, ids: list[int]) -> None:
        async def work(tx: Transaction) -> None:
            await tx.execute(SQL["delete_remains"], {"ids": ids})

        await self._database.transaction(work)

    async def _logs(self, one: Remains) -> None:
        path, number = "", 0
        while True:
            asked = {"run_id": one.run_id, "path": path, "number": number, "most": PAGE}
            rows = await self._database.read(SQL["logs_of_run"], asked)
            if not rows:
                return
            path, number = rows[-1][0], rows[-1][1]
            uris = [uri for row in rows for uri in logs_of(row[2], row[3]) if folder_of(uri, one.run_id)]
            await self._pace(len(uris))
            await self._objects(uris)

    async def _events(self, one: Remains) -> None:
        asked = {"run_id": one.run_id, "upto": one.upto, "most": SOME_EVENTS}

        async def work(tx: Transaction) -> int:
            return await tx.execute(SQL["delete_some_events"], asked)

        while await self._database.transaction(work):
            await self._pace(1)
        await self._database.transaction(
            lambda tx: tx.execute(SQL["delete_feed_of"], {"run_id": one.run_id, "upto": one.upto})
        )

    async def _objects(self, uris: Sequence[str], spared: Sequence[str] = ()) -> None:
        if uris:
            await self._neighbours.artifacts.Delete(scheduler_pb2.DeleteObjectsRequest(uris=uris, spared=spared))


def _remains(row: Row) -> Remains:
    number, kind, uri, run_id, namespace, pipeline, created, size, drop_cache, spared, upto, erasure = row
    before = (number, kind, uri, run_id, namespace, pipeline, created, size, drop_cache)
    return Remains(*before, tuple(spared), upto, erasure)


def pacer(rate: float) -> Callable[[int], Awaitable[None]]:
    """RATE things a second."""

    async def pace(things: int) -> None:
        await asyncio.sleep(things / rate)

    return pace


def _few(problems: list[str]) -> list[str]:
    more = len(problems) - SHOWN
    return problems if more <= 0 else [*problems[:SHOWN], f"and {more} more"]
