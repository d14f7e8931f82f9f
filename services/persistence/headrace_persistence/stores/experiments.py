"""Experiments: names are unique in a namespace; archiving takes the runs along."""

from __future__ import annotations

import uuid
from typing import Final

from headrace_persistence.listing import EXPERIMENTS, cut, page_query
from headrace_persistence.queries import SQL
from headrace_persistence.stores.texts import checked, storable
from headrace_protos.v1 import catalog_pb2 as cat
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Row, Transaction

DEFAULT: Final = "Default"  # the experiment that runs without one go to; it is never deleted


class Experiments:
    """Creating, reading, archiving and deleting experiments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, request: cat.CreateExperimentRequest) -> cat.Experiment:
        """A new one, or with get_or_create the one of that name."""
        asked = request.experiment
        row = {
            "experiment_id": asked.experiment_id or str(uuid.uuid4()),
            "namespace": asked.namespace or "default",
            "display_name": asked.display_name,
            "description": asked.description,
        }
        checked("experiment", row)

        async def work(tx: Transaction) -> Row | None:
            made = await tx.fetch_one(SQL["insert_experiment"], row)
            if made is None:
                made = await tx.fetch_one(SQL["experiment_of_name"], row)
                if made is not None and not request.get_or_create:
                    raise ServiceError(
                        Reason.ALREADY_EXISTS, f"Experiment {asked.display_name!r} exists already; take another name"
                    )
            return made

        made = await self._database.transaction(work)
        return await self.get(made[0] if made is not None else row["experiment_id"])

    async def get(self, experiment_id: str) -> cat.Experiment:
        """One experiment."""
        rows = await self._database.read(SQL["get_experiment"], {"experiment_id": storable(experiment_id)})
        if not rows:
            raise _none(experiment_id)
        return _experiment(rows[0])

    async def list(self, request: cat.ListRequest) -> cat.ListExperimentsResponse:
        """A page."""
        asked = page_query(EXPERIMENTS, request.page, {"namespace": request.namespace})
        total, rows, following = cut(await self._database.read(asked.text, asked.params), asked.size)
        return cat.ListExperimentsResponse(experiments=[_experiment(row) for row in rows], total=total, next=following)

    async def set_storage_state(self, experiment_id: str, storage_state: int) -> cat.Experiment:
        """Archive with its runs, or unarchive without them."""
        if storage_state not in (rs.AVAILABLE, rs.ARCHIVED):
            raise ServiceError(Reason.INVALID_INPUT, "storage_state is neither AVAILABLE nor ARCHIVED")
        wanted = {"experiment_id": storable(experiment_id), "storage_state": storage_state}

        async def work(tx: Transaction) -> None:
            if await tx.fetch_one(SQL["set_experiment_storage_state"], wanted) is None:
                raise _none(experiment_id)
            if storage_state == rs.ARCHIVED:
                await tx.execute(SQL["archive_runs_of"], wanted)

        await self._database.transaction(work)
        return await self.get(experiment_id)

    async def delete(self, experiment_id: str) -> None:
        """Delete it; its runs stay."""
        found = await self.get(experiment_id)
        if found.display_name == DEFAULT:
            raise ServiceError(Reason.WRONG_STATE, f"Experiment {DEFAULT} cannot be deleted: runs without one go there")

        async def work(tx: Transaction) -> None:
            await tx.execute(SQL["delete_experiment"], {"experiment_id": experiment_id})

        await self._database.transaction(work)


def _none(experiment_id: str) -> ServiceError:
    return ServiceError(Reason.NOT_FOUND, f"Experiment {experiment_id} not found")


def _experiment(row: Row) -> cat.Experiment:
    return cat.Experiment(
        experiment_id=row[0],
        namespace=row[1],
        display_name=row[2],
        description=row[3],
        storage_state=row[4],
        created_at_us=row[5],
        last_run_created_at_us=row[6],
    )
