"""What becomes known of attempts after their ends, beside the event that has the rest of it: no event, no new revision."""

from __future__ import annotations

from headrace_persistence.queries import SQL
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.postgres import Database, Transaction


class Notes:
    """Which images ran."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def images(self, request: rs.NoteImagesRequest) -> None:
        """Added to what the attempts were launched as; attempts that are not there, or not launched, are left out."""
        more = [ev.AttemptLaunched(image_digest=one.image_digest).SerializeToString() for one in request.images]
        noted = {
            "runs": [one.run_id for one in request.images],
            "paths": [one.path for one in request.images],
            "numbers": [one.attempt for one in request.images],
            "more": more,
        }

        async def work(tx: Transaction) -> None:
            await tx.fetch(SQL["note_images"], noted)

        await self._database.transaction(work)
