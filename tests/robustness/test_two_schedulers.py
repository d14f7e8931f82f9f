"""Two schedulers want one shard: the first is held right before or right after an append, the second takes over, the first goes
on. Exactly one wins each append, and what the loser has started does not stay. Each has an executor of its own. And one
scheduler that loses sight of the store, for longer than it trusts its session: it goes on with its runs and their attempts.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from builders.mortal_replicas import CountingExecutor, Fate, Life, alive
from builders.specs import Pipeline, container, output, pipeline
from fixtures.fix_unscheduled import Unscheduled
from fixtures.polling import until
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler import claiming, replica
from headrace_scheduler.engine import attempting

WITHIN_S = 90


def chain_and_others(others: int = 6) -> Pipeline:
    """A chain, and tasks beside it."""
    behaviour = {"seconds": 0.05, "outputs": {"Output": "{{$.inputs.parameters['x']}}."}}
    quick = container(
        ["true"], inputs={"x": "STRING"}, outputs={"Output": "STRING"}, env={"SIMULATE": json.dumps(behaviour)}
    )
    flow = pipeline().task("t0", quick, {"x": ""}, cache=False)
    for number in range(1, 12):
        flow.task(f"t{number}", quick, {"x": output(f"t{number - 1}")}, cache=False)
    for number in range(others):
        flow.task(f"w{number}", quick, {"x": f"{number}"}, cache=False)
    return flow.returns("end", "t11")


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("spared", [1, 3, 6])
async def test_of_two_that_hold_one_shard_one_wins_each_append_and_the_other_leaves_nothing(
    unscheduled: Unscheduled, where: str, spared: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(attempting, "PLATFORM_BACKOFF_S", 0.0)
    monkeypatch.setattr(replica, "RENEW_EVERY_S", 0.2)
    run_id = await unscheduled.submit(chain_and_others())
    released = asyncio.Event()
    held = Life(Fate.NEVER, spared, **{where: released})
    loser, winner = CountingExecutor(stuck="w"), CountingExecutor()
    lasting = replace(unscheduled.settings, take_over=False)  # it does not take its shards back by force
    async with alive(lasting, loser, held) as first:
        async with asyncio.timeout(WITHIN_S):
            await held.frozen.wait()
        async with alive(unscheduled.settings, winner, Life(Fate.NEVER)) as second:
            ended = asyncio.create_task(unscheduled.events(run_id))
            await until(lambda: len(winner.started) > 2)
            loser.stuck = ""
            released.set()
            async with asyncio.timeout(WITHIN_S):
                events = await ended
            await until(lambda: not loser.running() and not winner.running())
            await until(lambda: not first.driver.holds(run_id) and not second.driver.holds(run_id))
    run = await unscheduled.query.GetRun(rq.GetRunRequest(run_id=run_id))
    tasks = (await unscheduled.query.ListTasks(rq.ListTasksRequest(run_id=run_id))).tasks
    assert run.state == ev.RUN_SUCCEEDED
    assert json.loads(run.outputs.parameters["end"].json) == "." * 12
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    for task in tasks:
        states = [attempt.state for attempt in task.attempts]
        assert states[-1] == ev.ATTEMPT_SUCCEEDED
        assert ev.ATTEMPT_SUCCEEDED not in states[:-1]
        assert winner.started.count((task.path, len(states))) + loser.started.count((task.path, len(states))) >= 1


async def test_what_is_refused_between_two_sessions_of_a_scheduler_leaves_nothing(
    unscheduled: Unscheduled, monkeypatch: pytest.MonkeyPatch
):
    """Its session has expired, the next one is open and has no shard yet, and it appends to a run that it has still loaded."""
    monkeypatch.setattr(attempting, "PLATFORM_BACKOFF_S", 0.0)
    monkeypatch.setattr(replica, "RENEW_EVERY_S", 0.2)
    run_id = await unscheduled.submit(chain_and_others())
    released, reopened, claims = asyncio.Event(), asyncio.Event(), asyncio.Event()
    held = Life(Fate.NEVER, 3, after=released)
    loser, winner = CountingExecutor(stuck="w"), CountingExecutor()
    async with asyncio.timeout(WITHIN_S), alive(replace(unscheduled.settings, take_over=False), loser, held) as first:
        await held.frozen.wait()
        store, expired = first.session.store, first.session.session_id
        renew = store.RenewSession

        async def later(request: rs.RenewSessionRequest) -> rs.RenewSessionResponse:
            if request.session_id != expired:
                reopened.set()
                await claims.wait()
            answer: rs.RenewSessionResponse = await renew(request)
            return answer

        monkeypatch.setattr(store, "RenewSession", later, raising=False)
        async with alive(unscheduled.settings, winner, Life(Fate.NEVER)):
            ended = asyncio.create_task(unscheduled.events(run_id))
            await reopened.wait()
            released.set()
            await until(lambda: not first.driver.holds(run_id))
            assert [attempt for attempt in loser.running() if attempt.path.startswith("w")], (
                "there is something to leave"
            )
            claims.set()
            await ended
            await until(lambda: not loser.running() and not winner.running())


@pytest.mark.parametrize("expired", [False, True], ids=["its session lives", "its session is over"])
async def test_a_scheduler_that_cannot_reach_the_store_for_a_while_goes_on(
    unscheduled: Unscheduled, expired: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(replica, "RENEW_EVERY_S", 0.1)
    monkeypatch.setattr(claiming, "UNCONFIRMED_S", 0.3)
    run_id = await unscheduled.submit(chain_and_others(12))
    life, executor = Life(Fate.NEVER), CountingExecutor(stuck="w", cpu=3.5)  # seven at a time
    async with alive(unscheduled.settings, executor, life) as one:
        await until(lambda: one.driver.holds(run_id))
        # six that hang and the chain, or seven that hang: durably launched
        await until(lambda: sum(bool(handle) for *_, handle in one.driver._drives[run_id].state.in_flight()) >= 6)
        life.away = True
        executor.end_one()  # something to append, which cannot be, whatever had been told before
        others = executor.running()
        await until(lambda: not one.driver.holds(run_id))
        hanging = [attempt for attempt in others if attempt.path.startswith("w")]
        assert len(hanging) >= 5
        assert set(hanging) <= set(executor.running()), "nobody else may have them yet"
        if expired:  # as Postgres's clock would have it
            await unscheduled.store.OpenSession(rs.OpenSessionRequest(holder="nobody", take_over=True))
        life.away = False
        await until(lambda: one.driver.holds(run_id) and (one.admission.waiting or executor.most > 7))
        executor.end_stuck()
        async with asyncio.timeout(WITHIN_S):
            events = await unscheduled.events(run_id)
    run = await unscheduled.query.GetRun(rq.GetRunRequest(run_id=run_id))
    assert run.state == ev.RUN_SUCCEEDED
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert sorted(executor.started) == sorted(set(executor.started))
    assert {number for _, number in executor.started} == {1}, "no attempt was lost"
    assert executor.most == 7, "what went on had its slots"
