"""Loading runs for the engine: each at one revision, what ended inside ended groups left out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from headrace_persistence.queries import SQL
from headrace_persistence.snapshots import inner_snapshot, may_run_again, run_snapshot, task_snapshot
from headrace_persistence.stores.sessions import lost
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.postgres import Database, Transaction

AT_ONCE: Final = 20  # runs in one read: one snapshot of the database each time


class Loader:
    """Reads what the engine needs to go on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, request: rs.LoadRunsRequest) -> AsyncIterator[rs.RunSnapshot]:
        """The runs asked for, as far as the session holds their shards."""
        wanted = await self._database.transaction(lambda tx: _wanted(tx, request))
        for start in range(0, len(wanted), AT_ONCE):
            runs = wanted[start : start + AT_ONCE]
            for snapshot in await self._database.transaction(partial(_snapshots, runs, request.inside)):
                yield snapshot


async def _wanted(tx: Transaction, request: rs.LoadRunsRequest) -> list[int]:
    session = {"session_id": request.session_id, "epoch": request.epoch}
    if await tx.fetch_one(SQL["check_session"], session) is None:
        raise lost(request.session_id)
    if request.run_ids:
        rows = await tx.fetch(SQL["named_runs"], {"session_id": request.session_id, "run_ids": list(request.run_ids)})
    else:
        rows = await tx.fetch(SQL["active_runs"], {"session_id": request.session_id, "shards": list(request.shards)})
    return [int(row[0]) for row in rows]


async def _snapshots(runs: list[int], inside: bool, tx: Transaction) -> list[rs.RunSnapshot]:
    await tx.execute(SQL["read_snapshot"])
    snapshots = {row[1]: run_snapshot(row) for row in await tx.fetch(SQL["load_runs"], {"runs": runs})}
    for row in await tx.fetch(SQL["load_tasks"], {"runs": runs}):
        if row[0] in snapshots:
            snapshots[row[0]].tasks.append(task_snapshot(row[1:]))
    retried = [run for run, one in snapshots.items() if (inside or one.resetting) and may_run_again(one.plan)]
    for row in await tx.fetch(SQL["load_inside"], {"runs": retried}) if retried else ():
        snapshots[row[0]].inside.append(inner_snapshot(row[1:]))
    return list(snapshots.values())
