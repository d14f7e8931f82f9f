"""Folding a run's events gives what loading its rows gives: random runs of the engine, with failures, retries and accidents,
appended to a real Postgres in random pieces, and compared after each.
"""

from __future__ import annotations

import random

import psycopg
import pytest

from builders.chaos import Chaos, dump
from builders.random_plans import random_flow
from builders.rows import Rows
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import plan_pb2
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.engine import RunState
from headrace_scheduler.engine import facts as f
from unit.engine.test_engine_property import scene

WHOLE_GROUPS = (57, 89)  # a retry of these runs a group again that had ended well, with all in it


def history(seed: int) -> Chaos:
    """A run that has ended, retried or terminated where the seed says so."""
    chaos, _ = scene(seed, random_flow(random.Random(seed)))
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


ENDS = """SELECT greatest(t.created_at_us, t.started_at_us, t.finished_at_us) / 1000, t.id FROM platform.tasks t
WHERE t.finished_at_us <> 0 ORDER BY 1, 2"""
OPEN = """SELECT t.path FROM platform.tasks t JOIN platform.runs r ON r.id = t.run
WHERE t.finished_at_us = 0 AND r.finished_at_us <> 0"""


async def check_ends(persistence: Persistence) -> None:
    """The tasks that have ended are listed as such, each once; and none is open in a run that has ended."""
    with psycopg.connect(persistence.database_url) as connection:
        listed = connection.execute("SELECT ended_ms, task FROM platform.task_ends ORDER BY 1, 2").fetchall()
        assert listed == connection.execute(ENDS).fetchall()
        assert connection.execute(OPEN).fetchall() == []


@pytest.mark.parametrize("seed", [*range(24), *WHOLE_GROUPS])
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
        await check_ends(persistence)
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


@pytest.mark.parametrize("seed", WHOLE_GROUPS)
def test_these_seeds_are_what_they_are_said_to_be(seed: int) -> None:
    assert any(event.task_reset.HasField("created") for event in history(seed).events if event.HasField("task_reset"))


async def test_what_is_inside_groups_that_ended_well_is_given_for_a_retry(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    chaos = history(WHOLE_GROUPS[0])
    run_id = chaos.first.run_id
    plan = plan_pb2.Plan(dags=[plan_pb2.DagTemplate(tasks=[plan_pb2.PlanTask(strategy=plan_pb2.ALL_COMPLETED)])])
    new = rs.NewRun(run_id=run_id, spec_json="{}", inputs=chaos.first.inputs, plan=plan.SerializeToString())
    await persistence.store.Deliver(rs.DeliverRequest(key="k", create=new))
    end = next(number for number, one in enumerate(chaos.events) if one.HasField("run_finished"))
    events = chaos.events[: end + 1]
    (answer,) = await scheduler.append(rs.RunAppend(run_id=run_id, expected_revision=1, events=events))
    assert answer.outcome == rs.COMMITTED, answer.message
    expected = Rows(chaos.first)
    expected.append(tuple(events))
    (plain,) = await scheduler.load(run_id)
    assert not plain.inside
    (loaded,) = await scheduler.load(run_id, inside=True)
    assert [*loaded.inside] == [*expected.snapshot().inside] != []
