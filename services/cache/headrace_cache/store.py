"""The cache's rows in schema `cache`: entries and reservations, few statements for any number of keys. Called by handlers.py."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace_protos.v1 import cache_pb2, events_pb2
from headrace_servicekit.postgres import Database, Transaction
from headrace_servicekit.sqlfiles import load_queries

SQL: Final = Path(__file__).parent / "sql"
MIGRATIONS: Final = SQL / "migrations"
SCHEMA: Final = "cache"
QUERIES: Final = load_queries(SQL / "queries")
RESERVATION_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Found:
    """An entry."""

    outputs: bytes
    origin: str
    created_at_us: int


@dataclass(frozen=True, slots=True)
class Reserved:
    """The answer to one reservation: the caller's token, or who holds the key."""

    token: str
    holder: str
    expires_after_s: float


class CacheStore:
    """Every method is one transaction or one read. Entries older than `max_age_s` are not found; 0: none is too old."""

    def __init__(self, database: Database, max_age_s: float) -> None:
        self._database = database
        self._max_age_s = max_age_s

    async def lookup(self, keys: Sequence[str]) -> dict[str, Found]:
        """What there is, by key."""
        rows = await self._database.read(QUERIES["lookup"], {"keys": list(keys), "max_age": self._max_age_s})
        return {key: Found(bytes(outputs), origin, created) for key, outputs, origin, created in rows}

    async def reserve(self, wanted: Sequence[cache_pb2.Reservation]) -> dict[str, Reserved]:
        """Each key's outcome; of two requests for one key in the same call the first counts."""
        first = {one.key: one for one in reversed(wanted)}
        tokens = {key: one.token or str(uuid.uuid4()) for key, one in first.items()}

        async def work(t: Transaction) -> dict[str, Reserved]:
            granted: dict[str, str] = dict(
                await t.fetch(
                    QUERIES["reserve"],
                    {
                        "keys": list(first),
                        "tokens": [tokens[key] for key in first],
                        "holders": [one.holder for one in first.values()],
                        "seconds": RESERVATION_S,
                    },
                )
            )
            others = [key for key in first if key not in granted]
            held = await t.fetch(QUERIES["holders"], {"keys": others}) if others else []
            answer = {key: Reserved(token, first[key].holder, RESERVATION_S) for key, token in granted.items()}
            answer.update({key: Reserved("", holder, left) for key, holder, left in held})
            return answer

        return await self._database.transaction(work)

    async def commit(self, entries: Sequence[cache_pb2.Entry]) -> None:
        """Store outputs, spend the tokens."""
        last = {entry.key: entry for entry in entries}
        rows = list(last.values())
        params = {
            "keys": [e.key for e in rows],
            "namespaces": [e.ingredients.namespace for e in rows],
            "pipelines": [e.ingredients.pipeline_name for e in rows],
            "components": [e.ingredients.component for e in rows],
            "runs": [e.origin.partition("/")[0] for e in rows],
            "origins": [e.origin for e in rows],
            "outputs": [e.outputs.SerializeToString(deterministic=True) for e in rows],
            "ingredients": [e.ingredients.SerializeToString(deterministic=True) for e in rows],
            "uris": ["\n".join(uris_of(e.outputs)) for e in rows],
        }

        async def work(t: Transaction) -> None:
            await t.execute(QUERIES["commit_entries"], params)
            await t.execute(
                QUERIES["release"], {"keys": [e.key for e in entries], "tokens": [e.token for e in entries]}
            )

        await self._database.transaction(work)

    async def release(self, given: Sequence[cache_pb2.Reservation]) -> None:
        """Give keys back; also forgets what expired long ago."""

        async def work(t: Transaction) -> None:
            await t.execute(QUERIES["release"], {"keys": [r.key for r in given], "tokens": [r.token for r in given]})
            await t.execute(QUERIES["drop_expired"])

        await self._database.transaction(work)

    async def invalidate(self, keys: Sequence[str], run_id: str, uri_prefix: str) -> int:
        """How many entries were dropped."""
        params = {"keys": list(keys), "run_id": run_id, "uri_prefix": uri_prefix}

        async def work(t: Transaction) -> int:
            return await t.execute(QUERIES["drop_entries"], params)

        return await self._database.transaction(work)

    async def nearest(self, of: cache_pb2.Ingredients) -> list[tuple[str, str, cache_pb2.Ingredients]]:
        """The newest entries of the same component: key, origin, ingredients."""
        rows = await self._database.read(
            QUERIES["nearest"],
            {"namespace": of.namespace, "pipeline_name": of.pipeline_name, "component": of.component},
        )
        return [(key, origin, cache_pb2.Ingredients.FromString(bytes(kept))) for key, origin, kept in rows]


def uris_of(values: events_pb2.Values) -> list[str]:
    """The artifacts' URIs, for invalidation."""
    return [
        artifact.uri for group in values.artifacts.values() for artifact in group.artifacts if "\n" not in artifact.uri
    ]
