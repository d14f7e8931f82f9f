"""Deciding that something goes, once and for all: under the lock that everybody holds who begins to use a place.

Before it stands the question whether a cached result needs it, after it nothing new can: an append that takes a doomed result is
refused as if its run had moved on (stores/appending.py). Called by `keeping`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from headrace_persistence.queries import SQL
from headrace_persistence.retention import policies as p
from headrace_persistence.retention.leaving import EVENTS, LOGS, OBJECT, Left, leave
from headrace_persistence.retention.looking import Neighbours, asked_of
from headrace_persistence.retention.lying import Uses, above, is_within
from headrace_persistence.retention.planning import Action
from headrace_persistence.stores.delivering import Inbox
from headrace_protos.v1 import cache_pb2
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.postgres import Database, Row, Transaction

ID, RUN_ID, SHARD, ENDED, PINNED, DELETING, RETRYING, STORAGE, REVISION, NAMESPACE, PIPELINE, CREATED = range(12)
STAYING: Final = 1  # storage state: not archived


@dataclass(frozen=True, slots=True)
class Folder:
    """Of a deleted run."""

    id: int
    uri: str
    run_id: str
    drop_cache: bool
    spared: tuple[str, ...]
    swept: bool


class Doomer:
    """Each method is one transaction, and says what it took."""

    def __init__(self, database: Database, neighbours: Neighbours, inbox: Inbox) -> None:
        self._database, self._neighbours, self._inbox = database, neighbours, inbox

    async def runs(self, actions: Sequence[Action]) -> list[Action]:
        """Runs that are as the plan saw them: their deletion is asked for, as if somebody had called for it."""

        async def work(tx: Transaction) -> list[Action]:
            rows = await self._locked(tx, actions)
            resumed = {rs.Resume.FromString(row[1]).run_id for row in await tx.fetch(SQL["resuming_runs"])}
            ((now_us,),) = await tx.fetch(SQL["retention_now"])
            taken = [
                one
                for one in actions
                if (row := rows.get(one.name)) is not None
                and one.name not in resumed
                and (row[STORAGE] != STAYING) == (one.kind == p.ARCHIVED)
            ]
            for one in taken:
                row = rows[one.name]
                await self._inbox.delete(tx, row[ID], row[RUN_ID], row[SHARD], now_us)
            return taken

        return await self._database.transaction(work)

    async def parts_of_runs(self, kind: str, actions: Sequence[Action]) -> list[Action]:
        """Logs or traces: from now on readers know that they are gone."""
        marked, left = ("mark_logs_deleted", LOGS) if kind == p.LOGS else ("mark_events_deleted", EVENTS)

        async def work(tx: Transaction) -> list[Action]:
            rows = await self._locked(tx, actions)
            taken = [one for one in actions if one.name in rows]
            await tx.execute(SQL[marked], {"runs": [rows[one.name][ID] for one in taken]})
            await leave(tx, (_left(rows[one.name], left) for one in taken))
            return taken

        return await self._database.transaction(work)

    async def artifacts(self, actions: Sequence[Action]) -> list[Action]:
        """Those that nobody uses."""
        uris = [one.name for one in actions]
        answer = await self._neighbours.cache.EntriesUsing(cache_pb2.EntriesUsingRequest(uris=uris))
        cached = Uses((uri.rstrip("/"), one.key) for one in answer.entries for uri in one.uris)

        async def work(tx: Transaction) -> list[Action]:
            await tx.fetch(SQL["take_retention_lock"])
            places = [uri.rstrip("/") for uri in uris]
            waiting = await tx.fetch(SQL["lock_waiting"], {"uris": uris})
            used = {row[0] for row in await tx.fetch(SQL["users_among"], asked_of(places))}
            used |= {row[0] for row in await tx.fetch(SQL["noted_among"], {"uris": uris})}
            free = {row[1]: row[0] for row in waiting if row[1].rstrip("/") not in used and row[1] not in used}
            taken = [one for one in actions if one.name in free and not cached.of(one.name)]
            await tx.execute(SQL["doom"], {"ids": [free[one.name] for one in taken]})
            return taken

        return await self._database.transaction(work)

    async def packages(self, actions: Sequence[Action]) -> list[Action]:
        """A task that finds its archive gone installs anew."""

        rows = [
            Left(
                kind=OBJECT,
                uri=one.name,
                run_id="",
                namespace=one.namespace,
                pipeline_name="",
                created_at_us=one.created_us,
                size=one.size,
                doomed=True,
            )
            for one in actions
        ]

        async def work(tx: Transaction) -> list[Action]:
            await leave(tx, rows)
            return list(actions)

        return await self._database.transaction(work)

    async def folders(self, found: Sequence[Folder]) -> list[Folder]:
        """What deleted runs left, but for what somebody uses; those of which that has not changed are left out."""
        for one in found:
            if one.drop_cache:
                await self._neighbours.cache.Invalidate(cache_pb2.InvalidateRequest(run_id=one.run_id))
        answer = await self._neighbours.cache.EntriesUsing(
            cache_pb2.EntriesUsingRequest(uris=[one.uri for one in found])
        )
        cached = sorted({uri.rstrip("/") for one in answer.entries for uri in one.uris})
        return [one for one in found if await self._database.transaction(partial(_doom_folder, one, cached))]

    async def _locked(self, tx: Transaction, actions: Sequence[Action]) -> dict[str, Row]:
        """Those that a policy may still take."""
        rows = await tx.fetch(SQL["lock_for_retention"], {"run_ids": [one.name for one in actions]})
        return {row[RUN_ID]: row for row in rows if row[ENDED] and not (row[PINNED] or row[DELETING] or row[RETRYING])}


async def _doom_folder(folder: Folder, cached: Sequence[str], tx: Transaction) -> bool:
    await tx.fetch(SQL["take_retention_lock"])
    if await tx.fetch_one(SQL["lock_folder"], {"id": folder.id}) is None:
        return False
    used = await tx.fetch(SQL["used_within"], {"folder": folder.uri, "above": list(above(folder.uri))})
    waiting = await tx.fetch(SQL["waiting_within"], {"folder": folder.uri, "run_id": folder.run_id})
    users = {row[0] for row in used} | {uri for uri in cached if is_within(uri, folder.uri)}
    if any(is_within(folder.uri, uri) for uri in (*users, *cached)):
        return False  # somebody uses all of it
    spared = sorted(users | {row[0] for row in waiting})
    if folder.swept and tuple(spared) == folder.spared:
        return False
    await tx.execute(SQL["doom_folder"], {"id": folder.id, "spared": spared})
    return True


def _left(row: Row, kind: int) -> Left:
    return Left(
        kind=kind,
        run_id=row[RUN_ID],
        namespace=row[NAMESPACE],
        pipeline_name=row[PIPELINE],
        created_at_us=row[CREATED],
        doomed=True,
        upto=row[REVISION],
    )
