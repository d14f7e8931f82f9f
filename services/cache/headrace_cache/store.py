"""The cache's rows in schema `cache`: entries and reservations, few statements for any number of keys. Called by handlers.py."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace_cache.columns import columns_of, misses_of, record_of
from headrace_protos.v1 import cache_pb2
from headrace_servicekit.postgres import Database, Transaction
from headrace_servicekit.sqlfiles import load_queries

SQL: Final = Path(__file__).parent / "sql"
MIGRATIONS: Final = SQL / "migrations"
SCHEMA: Final = "cache"
QUERIES: Final = load_queries(SQL / "queries")
RESERVATION_S: Final = 60.0
MISSES_DAYS: Final = 30  # that people may ask why
MOST_LISTED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Found:
    """An entry."""

    outputs: bytes
    origin: str
    created_at_us: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Near:
    """An entry by what its key was made of."""

    key: str
    origin: str
    created_at_us: int
    ingredients: cache_pb2.Ingredients


@dataclass(frozen=True, slots=True)
class Miss:
    """A task that was not found; `why` an entry of its key did not count, "" = there was none."""

    key: str
    why: str
    ingredients: cache_pb2.Ingredients
    asked_at_us: int


@dataclass(frozen=True, slots=True)
class Reserved:
    """The answer to one reservation: the caller's token, or who holds the key."""

    token: str
    holder: str
    expires_after_s: float


