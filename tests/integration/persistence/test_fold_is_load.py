"""Folding a run's events gives what loading its rows gives: random runs of the engine, with failures, retries and accidents,
appended to a real Postgres in random pieces, and compared after each.
"""

from __future__ import annotations

import random

import pytest

from builders.chaos import Chaos, dump
from builders.rows import Rows
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.engine import RunState
from headrace_scheduler.engine import facts as f
from unit.engine.test_engine_property import scene


def history(seed: int) -> Chaos:
    """A run that has ended, retried or terminated where the seed says so."""
    _, chaos, _ = scene(seed)
    if seed % 3 == 0:
        for _ in range(seed % 17):
            if not chaos.state.is_terminal:
                chaos.tick()
        chaos.deliver(f.TerminateRequested())
    chaos.until_ended()
    if chaos.rows.run.state in (ev.RUN_FAILED, ev.RUN_CANCELED) and seed % 2:
        chaos.deliver(f.RetryRequested())
        chaos.until_ended()
    return chaos


@pytest.mark.parametrize("seed", range(24))
async def test_rows_say_what_events_say(seed: int, persistence: Persistence, scheduler: Scheduler) -> None:
    chaos, rng = history(seed), random.Random(seed)
    run_id = chaos.first.run_id
    new = rs.NewRun(run_id=run_id, spec_json="{}", inputs=chaos.first.inputs)
    await persistence.store.Deliver(rs.DeliverRequest(key="k", create=new))
    expected = Rows(chaos.first)
    events = list(chaos.events)
    while events:
        size = rng.choice((1, 2, 5, 40))
        piece, events = events[:size], events[size:]
        (answer,) = await scheduler.append(
            rs.RunAppend(run_id=run_id, expected_revision=expected.run.revision, events=piece)
        )
        assert answer.outcome == rs.COMMITTED, answer.message
        expected.append(tuple(piece))
        if events and rng.random() < 0.6:
            continue
        (loaded,) = await scheduler.load(run_id)
        assert loaded.revision == expected.run.revision
        loaded.created_at_us = expected.run.created_at_us  # persistence's own clock
        loaded.scheduled_at_us, loaded.id, loaded.namespace = expected.run.scheduled_at_us, 0, expected.run.namespace
        assert dump(RunState.load(chaos.plan, loaded)) == dump(RunState.load(chaos.plan, expected.snapshot()))
    run = await persistence.query.GetRun(rq.GetRunRequest(run_id=run_id))
    counted: dict[str, int] = {}
    for state in expected.states().values():
        counted[f"TASK_{state}"] = counted.get(f"TASK_{state}", 0) + 1
    assert dict(run.task_counts) == counted
    assert run.tasks_total == len(expected.tasks)
