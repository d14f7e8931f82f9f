"""Archiving runs: `storage_state` alone, without an event or a new revision."""

from __future__ import annotations

from headrace_persistence.queries import SQL
from headrace_persistence.stores.delivering import no_run
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Transaction


class Archive:
    """Archive and unarchive."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set_run(self, run_id: str, storage_state: int) -> None:
        """Archive or unarchive a run; a run of an archived experiment stays archived."""
        if storage_state not in (rs.AVAILABLE, rs.ARCHIVED):
            raise ServiceError(Reason.INVALID_INPUT, "storage_state is neither AVAILABLE nor ARCHIVED")

        async def work(tx: Transaction) -> None:
            row = await tx.fetch_one(SQL["set_run_storage_state"], {"run_id": run_id, "storage_state": storage_state})
            if row is None:
                raise no_run(run_id)
            if storage_state == rs.AVAILABLE:
                archived = await tx.fetch_one(SQL["archived_experiment"], {"experiment_id": row[0]})
                if archived is not None:
                    raise ServiceError(
                        Reason.WRONG_STATE,
                        f"Run {run_id} is in experiment {row[0]}, which is archived: unarchive the experiment first",
                    )

        await self._database.transaction(work)
