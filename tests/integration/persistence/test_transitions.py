"""Every ordered pair of states, of tasks, attempts and runs, tried on real Postgres: lifecycle.py's pass, all others are refused.

The rows are put into the first state directly, so that nothing but the guarded statements stands between it and the second.
"""

from __future__ import annotations

import psycopg
import pytest

from builders.runevents import created, event
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs

TASKS = range(ev.TASK_PENDING, ev.TASK_CANCELED + 1)
ATTEMPTS = range(ev.ATTEMPT_STARTING, ev.ATTEMPT_CANCELED + 1)
RUNS = range(ev.RUN_PENDING, ev.RUN_CANCELED + 1)


def task_event(kind: str, target: int) -> ev.Event:
    made = event("a")
    getattr(made, kind).SetInParent()
    if kind == "task_finished":
        made.task_finished.state = target  # type: ignore[assignment]
    if kind == "task_reset":
        made.task_reset.reopen = target == ev.TASK_RUNNING
    return made


def attempt_event(kind: str, target: int) -> ev.Event:
    made = event("a", 1)
    getattr(made, kind).SetInParent()
    if kind == "attempt_finished":
        made.attempt_finished.state = target  # type: ignore[assignment]
    return made


def run_event(kind: str, target: int) -> ev.Event:
    made = event()
    getattr(made, kind).SetInParent()
    if kind == "run_finished":
        made.run_finished.state = target  # type: ignore[assignment]
    return made


async def put(persistence: Persistence, statement: str, *values: object) -> None:
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
        await connection.execute(statement.encode(), values)


async def states(persistence: Persistence, statement: str, *values: object) -> int:
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
        row = await (await connection.execute(statement.encode(), values)).fetchone()
        assert row is not None
        return int(row[0])


async def a_run(scheduler: Scheduler, *more: ev.Event) -> str:
    run_id = await scheduler.create()
    answer = await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), created("a"), *more])
    assert answer.outcome == rs.COMMITTED, answer.message
    return run_id


@pytest.mark.parametrize("source", TASKS)
async def test_tasks(source: int, persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await a_run(scheduler)
    where = "WHERE path = 'a' AND run = (SELECT id FROM platform.runs WHERE run_id = %s)"
    revision = 3
    kinds = sorted({kind for _, kind, _ in lifecycle.TASK_TRANSITIONS} - {"task_created"})
    for kind in kinds:
        for target in TASKS:
            made = task_event(kind, target)
            ended = int(source in lifecycle.TASK_FINAL)
            await put(
                persistence, f"UPDATE platform.tasks SET state = %s, finished_at_us = %s {where}", source, ended, run_id
            )
            answer = await scheduler.apply(run_id, revision, [made])
            becomes = {t for s, k, t in lifecycle.TASK_TRANSITIONS if (s, k) == (source, kind)}
            if kind in ("task_finished", "task_reset"):
                wanted = (
                    target
                    if kind == "task_finished"
                    else ev.TASK_RUNNING
                    if made.task_reset.reopen
                    else ev.TASK_PENDING
                )
                becomes &= {wanted}
            after = await states(persistence, f"SELECT state FROM platform.tasks {where}", run_id)
            if becomes:
                assert answer.outcome == rs.COMMITTED, (source, kind, target, answer.message)
                assert {after} == becomes
                revision += 1
            else:
                assert answer.outcome == rs.REFUSED_INVALID, (source, kind, target)
                assert after == source


@pytest.mark.parametrize("source", ATTEMPTS)
async def test_attempts(source: int, persistence: Persistence, scheduler: Scheduler) -> None:
    start = event("a", 1, attempt_started=ev.AttemptStarted())
    run_id = await a_run(scheduler, event("a", task_started=ev.TaskStarted()), start)
    revision = 5
    for kind in ("attempt_started", "attempt_launched", "attempt_finished"):
        for target in ATTEMPTS:
            ended = int(source in lifecycle.ATTEMPT_FINAL)
            await put(persistence, "UPDATE platform.attempts SET state = %s, finished_at_us = %s", source, ended)
            answer = await scheduler.apply(run_id, revision, [attempt_event(kind, target)])
            becomes = {t for s, k, t in lifecycle.ATTEMPT_TRANSITIONS if (s, k) == (source, kind)}
            if kind == "attempt_finished":
                becomes &= {target}
            after = await states(persistence, "SELECT state FROM platform.attempts")
            assert answer.outcome == (rs.COMMITTED if becomes else rs.REFUSED_INVALID), (source, kind, target)
            assert {after} == (becomes or {source})
            revision += bool(becomes)


@pytest.mark.parametrize("source", RUNS)
async def test_runs(source: int, persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    revision = 1
    for kind in ("run_created", "run_started", "run_terminating", "run_retried", "run_finished"):
        for target in RUNS:
            ended = int(source in lifecycle.RUN_FINAL)
            await put(persistence, "UPDATE platform.runs SET state = %s, finished_at_us = %s", source, ended)
            answer = await scheduler.apply(run_id, revision, [run_event(kind, target)])
            becomes = {t for s, k, t in lifecycle.RUN_TRANSITIONS if (s, k) == (source, kind)}
            if kind == "run_finished":
                becomes &= {target}
            after = await states(persistence, "SELECT state FROM platform.runs")
            assert answer.outcome == (rs.COMMITTED if becomes else rs.REFUSED_INVALID), (source, kind, target)
            assert {after} == (becomes or {source})
            revision += bool(becomes)


async def test_a_final_state_and_its_time_go_together(persistence: Persistence, scheduler: Scheduler) -> None:
    await a_run(scheduler)
    for table in ("runs", "tasks"):
        with pytest.raises(psycopg.errors.CheckViolation, match=f"{table}_finished"):
            await put(persistence, f"UPDATE platform.{table} SET state = 4")