class CacheStore:
    """Every method is one transaction or one read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lookup(self, keys: Sequence[str]) -> dict[str, Found]:
        """What there is, by key."""
        rows = await self._database.read(QUERIES["lookup"], {"keys": list(keys)})
        return {key: Found(bytes(outputs), origin, created, age) for key, outputs, origin, created, age in rows}

    async def reserve(self, wanted: Sequence[cache_pb2.Reservation]) -> dict[str, Reserved]:
        """Each key's outcome; of two requests for one key in the same call the first counts. What says of what its key is made
        is remembered as a miss. No outcome: nobody holds the key, and there is an entry where the caller found none before.
        """
        first = {one.key: one for one in reversed(wanted) if one.key}
        unseen = [key for key, one in first.items() if one.HasField("ingredients") and not one.why]
        asked = {
            "keys": list(first),
            "tokens": [one.token or str(uuid.uuid4()) for one in first.values()],
            "holders": [one.holder for one in first.values()],
            "seconds": RESERVATION_S,
        }

        async def work(t: Transaction) -> dict[str, Reserved]:
            granted: dict[str, str] = dict(await t.fetch(QUERIES["reserve"], asked))
            made = await _made_meanwhile(t, granted, unseen)
            misses = misses_of([one for one in wanted if one.HasField("ingredients") and one.key not in made])
            if misses["runs"]:
                await t.execute(QUERIES["put_misses"], misses)
            others = [key for key in first if key not in granted and key not in made]
            held = await t.fetch(QUERIES["holders"], {"keys": others}) if others else []
            answer = {key: Reserved(token, first[key].holder, RESERVATION_S) for key, token in granted.items()}
            answer.update({key: Reserved("", holder, left) for key, holder, left in held})
            return answer

        return await self._database.transaction(work)

    async def commit(self, entries: Sequence[cache_pb2.Entry]) -> None:
        """Store outputs, spend the tokens. Without an unspent one nothing is stored: what it stood for may have been dropped."""
        tokens = {"keys": [e.key for e in entries], "tokens": [e.token for e in entries]}

        async def work(t: Transaction) -> None:
            held = {(key, token) for key, token in await t.fetch(QUERIES["held"], tokens)}
            last = {e.key: e for e in entries if (e.key, e.token) in held}
            params = columns_of(list(last.values()))
            await t.execute(QUERIES["commit_entries"], params)
            await t.execute(QUERIES["drop_entry_uris"], {"keys": params["keys"]})
            await t.execute(QUERIES["put_entry_uris"], {"keys": params["keys"]})
            await t.execute(QUERIES["release"], tokens)

        await self._database.transaction(work)

    async def release(self, given: Sequence[cache_pb2.Reservation]) -> None:
        """Give keys back; also forgets what expired long ago."""

        async def work(t: Transaction) -> None:
            await t.execute(QUERIES["release"], {"keys": [r.key for r in given], "tokens": [r.token for r in given]})
            await t.execute(QUERIES["drop_expired"])
            await t.execute(QUERIES["drop_old_misses"], {"days": MISSES_DAYS})

        await self._database.transaction(work)

    async def invalidate(self, request: cache_pb2.InvalidateRequest) -> int:
        """How many entries were dropped."""
        prefixes = [request.uri_prefix] if request.uri_prefix else []
        params = {
            "keys": list(request.keys),
            "run_id": request.run_id,
            "prefixes": [*prefixes, *(f"{uri.rstrip('/')}/" for uri in request.uris)],
            "uris": list(request.uris),
        }

        async def work(t: Transaction) -> int:
            if request.run_id:
                await t.execute(QUERIES["drop_misses"], {"run_id": request.run_id})
            return await t.execute(QUERIES["drop_entries"], params)

        return await self._database.transaction(work)

    async def listed(self, request: cache_pb2.ListEntriesRequest) -> list[cache_pb2.EntryRecord]:
        """The oldest of a pipeline."""
        asked = {
            "namespace": request.namespace,
            "pipeline_name": request.pipeline_name,
            "before_us": request.created_before_us,
            "beyond": request.beyond if request.counted else None,
            "most": request.most or MOST_LISTED,
        }
        return [record_of(row) for row in await self._database.read(QUERIES["list_entries"], asked)]

    async def using(self, uris: Sequence[str]) -> list[cache_pb2.EntryRecord]:
        """Entries that need what lies there, below, or above."""
        bare = [uri.rstrip("/") for uri in uris]
        above = {folder for uri in bare for folder in _above(uri)}
        asked = {"uris": sorted({*bare, *(f"{uri}/" for uri in bare), *above}), "prefixes": [f"{uri}/" for uri in bare]}
        return [record_of(row) for row in await self._database.read(QUERIES["entries_using"], asked)]

    async def pipelines(self) -> list[cache_pb2.CachedPipeline]:
        """Those that have entries."""
        rows = await self._database.read(QUERIES["cached_pipelines"])
        return [cache_pb2.CachedPipeline(namespace=row[0], pipeline_name=row[1]) for row in rows]

    async def nearest(self, of: cache_pb2.Ingredients, key: str, before_us: int) -> list[Near]:
        """The newest other entries of the same component (else of the pipeline) that were there before; 0: that are there."""
        told = {"namespace": of.namespace, "pipeline_name": of.pipeline_name, "key": key, "before_us": before_us}
        rows = await self._database.read(QUERIES["nearest"], {**told, "component": of.component})
        rows = rows or await self._database.read(QUERIES["nearest"], {**told, "component": ""})
        return [
            Near(found, origin, created, cache_pb2.Ingredients.FromString(bytes(kept)))
            for found, origin, created, kept in rows
        ]

    async def entry(self, key: str) -> Near | None:
        """The entry of a key."""
        rows = await self._database.read(QUERIES["entry"], {"key": key})
        made = [Near(key, origin, at, cache_pb2.Ingredients.FromString(bytes(kept))) for origin, at, kept in rows]
        return made[0] if made else None

    async def miss(self, run_id: str, path: str) -> Miss | None:
        """How a task of a run was not found."""
        rows = await self._database.read(QUERIES["miss"], {"run_id": run_id, "path": path})
        made = [Miss(key, why, cache_pb2.Ingredients.FromString(bytes(kept)), at) for key, why, kept, at in rows]
        return made[0] if made else None


async def _made_meanwhile(t: Transaction, granted: dict[str, str], unseen: Sequence[str]) -> set[str]:
    """Keys that were granted though they have an entry, which the caller did not see: given back, and not in GRANTED any more.
    A commit puts the entry and frees the key in one transaction: whoever took the key after it sees the entry now.
    """
    mine = [key for key in unseen if key in granted]
    made = [key for (key,) in await t.fetch(QUERIES["entered"], {"keys": mine})] if mine else []
    if made:
        await t.execute(QUERIES["release"], {"keys": made, "tokens": [granted.pop(key) for key in made]})
    return set(made)


def _above(uri: str) -> Iterator[str]:
    """The folders that it lies in, with and without the slash at their end."""
    while "/" in (uri := uri.rstrip("/")):
        uri = uri.rpartition("/")[0]
        yield from (uri, f"{uri}/")
