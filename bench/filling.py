"""Fills a Postgres with the synthetic runs of `synthetic.py`, by COPY into empty tables; indexes are made afterwards.

Postgres has no parallel workers here, so two processes make lines and two connections make indexes, each for tables of its own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from typing import Any, Final, LiteralString, cast

from bench import synthetic
from headrace_cache.store import MIGRATIONS as CACHE_MIGRATIONS
from headrace_persistence.queries import MIGRATIONS, SCHEMA
from headrace_servicekit.postgres import Connection, connect, migrate

CHUNK: Final = 500  # runs whose lines are sent together
TOLD: Final = 50_000  # runs after which progress is told
SORTED_IN: Final = "512MB"
FIRST: Final = (
    *("platform.runs", "platform.tasks", "platform.attempts", "platform.links"),
    *("cache.entries", "cache.entry_uris"),
)
# What each process makes: about as much text.
SHARES: Final = (FIRST, tuple(name for name in synthetic.TABLES if name not in FIRST))
# All of the tables that rows come into: made from sorted rows afterwards they cost a fraction. Foreign keys look at every row.
DROPPED: Final = """
SELECT c.conrelid::regclass::text, 'CONSTRAINT', quote_ident(c.conname), pg_get_constraintdef(c.oid)
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname IN ('platform', 'cache') AND (c.contype = 'f' AND c.conparentid = 0
    OR c.contype IN ('p', 'u') AND n.nspname || '.' || t.relname = ANY(%(tables)s::text[]))
UNION ALL
SELECT i.indrelid::regclass::text, 'INDEX', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname || '.' || t.relname = ANY(%(tables)s::text[])
    AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
