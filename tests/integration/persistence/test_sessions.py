"""Sessions and shards: fair shares, expiry by Postgres's clock, take-over, and appends that race with them."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from builders.runevents import event, new_run_id
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError


async def expire(persistence: Persistence, session_id: str) -> None:
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
        await connection.execute(
            "UPDATE platform.sessions SET expires_at = clock_timestamp() WHERE session_id = %s", (session_id,)
        )


async def test_two_sessions_share_fairly(persistence: Persistence, scheduler: Scheduler) -> None:
    assert len((await scheduler.renew()).held) == 256
    other = await persistence.scheduler(take_over=False)
    assert list((await other.renew()).held) == []
    asked = await scheduler.renew()
    assert len(asked.give_back) == 128
    after = await scheduler.renew(*asked.give_back)
    assert len(after.held) == 128
    mine, theirs = await asyncio.gather(scheduler.renew(), other.renew())
    assert len(mine.held) == len(theirs.held) == 128
    assert not set(mine.held) & set(theirs.held)


async def test_three_fight_for_free_shards_and_none_is_held_twice(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    await persistence.store.CloseSession(rs.CloseSessionRequest(session_id=scheduler.session_id, epoch=scheduler.epoch))
    sessions = [await persistence.store.OpenSession(rs.OpenSessionRequest(holder=str(n))) for n in range(3)]
    rivals = [Scheduler(persistence, one.session_id, one.epoch) for one in sessions]
    held: dict[int, set[int]] = {}
    for _ in range(4):  # who is skipped by a lock gets its share the next time
        for index, one in enumerate(await asyncio.gather(*(rival.renew() for rival in rivals))):
            held[index] = set(one.held)
    assert sum(len(one) for one in held.values()) == 256
    assert set().union(*held.values()) == set(range(256))


async def test_an_expired_session_is_lost_and_its_shards_are_free(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    run_id = await scheduler.create()
    other = await persistence.scheduler(take_over=False)
    await expire(persistence, scheduler.session_id)
    for call in (scheduler.renew(), scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted())]), scheduler.load()):
        with pytest.raises(ServiceError) as lost:
            await call
        assert lost.value.reason == Reason.SESSION_LOST
        assert lost.value.message.endswith("is over: open a new one and load the runs again")
    assert len((await other.renew()).held) == 256


async def test_a_take_over_waits_for_an_append_in_flight(persistence: Persistence, scheduler: Scheduler) -> None:
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as append:
        await append.execute(
            "SELECT 1 FROM platform.sessions WHERE session_id = %s FOR KEY SHARE", (scheduler.session_id,)
        )
        taking = asyncio.create_task(persistence.scheduler(take_over=True))
        await scheduler.renew()  # a renewal is not held up by the append
        done, _ = await asyncio.wait([taking], timeout=0.2)
        assert not done
    assert len((await (await taking).renew()).held) == 256


async def test_a_run_of_a_shard_that_is_not_held_is_refused(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = new_run_id()
    shard = lifecycle.shard_of(run_id, 256)
    await scheduler.create(run_id)
    await scheduler.renew(shard)
    answer = await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted())])
    assert answer.outcome == rs.REFUSED_SHARD
    assert answer.message == f"Run {run_id}: the session does not hold its shard"
    assert await scheduler.fetch() == []
    assert await scheduler.load(run_id) == []


async def test_one_of_many_equal_deliveries_counts(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    request = rs.DeliverRequest(key="same", run_id=run_id, report=rs.Report(path="a", attempt=1, result=b"x"))
    answers = await asyncio.gather(*(persistence.store.Deliver(request) for _ in range(12)))
    assert len({one.inbox_id for one in answers}) == 1
    assert sum(not one.repeated for one in answers) == 1
    items = await scheduler.fetch()
    assert [item.request.WhichOneof("item") for item in items] == ["create", "report"]


async def test_equal_creates_name_the_first_run(persistence: Persistence, scheduler: Scheduler) -> None:
    runs = [new_run_id() for _ in range(6)]
    answers = await asyncio.gather(
        *(
            persistence.store.Deliver(rs.DeliverRequest(key="k", create=rs.NewRun(run_id=run_id, spec_json="{}")))
            for run_id in runs
        )
    )
    assert len({one.run_id for one in answers}) == 1
    assert len(await scheduler.load()) == 1
    taken = rs.DeliverRequest(key="another", create=rs.NewRun(run_id=answers[0].run_id, spec_json="{}"))
    with pytest.raises(ServiceError, match="exists already; take a new id"):
        await persistence.store.Deliver(taken)


async def test_the_inbox_is_hinted(persistence: Persistence, scheduler: Scheduler) -> None:
    hints = persistence.store.WatchInbox(rs.WatchInboxRequest(session_id=scheduler.session_id)).__aiter__()
    await asyncio.wait_for(anext(hints), 5)  # what was there before
    await scheduler.create()
    await asyncio.wait_for(anext(hints), 5)
    await hints.aclose()


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (rs.DeliverRequest(run_id="x", retry=rs.Retry()), "Deliver needs a key and an item"),
        (rs.DeliverRequest(key="k", create=rs.NewRun(run_id="X")), "run_id 'X' is no lower-case UUID with dashes"),
        (rs.DeliverRequest(key="k", run_id="nope", retry=rs.Retry()), "Run nope not found"),
    ],
)
async def test_wrong_deliveries(request_: rs.DeliverRequest, message: str, persistence: Persistence) -> None:
    with pytest.raises(ServiceError) as refused:
        await persistence.store.Deliver(request_)
    assert refused.value.message == message


async def test_retry_is_refused_by_state(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    retry = rs.DeliverRequest(key="r", run_id=run_id, retry=rs.Retry())
    with pytest.raises(ServiceError, match=r"has not ended \(PENDING\): only a run that FAILED or was CANCELED"):
        await persistence.store.Deliver(retry)
    end = event(run_finished=ev.RunFinished(state=ev.RUN_SUCCEEDED))
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), end])
    with pytest.raises(ServiceError, match="SUCCEEDED: there is nothing to retry"):
        await persistence.store.Deliver(retry)
