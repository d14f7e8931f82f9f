"""Migrations on a real Postgres: from nothing, again, side by side, changed afterwards, and a failing one.

The services' own queries are PREPAREd against the migrated schema here too: each names only what exists.
"""

from __future__ import annotations

import asyncio

import pytest

from fixtures.fix_postgres import SCHEMAS
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import QueryError, connect, migrate
from headrace_servicekit.sqlfiles import load_queries


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "0001_begin.sql").write_text(
        "CREATE TABLE demo.run (id int PRIMARY KEY); CREATE INDEX ON demo.run (id DESC);"
    )
    (tmp_path / "0002_name.sql").write_text(
        "ALTER TABLE demo.run ADD COLUMN name text; INSERT INTO demo.run VALUES (1, '100%')"
    )
    return tmp_path


async def rows(url: str, query: str):
    connection = await connect(url, "reader")
    async with connection:
        return await (await connection.execute(query)).fetchall()


async def test_migrates_from_nothing_and_again(empty_database_url, folder):
    assert await migrate(empty_database_url, "demo", folder) == 2
    assert await migrate(empty_database_url, "demo", folder) == 2
    assert await rows(empty_database_url, "SELECT id, name FROM demo.run") == [(1, "100%")]
    assert await rows(empty_database_url, "SELECT version, name FROM demo.schema_migrations ORDER BY 1") == [
        (1, "0001_begin"),
        (2, "0002_name"),
    ]


async def test_many_processes_may_migrate_at_once(empty_database_url, folder):
    assert await asyncio.gather(*(migrate(empty_database_url, "demo", folder) for _ in range(8))) == [2] * 8
    assert await rows(empty_database_url, "SELECT count(*) FROM demo.run") == [(1,)]


async def test_a_later_migration_is_added(empty_database_url, folder):
    await migrate(empty_database_url, "demo", folder)
    (folder / "0003_more.sql").write_text("INSERT INTO demo.run VALUES (2, 'b')")
    assert await migrate(empty_database_url, "demo", folder) == 3


async def test_an_older_release_leaves_a_newer_schema_alone(empty_database_url, folder):
    await migrate(empty_database_url, "demo", folder)
    (folder / "0002_name.sql").unlink()
    assert await migrate(empty_database_url, "demo", folder) == 2


async def test_a_changed_migration_is_refused(empty_database_url, folder):
    await migrate(empty_database_url, "demo", folder)
    (folder / "0001_begin.sql").write_text("SELECT 1")
    with pytest.raises(ServiceError, match="0001_begin of demo was changed after it was applied: restore it") as caught:
        await migrate(empty_database_url, "demo", folder)
    assert caught.value.reason == Reason.WRONG_STATE


async def test_a_failing_migration_leaves_nothing_of_itself(empty_database_url, folder):
    (folder / "0003_bad.sql").write_text("CREATE TABLE demo.half (id int); SELECT 1/0;")
    with pytest.raises(QueryError, match="division by zero"):
        await migrate(empty_database_url, "demo", folder)
    assert await rows(empty_database_url, "SELECT to_regclass('demo.half')") == [(None,)]
    assert await rows(empty_database_url, "SELECT max(version) FROM demo.schema_migrations") == [(2,)]


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_every_query_can_be_prepared(database_url, schema):
    queries = load_queries(SCHEMAS[schema].parent / "queries")
    connection = await connect(database_url, "preparing")
    async with connection:
        for name in queries:
            if queries[name].startswith(
                "SET TRANSACTION"
            ):  # sets the next statements' mode; Postgres prepares none of these
                await connection.execute(f"BEGIN; {queries[name]}; ROLLBACK")
                continue
            statement = queries.positional(name).removeprefix(
                "EXPLAIN (FORMAT JSON) "
            )  # Postgres prepares what it is about
            try:
                await connection.execute(f"PREPARE q AS {statement}")
            except Exception as refused:
                raise AssertionError(f"{schema}: {name}: {refused}") from refused
            await connection.execute("DEALLOCATE q")