"""
# Their indexes take the longest.
LONGEST: Final = ("platform.artifacts", "platform.links", "platform.metadata_properties")
Dropped = tuple[str, str, str, str]


async def fill(url: str, count: int) -> dict[str, float]:
    """COUNT runs; the seconds of each part."""
    await migrate(url, SCHEMA, MIGRATIONS)
    await migrate(url, "cache", CACHE_MIGRATIONS)
    async with await connect(url, "filling") as connection:
        started = time.monotonic()
        for table in ("runs", "tasks", "attempts"):  # as full as their pages are after the updates of rows' lives
            await connection.execute(_text(f"ALTER TABLE platform.{table} SET (fillfactor = 85)"))
        dropped = await _drop(connection)
        await _catalog(connection)
        await connection.execute("ALTER TABLE platform.runs DISABLE TRIGGER USER")  # the feed is of events
        await _copied(url, count)
        await connection.execute("ALTER TABLE platform.runs ENABLE TRIGGER USER")
        copied = time.monotonic()
        await _made_again(url, dropped)
        indexed = time.monotonic()
        tables = ", ".join([*synthetic.TABLES, "platform.metadata_types", "platform.pipeline_contexts"])
        await connection.execute(_text(f"VACUUM (ANALYZE) {tables}"))
        last = synthetic.run_number(count)
        await connection.execute("SELECT setval('platform.ids', %s)", (last,))
        await connection.execute("CHECKPOINT")
        seconds = {"copy_s": copied - started, "indexes_s": indexed - copied, "analyze_s": time.monotonic() - indexed}
    return {name: round(value, 1) for name, value in seconds.items()}


async def _drop(connection: Connection) -> list[Dropped]:
    asked = await connection.execute(_text(DROPPED), {"tables": list(synthetic.TABLES)})
    dropped = cast("list[Dropped]", await asked.fetchall())
    for table, kind, name, definition in sorted(dropped, key=lambda one: not one[3].startswith("FOREIGN")):
        told = f"DROP INDEX {name}" if kind == "INDEX" else f"ALTER TABLE {table} DROP CONSTRAINT {name}"
        assert definition
        await connection.execute(_text(told))
    return dropped


async def _made_again(url: str, dropped: Sequence[Dropped]) -> None:
    """Table by table, the first ones the longest; foreign keys last: they need the others."""
    foreign = [_statement(one) for one in dropped if one[3].startswith("FOREIGN")]
    of_tables = {table: [_statement(one) for one in dropped if one[0] == table] for table in synthetic.TABLES}
    waiting = deque(
        (table, [one for one in statements if one not in foreign])
        for table, statements in sorted(of_tables.items(), key=lambda of: of[0] not in LONGEST)
    )
    await asyncio.gather(*(_indexes(url, waiting) for _ in SHARES))
    await _indexes(url, deque([("foreign keys", foreign)]))


async def _indexes(url: str, waiting: deque[tuple[str, list[LiteralString]]]) -> None:
    async with await connect(url, "indexes") as connection:
        await connection.execute(_text(f"SET maintenance_work_mem = '{SORTED_IN}'"))
        while waiting:
            table, statements = waiting.popleft()
            started = time.monotonic()
            for statement in statements:
                await connection.execute(statement)
            _tell(f"{len(statements)} indexes of {table} in {time.monotonic() - started:.0f} s")


def _statement(one: Dropped) -> LiteralString:
    table, kind, name, definition = one
    return _text(definition if kind == "INDEX" else f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


async def _catalog(connection: Connection) -> None:
    """Experiments and the contexts of pipelines."""
    numbers = range(synthetic.PIPELINES)
    experiments = {synthetic.experiment(of): synthetic.namespace(of) for of in numbers}
    for number, (experiment, namespace) in enumerate(experiments.items()):
        await connection.execute(
            "INSERT INTO platform.experiments (experiment_id, namespace, display_name, description, created_at_us)"
            " VALUES (%s, %s, %s, '', %s)",
            (experiment, namespace, f"experiment {number}", synthetic.EPOCH_US + number),
        )
    for of in numbers:
        number = synthetic.context_number(of)
        await connection.execute(
            "INSERT INTO platform.pipeline_contexts (id, name, created_at_us) VALUES (%s, %s, %s)",
            (number, synthetic.pipeline_name(of), synthetic.EPOCH_US + of),
        )
        await connection.execute(
            "INSERT INTO platform.pipeline_namespaces (namespace, pipeline) VALUES (%s, %s)",
            (synthetic.namespace(of), number),
        )
        await connection.execute(
            "INSERT INTO platform.pipeline_experiments (experiment_id, pipeline) VALUES (%s, %s)",
            (synthetic.experiment(of), number),
        )


async def _copied(url: str, count: int) -> None:
    """Each share in a process."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(len(SHARES), multiprocessing.get_context("spawn")) as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, copied, url, count, share) for share in SHARES))


def copied(url: str, count: int, tables: Sequence[str]) -> None:
    """The lines of TABLES, in a process of their own."""
    asyncio.run(_copy(url, count, tables))


async def _copy(url: str, count: int, tables: Sequence[str]) -> None:
    """All tables at once, each over a connection of its own."""
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        copies: dict[str, Any] = {}
        for table in tables:
            connection = await stack.enter_async_context(await connect(url, f"filling {table}"))
            await stack.enter_async_context(connection.transaction())
            await connection.execute(_text(f"TRUNCATE {table}"))
            cursor = await stack.enter_async_context(connection.cursor())
            copy = cursor.copy(_text(f"COPY {table} ({', '.join(synthetic.TABLES[table])}) FROM STDIN (FREEZE)"))
            copies[table] = await stack.enter_async_context(copy)
        for table, text in synthetic.raw_lines().items():
            if table in copies:
                await copies[table].write(text)
        kept = count - max(int(count * synthetic.KEPT), 1)
        for number, texts in enumerate(synthetic.chunks(count, kept, CHUNK, tables), 1):
            await asyncio.gather(*(copies[table].write(text) for table, text in texts.items()))
            if number * CHUNK % TOLD == 0:
                _tell(f"{number * CHUNK:,} runs in {tables[0]} and others in {time.monotonic() - started:.0f} s")


def _tell(what: str) -> None:
    print(f"scale: {what}", file=sys.stderr, flush=True)


def _text(statement: str) -> LiteralString:
    """Statements here are made of names in the catalogue."""
    return statement
