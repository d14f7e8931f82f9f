"""Accelerator time: what attempts asked for and used, exactly, as they end; and the accounts of their namespaces."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest

from builders.runevents import created, event, finished, new_run_id, started
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import ServiceError

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

    answer = await persistence.query.RunUsage(rq.RunUsageRequest(run_id=run_id))
    assert [(one.path, len(one.times)) for one in answer.tasks] == [("a", 2)]
    assert [(one.accelerator, one.attempts, one.asked_us, one.used_us) for one in answer.total] == [
        (product, 2, (late - 20) * s, 30 * s + int((late - 2 - 62.5) * s)),
        ("H100", 1, 9 * s, 0),
    ]


async def test_accounts_are_read_by_day_and_stay_when_the_run_is_deleted(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    run_id = await scheduler.create()
    life = [
        at(0, event(run_started=ev.RunStarted())),
        at(0, created("a")),
        at(0, started("a")),
        at(0, asked("a", 1, 1)),
        at(2, launched("a", 1, node="n")),
        at(5, ended("a", 1)),
        at(90_000, asked("a", 2, 1)),
        at(90_001, launched("a", 2, node="n")),
        at(90_010, ended("a", 2)),
        at(90_010, finished("a")),
    ]
    assert (await scheduler.apply(run_id, 1, life)).outcome == rs.COMMITTED
    (gone,) = await scheduler.append(rs.RunAppend(run_id=run_id, expected_revision=11, delete=True))
    assert gone.outcome == rs.COMMITTED

    async def days(**asked: str) -> list[tuple[str, int, int]]:
        answer = await persistence.query.NamespaceUsage(rq.NamespaceUsageRequest(**asked))
        return [(one.day, one.times[0].asked_us // SECOND, one.times[0].used_us // SECOND) for one in answer.days]

    first, second = ("2023-11-15", 5, 3), ("2023-11-16", 10, 9)
    assert await days() == await days(namespace="default") == [first, second]
    assert await days(namespace="other") == []
    assert await days(to_day="2023-11-15") == [first]
    assert await days(from_day="2023-11-16") == [second]
    total = (await persistence.query.NamespaceUsage(rq.NamespaceUsageRequest())).total
    assert [(one.accelerator, one.attempts, one.asked_us) for one in total] == [("H100", 2, 15 * SECOND)]
    with pytest.raises(ServiceError, match="'yesterday' is no day; write one such as 2026-01-31"):
        await days(from_day="yesterday")
    with pytest.raises(ServiceError, match="no day is from 2023-11-16 on and up to 2023-11-15; give the earlier first"):
        await days(from_day="2023-11-16", to_day="2023-11-15")


async def test_an_attempt_in_flight_counts_up_to_now(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    now = time.time_ns() // 1000
    life = [
        event(run_started=ev.RunStarted()),
        created("a"),
        started("a"),
        asked("a", 1, 2),
        launched("a", 1, node="n"),
    ]
    for one, ago in zip(life, (60, 60, 60, 60, 30), strict=True):
        one.time_us = now - ago * SECOND
    assert (await scheduler.apply(run_id, 1, life)).outcome == rs.COMMITTED
    (total,) = (await persistence.query.RunUsage(rq.RunUsageRequest(run_id=run_id))).total
    assert total.asked_us >= 120 * SECOND
    assert total.asked_us - total.used_us == 60 * SECOND, "it waited for half a minute"
    with pytest.raises(ServiceError, match="not found"):
        await persistence.query.RunUsage(rq.RunUsageRequest(run_id=new_run_id()))


async def test_what_has_to_do_without_uses_none(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    begun = [
        at(0, event(run_started=ev.RunStarted())),
        at(0, created("a")),
        at(0, started("a")),
        at(0, asked("a", 1, 2)),
    ]
    assert (await scheduler.apply(run_id, 1, begun)).outcome == rs.COMMITTED
    rest = [at(1, launched("a", 1, node="laptop", accelerator="none")), at(9, ended("a", 1, begun=2, over=8))]
    assert (await scheduler.apply(run_id, 5, rest[:1])).outcome == rs.COMMITTED
    assert (await scheduler.apply(run_id, 6, rest[1:])).outcome == rs.COMMITTED
    whole = [
        at(10, asked("a", 2, 2)),
        at(11, launched("a", 2, node="laptop", accelerator="none")),
        at(19, ended("a", 2, begun=12, over=18)),
    ]
    assert (await scheduler.apply(run_id, 7, whole)).outcome == rs.COMMITTED
    assert await rows(persistence, ATTEMPTS) == [("a", 1, "none", 18 * SECOND, 0), ("a", 2, "none", 18 * SECOND, 0)]


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
