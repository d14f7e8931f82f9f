"""Partitions are there before they are needed and go when they are empty; keys of old deliveries are forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg

from fixtures.fix_persistence import Persistence, Scheduler
from headrace_persistence.housekeeping import AHEAD, PAST, Housekeeper
from headrace_servicekit.postgres import Database


async def tables(database_url: str) -> set[str]:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        rows = await connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'platform.events'::regclass"
        )
        return {row[0].removeprefix("platform.") for row in await rows.fetchall()}


async def test_partitions_of_the_next_days_exist_and_take_the_events(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    days = [datetime.now(UTC).date() + timedelta(days=ahead) for ahead in range(AHEAD + 1)]
    assert await tables(persistence.database_url) == {"events_default"} | {f"events_{day:%Y%m%d}" for day in days}
    await scheduler.create()
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
        row = await (await connection.execute("SELECT count(*) FROM platform.events_default")).fetchone()
        assert row == (0,)


async def test_a_day_whose_events_are_in_the_default_partition_stays_there(persistence: Persistence) -> None:
    day = datetime.now(UTC).date() + timedelta(days=40)
    async with await psycopg.AsyncConnection.connect(persistence.database_url, autocommit=True) as connection:
        await connection.execute("INSERT INTO platform.events VALUES (%s, 1, 1, 1, 10, 0, '', '')", (day,))
        row = await (await connection.execute("SELECT platform.make_events_partition(%s)", (day,))).fetchone()
        assert row == (False,)


async def test_old_partitions_go_when_nothing_is_left_in_them(persistence: Persistence, scheduler: Scheduler) -> None:
    await scheduler.create()
    today = datetime.now(UTC).date()
    async with Database(persistence.database_url, name="test") as database:
        later = Housekeeper(database, lambda: today + timedelta(days=PAST + 2))
        named = {f"events_{today + timedelta(days=ahead):%Y%m%d}" for ahead in (0, 1)}
        async with await psycopg.AsyncConnection.connect(persistence.database_url) as appending:
            await appending.execute("LOCK TABLE ONLY platform.events IN ROW EXCLUSIVE MODE")
            past = ("SELECT platform.drop_empty_partition(%s)", (today + timedelta(days=2),))
            assert await database.read(*past) == [(False,)], "an append is not waited for"
        await later.run_once()
        left = await tables(persistence.database_url)
        assert named & left == {f"events_{today:%Y%m%d}"}, "which has events"
        async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
            await connection.execute("DELETE FROM platform.events")
        await later.run_once()
        assert await tables(persistence.database_url) == left - named


async def test_keys_of_old_deliveries_are_forgotten(persistence: Persistence, scheduler: Scheduler) -> None:
    await scheduler.create()
    waiting = await scheduler.create()
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
        await connection.execute("UPDATE platform.inbox SET consumed_at_us = 1 WHERE key <> %s", (f"create {waiting}",))
    async with Database(persistence.database_url, name="test") as database:
        await Housekeeper(database).run_once()
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
        rows = await (await connection.execute("SELECT key FROM platform.inbox")).fetchall()
        assert rows == [(f"create {waiting}",)]
