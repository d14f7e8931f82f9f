"""Accelerator time: what attempts asked for and used, exactly, as they end; and the accounts of their namespaces."""

from __future__ import annotations

from typing import Any

import psycopg

from builders.runevents import created, event, finished, new_run_id, started
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs

DAY = 1_700_006_400_000_000  # 2023-11-15 00:00 UTC
SECOND = 1_000_000


def at(seconds: float, one: ev.Event) -> ev.Event:
    one.time_us = DAY + int(seconds * SECOND)
    return one


def asked(path: str, number: int, count: int, product: str = "H100") -> ev.Event:
    held = ev.Accelerators(count=count, product=product)
    return event(path, number, attempt_started=ev.AttemptStarted(accelerators=held))


def launched(path: str, number: int, **fields: Any) -> ev.Event:
    return event(path, number, attempt_launched=ev.AttemptLaunched(handle="ns/pod/uid", **fields))


def ended(path: str, number: int, state: int = ev.ATTEMPT_SUCCEEDED, begun: float = 0, over: float = 0) -> ev.Event:
    times = ev.AttemptTimes()
    if begun:
        times.started_us = DAY + int(begun * SECOND)
    if over:
        times.ended_us = DAY + int(over * SECOND)
    return event(path, number, attempt_finished=ev.AttemptFinished(state=state, times=times))


async def rows(persistence: Persistence, query: str) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
        return await (await connection.execute(query)).fetchall()


ATTEMPTS = "SELECT path, number, accelerator, asked_us, used_us FROM platform.attempts ORDER BY path, number"
ACCOUNTS = """SELECT namespace, day::text, accelerator, attempts, asked_us, used_us FROM platform.accelerator_use
    ORDER BY day, accelerator"""


async def test_over_retries_lost_attempts_and_days(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    first = [
        at(0, event(run_started=ev.RunStarted())),
        at(0, created("a")),
        at(0, started("a")),
        at(0, asked("a", 1, 2)),
        at(1, launched("a", 1)),  # the Pod exists
    ]
    assert (await scheduler.apply(run_id, 1, first)).outcome == rs.COMMITTED
    second = [
        at(10, launched("a", 1, node="n1", accelerator="NVIDIA-H100-80GB-HBM3")),
        at(40, ended("a", 1, ev.ATTEMPT_LOST)),  # its node is gone: nobody told when user code began and ended
        at(50, asked("a", 2, 2)),
        at(51, launched("a", 2)),
        at(59, ended("a", 2, ev.ATTEMPT_LOST)),  # it never ran
        at(60, asked("a", 3, 2)),
        at(61, launched("a", 3, node="n2", accelerator="NVIDIA-H100-80GB-HBM3")),
    ]
    assert (await scheduler.apply(run_id, 6, second)).outcome == rs.COMMITTED
    late = 86_400 + 5
    third = [at(late, ended("a", 3, begun=62.5, over=late - 2)), at(late, finished("a"))]
    assert (await scheduler.apply(run_id, 13, third)).outcome == rs.COMMITTED
    product, s = "NVIDIA-H100-80GB-HBM3", 2 * SECOND
    assert await rows(persistence, ATTEMPTS) == [
        ("a", 1, product, 40 * s, 30 * s),
        ("a", 2, "H100", 9 * s, 0),
        ("a", 3, product, (late - 60) * s, int((late - 2 - 62.5) * s)),
    ]
    assert await rows(persistence, ACCOUNTS) == [
        ("default", "2023-11-15", "H100", 1, 9 * s, 0),
        ("default", "2023-11-15", product, 1, 40 * s, 30 * s),
        ("default", "2023-11-16", product, 1, (late - 60) * s, int((late - 2 - 62.5) * s)),
    ]


async def test_runs_of_one_append_share_an_account_and_what_holds_nothing_has_none(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    appends = []
    for number in range(3):
        run_id = await scheduler.create(new_run_id())
        life = [
            at(0, event(run_started=ev.RunStarted())),
            at(0, created("gpu")),
            at(0, started("gpu")),
            at(0, asked("gpu", 1, 1 + number, "any")),
            at(1, launched("gpu", 1, node="n")),
            at(3, ended("gpu", 1, begun=1, over=2.5)),
            at(3, finished("gpu")),
            at(3, created("cached")),
            at(3, finished("cached", cached_from="other/gpu")),
            at(3, created("cpu")),
            at(3, started("cpu")),
            at(3, event("cpu", 1, attempt_started=ev.AttemptStarted())),
            at(3, launched("cpu", 1, node="n")),
            at(9, ended("cpu", 1, begun=4, over=8)),
        ]
        for seq, one in enumerate(life, 2):
            one.seq = seq
        appends.append(rs.RunAppend(run_id=run_id, expected_revision=1, events=life))
    answers = await scheduler.append(*appends)
    assert {one.outcome for one in answers} == {rs.COMMITTED}, answers
    total = (1 + 2 + 3) * SECOND
    assert await rows(persistence, ACCOUNTS) == [("default", "2023-11-15", "any", 3, 3 * total, int(1.5 * total))]
