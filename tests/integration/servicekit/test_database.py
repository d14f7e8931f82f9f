"""The pool and its transactions on a real Postgres: retries, error mapping, reconnecting.

- one transaction commits, one that raises rolls back
- a serialization failure is retried; the second run sees what the first lost to
- a unique violation, a NUL, a lone surrogate and a refused statement have their own errors
- after the server's connections were killed the next call works
"""

from __future__ import annotations

import pytest

from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, QueryError, Transaction, UniqueViolationError, connect


@pytest.fixture
async def database(empty_database_url):
    connection = await connect(empty_database_url, "set-up")
    async with connection:
        await connection.execute("CREATE TABLE thing (id int PRIMARY KEY, name text CHECK (name <> 'bad'))")
    async with Database(empty_database_url, name="test", max_size=2) as opened:
        yield opened


async def put(tx: Transaction, number: int, name: str) -> int:
    return await tx.execute("INSERT INTO thing (id, name) VALUES (%s, %s)", (number, name))


async def test_commits(database):
    assert await database.transaction(lambda tx: put(tx, 1, "a")) == 1
    assert await database.read("SELECT id, name FROM thing") == [(1, "a")]


async def test_an_error_rolls_everything_back(database):
    async def work(tx: Transaction) -> None:
        await put(tx, 1, "a")
        raise ServiceError(Reason.WRONG_STATE, "no")

    with pytest.raises(ServiceError, match="no"):
        await database.transaction(work)
    assert await database.read("SELECT id FROM thing") == []


async def test_a_serialization_failure_is_tried_again(database):
    await database.transaction(lambda tx: put(tx, 1, "a"))
    runs = []

    async def work(tx: Transaction) -> str:
        await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        ((name,),) = await tx.fetch("SELECT name FROM thing WHERE id = 1")
        runs.append(name)
        if len(runs) == 1:
            await database.transaction(lambda other: other.execute("UPDATE thing SET name = 'b' WHERE id = 1"))
        await tx.execute("UPDATE thing SET name = %s WHERE id = 1", (name + "c",))
        return name

    assert await database.transaction(work) == "b"
    assert runs == ["a", "b"]
    assert await database.read("SELECT name FROM thing") == [("bc",)]


async def test_a_row_that_exists_is_named_by_its_constraint(database):
    await database.transaction(lambda tx: put(tx, 1, "a"))
    with pytest.raises(UniqueViolationError) as caught:
        await database.transaction(lambda tx: put(tx, 1, "b"))
    assert (caught.value.reason, caught.value.constraint) == (Reason.ALREADY_EXISTS, "thing_pkey")


@pytest.mark.parametrize(("name", "words"), [("a\0b", "NUL"), ("\ud800", "lone surrogate")])
async def test_what_postgres_cannot_hold_is_the_callers_fault(database, name, words):
    with pytest.raises(ServiceError, match=words) as caught:
        await database.transaction(lambda tx: put(tx, 1, name))
    assert caught.value.reason == Reason.INVALID_INPUT


async def test_a_refused_statement_tells_its_state(database):
    with pytest.raises(QueryError) as caught:
        await database.transaction(lambda tx: put(tx, 1, "bad"))
    assert (caught.value.reason, caught.value.sqlstate, caught.value.constraint) == (
        Reason.INTERNAL,
        "23514",
        "thing_name_check",
    )


async def test_goes_on_after_its_connections_were_killed(database, postgres_url):
    for number in range(2):
        assert await database.transaction(lambda tx, number=number: put(tx, number, "a")) == 1
    connection = await connect(postgres_url, "killer")
    async with connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'"
        )
    assert await database.transaction(lambda tx: put(tx, 5, "a")) == 1
    await database.probe()


async def test_an_unreachable_server_is_unavailable(tmp_path):
    with pytest.raises(ServiceError, match="Postgres cannot be reached") as caught:
        async with Database(f"postgresql:///x?host={tmp_path}&user=y", name="test"):
            pass
    assert caught.value.reason == Reason.UNAVAILABLE


async def test_notifications_arrive(database):
    async with database.listen("news") as payloads:
        await database.transaction(lambda tx: tx.execute("SELECT pg_notify('news', 'hello')"))
        assert await anext(payloads) == "hello"
        await payloads.aclose()
