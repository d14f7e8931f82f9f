"""What persistence tells of the whole platform: runs and tasks that are open, what waits in the inbox, accelerator time."""

from __future__ import annotations

import psycopg

from builders.runevents import created, event, started
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_metrics.collecting import ACCOUNTS
from headrace_metrics.definitions import INBOX_OLDEST, INBOX_WAITING, REGISTRY, RUNS_OPEN, TASKS_OPEN
from headrace_persistence.measuring import Measurer
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.postgres import Database


def told(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None
    return value


async def test_gauges_are_what_the_rows_say(persistence: Persistence, scheduler: Scheduler) -> None:
    waiting, running, ended = [await scheduler.create() for _ in range(3)]
    begun = event(run_started=ev.RunStarted())
    ready = event("b", task_waiting=ev.TaskWaiting(waiting_on=ev.WaitingOn(cause=ev.SLOTS)))
    await scheduler.apply(running, 1, [begun, created("a"), started("a"), created("b"), ready, created("c")])
    over = [begun, created("x"), event(run_finished=ev.RunFinished(state=ev.RUN_FAILED))]
    answer = await scheduler.apply(ended, 1, over)
    assert answer.outcome == rs.COMMITTED, answer.message
    async with await psycopg.AsyncConnection.connect(persistence.database_url, autocommit=True) as connection:
        rows = (
            "('team', '2026-01-01', 'H200', 1, 5000000, 3000000), ('team', '2026-01-02', 'H200', 1, 2000000, 1000000)"
        )
        await connection.execute(f"INSERT INTO platform.accelerator_use VALUES {rows}".encode())
    async with Database(persistence.database_url, name="test") as database:
        await Measurer(database).run_once()
    assert told("headrace_open_runs", state="PENDING") == 1
    assert told("headrace_open_runs", state="RUNNING") == 1
    assert told("headrace_open_runs", state="CANCELING") == 0
    assert [told("headrace_open_tasks", state=one) for one in ("PENDING", "READY", "RUNNING")] == [1, 1, 1]
    assert told("headrace_inbox_items") == 3  # the creates, which no append has consumed
    assert told("headrace_inbox_oldest_seconds") > 0
    (family,) = ACCOUNTS.collect()
    found = {(s.labels["namespace"], s.labels["product"], s.labels["time"]): s.value for s in family.samples}
    assert found == {("team", "H200", "asked"): 7.0, ("team", "H200", "used"): 4.0}
    assert waiting not in str([RUNS_OPEN.collect(), TASKS_OPEN.collect(), INBOX_WAITING, INBOX_OLDEST])
