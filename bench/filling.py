"""Fills a Postgres with the synthetic runs of `synthetic.py`, by COPY into empty tables; indexes are made afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, LiteralString, cast

from bench import synthetic
from headrace_cache.store import MIGRATIONS as CACHE_MIGRATIONS
from headrace_persistence.queries import MIGRATIONS, SCHEMA
from headrace_servicekit.postgres import Connection, connect, migrate

CHUNK: Final = 500  # runs whose lines are sent together
# Those that rows come in the order of stay while they come; foreign keys look at every row.
DROPPED: Final = """
SELECT c.conrelid::regclass::text, 'CONSTRAINT', quote_ident(c.conname), pg_get_constraintdef(c.oid)
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname IN ('platform', 'cache') AND (c.contype = 'f' AND c.conparentid = 0
    OR c.conname IN ('artifacts_artifact_id_key', 'entries_pkey', 'entry_uris_pkey'))
UNION ALL
SELECT i.indrelid::regclass::text, 'INDEX', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname || '.' || t.relname = ANY(%(tables)s::text[])
    AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
"""
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
        await _copied(url, count)
        copied = time.monotonic()
        for statement in _made_again(dropped):
            await connection.execute(statement)
        indexed = time.monotonic()
        tables = ", ".join([*synthetic.TABLES, "platform.metadata_types", "platform.pipeline_contexts"])
        await connection.execute(_text(f"VACUUM (ANALYZE) {tables}"))
        last = synthetic.run_number(count)
        await connection.execute("SELECT setval('platform.ids', %s)", (last,))
        await connection.execute("CHECKPOINT")
        seconds = {"copy_s": copied - started, "indexes_s": indexed - copied, "analyze_s": time.monotonic() - indexed}
    return {name: round(value, 1) for name, value in seconds.items()}


async def _drop(connection: Connection) -> list[Dropped]:
    await connection.execute("SET maintenance_work_mem = '512MB'")
    asked = await connection.execute(_text(DROPPED), {"tables": list(synthetic.TABLES)})
    dropped = cast("list[Dropped]", await asked.fetchall())
    for table, kind, name, definition in sorted(dropped, key=lambda one: not one[3].startswith("FOREIGN")):
        told = f"DROP INDEX {name}" if kind == "INDEX" else f"ALTER TABLE {table} DROP CONSTRAINT {name}"
        assert definition
        await connection.execute(_text(told))
    return dropped


def _made_again(dropped: Sequence[Dropped]) -> list[LiteralString]:
    """Foreign keys last: they need the others."""
    ordered = sorted(dropped, key=lambda one: one[3].startswith("FOREIGN"))
    return [
        _text(definition if kind == "INDEX" else f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        for table, kind, name, definition in ordered
    ]


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


async def _copied(url: str, count: int) -> None:
    """All tables at once, each over a connection of its own."""
    async with AsyncExitStack() as stack:
        copies: dict[str, Any] = {}
        for table, columns in synthetic.TABLES.items():
            connection = await stack.enter_async_context(await connect(url, f"filling {table}"))
            await stack.enter_async_context(connection.transaction())
            together = ", platform.inbox" if table == "platform.runs" else ""
            await connection.execute(_text(f"TRUNCATE {table}{together}"))
            cursor = await stack.enter_async_context(connection.cursor())
            copy = cursor.copy(_text(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FREEZE)"))
            copies[table] = await stack.enter_async_context(copy)
        for table, text in synthetic.raw_lines().items():
            await copies[table].write(text)
        kept = count - max(int(count * synthetic.KEPT), 1)
        for texts in synthetic.chunks(count, kept, CHUNK):
            await asyncio.gather(*(copies[table].write(text) for table, text in texts.items()))


def _text(statement: str) -> LiteralString:
    """Statements here are made of names in the catalogue."""
    return statement
