"""A platform in use stays as large as it is: 90 days of runs under policies, with a clock that the database is given. Once the
longest age of the policies has passed, each table has as many rows and partitions, and the store as many files and bytes,
as at the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from builders import runevents
from fixtures.fix_retention import Keeping, artifacts
from headrace_persistence.housekeeping import Housekeeper
from headrace_protos.v1 import retention_pb2 as pb
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.postgres import Database

DAYS, STEP = 90, 3  # from one look to the next
POLICIES = {"runs": "30d", "archived": "7d", "artifacts": "10d", "logs": "7d", "traces": "14d", "cache": "20d"}
CLOCK = """
CREATE TABLE public.simulated (days bigint NOT NULL);
INSERT INTO public.simulated VALUES (0);
CREATE OR REPLACE FUNCTION platform.now_us() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 86400000000 * (SELECT days FROM public.simulated)
$$;
"""
TABLES = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('platform', 'cache') AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""
PARTITIONS = "SELECT FROM pg_inherits WHERE inhparent = 'platform.events'::regclass"


class Days:
    """The simulated day, for the database and for the events that tests make."""

    def __init__(self, keeping: Keeping, patch: pytest.MonkeyPatch) -> None:
        self.keeping, self.patch = keeping, patch
        self.connection = psycopg.connect(keeping.persistence.database_url, autocommit=True)
        self.connection.execute(CLOCK)

    def begin(self) -> None:
        """Some days later."""
        self.connection.execute("UPDATE public.simulated SET days = days + %s", (STEP,))
        self.patch.setattr(runevents, "_clock", itertools.count(self.now_us))

    def end(self) -> None:
        """The cache has a clock of its own: what it has made since is of this day."""
        day = "(SELECT days FROM public.simulated) * interval '1 day'"
        self.connection.execute(
            f"UPDATE cache.entries SET created_at = created_at + {day} WHERE created_at <= now()".encode()
        )

    @property
    def now_us(self) -> int:
        ((now_us,),) = self.connection.execute("SELECT platform.now_us()").fetchall()
        return int(now_us)

    def sizes(self) -> dict[str, int]:
        """Rows of each table, and what lies in the store."""
        found: dict[str, int] = {}
        for (name,) in self.connection.execute(TABLES).fetchall():
            ((found[name],),) = self.connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchall()
        found["partitions"] = len(self.connection.execute(PARTITIONS).fetchall())
        files = list(self.keeping.store.listing("demo"))
        return found | {"files": len(files), "bytes": sum(one.size for one in files)}


@pytest.fixture
def days(keeping: Keeping, monkeypatch: pytest.MonkeyPatch) -> Iterator[Days]:
    simulated = Days(keeping, monkeypatch)
    yield simulated
    simulated.connection.close()


async def used(keeping: Keeping, days: Days) -> None:
    """A day's work: runs with cached results, one that takes another's, one that is archived, one that a user deletes."""
    first = await keeping.ended("model", at_us=days.now_us)
    outputs = artifacts(first, [keeping.uri(first, "train/1/model")])
    await keeping.cached(first, outputs)
    await keeping.taking(first, [keeping.uri(first, "train/1/model")])
    archived, deleted = [await keeping.ended("report", at_us=days.now_us) for _ in range(2)]
    await keeping.persistence.store.SetStorageState(
        rs.SetStorageStateRequest(run_id=archived, storage_state=rs.ARCHIVED)
    )
    await keeping.persistence.store.Deliver(rs.DeliverRequest(key=f"d {deleted}", run_id=deleted, delete=rs.Delete()))


async def test_sizes_stay(keeping: Keeping, days: Days) -> None:
    await keeping.say(**POLICIES)
    sizes: dict[int, dict[str, int]] = {}
    async with Database(keeping.persistence.database_url, name="test") as database:
        for day in range(STEP, DAYS + 1, STEP):
            days.begin()
            await used(keeping, days)
            days.end()
            today = datetime.fromtimestamp(days.now_us / 1e6, UTC).date()
            await Housekeeper(database, lambda today=today: today).run_once()
            answer = await keeping.calls.Run(pb.RunRequest())
            assert not answer.problems
            if day in (15, 36, 60, DAYS):
                sizes[day] = days.sizes()
    assert sizes[36] == sizes[60] == sizes[DAYS]
    assert sizes[15]["platform.runs"] < sizes[36]["platform.runs"] < 5 * DAYS / STEP
    assert min(sizes[36][name] for name in ("cache.entries", "platform.events", "platform.remains", "files")) > 0
