"""Postgres goes and comes back: callers get UNAVAILABLE, nothing half-done stays, and the service goes on by itself."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import conninfo, sql

from builders.runevents import create, created, event, new_run_id
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError


class Outage:
    """The database refuses and drops every connection while the block runs."""

    def __init__(self, database_url: str, postgres_url: str) -> None:
        self._name = str(conninfo.conninfo_to_dict(database_url)["dbname"])
        self._server = postgres_url

    def allow(self, allowed: bool) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            change = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
                sql.Identifier(self._name), sql.Literal(allowed)
            )
            connection.execute(change)
            if not allowed:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self._name,)
                )

    def __enter__(self) -> Outage:
        self.allow(False)
        return self

    def __exit__(self, *_: object) -> None:
        self.allow(True)


async def test_connections_that_die_are_replaced(
    persistence: Persistence, scheduler: Scheduler, postgres_url: str
) -> None:
    run_id = await scheduler.create()
    with Outage(persistence.database_url, postgres_url):
        pass  # every connection of the pool is dead now, and the database is up
    answer = await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), created("a")])
    assert answer.outcome == rs.COMMITTED


async def test_an_outage_is_unavailable_and_loses_nothing(
    persistence: Persistence, scheduler: Scheduler, postgres_url: str
) -> None:
    run_id, late = await scheduler.create(), new_run_id()
    with Outage(persistence.database_url, postgres_url):
        for call in (
            scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted())]),
            persistence.store.Deliver(create(late)),
        ):
            with pytest.raises(ServiceError, match="Postgres cannot be reached") as failed:
                await call
            assert failed.value.reason == Reason.UNAVAILABLE
    assert (await persistence.query.GetRun(rq.GetRunRequest(run_id=run_id))).revision == 1
    delivered = await persistence.store.Deliver(create(late))
    assert not delivered.repeated
    answer = await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted())])
    assert answer.outcome in (rs.COMMITTED, rs.REFUSED_REVISION)
