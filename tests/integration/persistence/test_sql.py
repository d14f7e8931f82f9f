"""Every query is PREPAREd on the migrated schema, every name is used, and the migrations make exactly schema.sql."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from headrace_persistence import listing
from headrace_persistence.queries import FOLDER, MIGRATIONS, SCHEMA, SQL
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_servicekit.postgres import migrate
from headrace_servicekit.sqlfiles import Queries

CODE = "\n".join(path.read_text() for path in Path(listing.__file__).parent.rglob("*.py"))


def prepare(connection: psycopg.Connection, text: str) -> None:
    if text.startswith("SET "):  # no statement that can be prepared: it is run
        connection.execute(text.encode())
        return
    query = Queries({"one": text.removeprefix("EXPLAIN (FORMAT JSON) ")}).positional("one")
    connection.execute(f"PREPARE one AS {query}".encode())
    connection.execute("DEALLOCATE one")


@pytest.mark.parametrize("name", sorted(SQL))
def test_query_compiles_and_is_used(name: str, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        prepare(connection, SQL[name])
    assert f'"{name}"' in CODE, f"{name} is used nowhere"


def test_every_page_compiles(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        for listed in (listing.RUNS, listing.EXPERIMENTS, listing.PIPELINES, listing.VERSIONS):
            for field in listed.fields:
                value = "1" if field in listed.numbers else "x"
                operations = [*listing.OPERATORS, rq.IN, *([] if field in listed.numbers else [rq.IS_SUBSTRING])]
                for operation in operations:
                    predicates = [rq.Predicate(operation=operation, field=field, values=[value])]  # type: ignore[arg-type]  # a number
                    page = rq.Page(
                        sort_field=field, descending=True, first_value=value, first_id="x", predicates=predicates
                    )
                    prepare(connection, listing.page_query(listed, page, {}).text)


def dump(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    """Columns, constraints, indexes, functions and sequences of the schema."""
    queries = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name, generation_expression,"
        " identity_generation FROM information_schema.columns WHERE table_schema = %s",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = to_regnamespace(%s)",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = %s",
        "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = to_regnamespace(%s)",
        "SELECT relname, relkind::text, reloptions FROM pg_class WHERE relnamespace = to_regnamespace(%s)",
    )
    rows = [row for query in queries for row in connection.execute(query.encode(), (SCHEMA,)).fetchall()]
    return sorted((row for row in rows if "schema_migrations" not in str(row)), key=str)


async def test_migrations_make_schema_sql(empty_database_url: str) -> None:
    await migrate(empty_database_url, SCHEMA, MIGRATIONS)
    with psycopg.connect(empty_database_url) as connection:
        migrated = dump(connection)
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE".encode())
        connection.execute(f"CREATE SCHEMA {SCHEMA}".encode())
        connection.execute((FOLDER / "schema.sql").read_bytes())
        whole = dump(connection)
    assert migrated == whole
    assert len(whole) > 100


def test_every_query_says_what_it_does() -> None:
    for path in sorted((FOLDER / "queries").glob("*.sql")):
        names = re.findall(r"^-- name: (\S+)\n-- \S", path.read_text(), re.MULTILINE)
        assert len(names) == path.read_text().count("-- name:"), path.name
