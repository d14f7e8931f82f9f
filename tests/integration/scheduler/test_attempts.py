"""headrace.v1.Attempts over the wire: who is told what to do, and who is not."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest

from builders.specs import pipeline
from fixtures.fix_scheduler import WITHIN_S, World, step
from headrace_protos.v1 import attempts_pb2, attempts_pb2_grpc, events_pb2
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler import owning
from headrace_scheduler import server as scheduler
from headrace_scheduler.settings import SchedulerSettings
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.server import channel

REFUSING = """
CREATE FUNCTION platform.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '{}'; END $$;
CREATE TRIGGER refusing BEFORE INSERT ON platform.events FOR EACH ROW EXECUTE FUNCTION platform.refuse()
"""


@asynccontextmanager
async def attempts(world: World):
    async with channel(world.settings.address_of("scheduler")) as wire:
        yield attempts_pb2_grpc.AttemptsStub(wire)


async def running(world: World) -> str:
    run_id = await world.submit(pipeline().task("a", step(seconds=60), {"x": "1"}, cache=False))
    await world.until(run_id, "attempt_started")
    return run_id


def asking(run_id: str, path: str = "a", attempt: int = 1) -> attempts_pb2.AssignRequest:
    return attempts_pb2.AssignRequest(run_id=run_id, path=path, attempt=attempt)


async def refusal(call) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def test_an_attempt_in_flight_is_told_what_to_do_as_often_as_it_asks(world: World):
    run_id = await running(world)
    async with attempts(world) as stub:
        told = [await stub.Assign(asking(run_id)) for _ in range(2)]
    assert told[0] == told[1]
    assignment = told[0].assignment
    assert told[0].ask == ""
    assert assignment.attempt == "a#1"
    assert assignment.prefix.endswith(f"{run_id}/a/1")
    assert dict(assignment.parameters) == {"x": '"1"'}
    assert assignment.grace_s == 30
    assert assignment.traceparent.startswith("00-" + run_id.replace("-", ""))


async def test_another_attempt_is_told_to_give_up(world: World):
    run_id = await running(world)
    unknown = str(uuid.uuid4())
    async with attempts(world) as stub:
        for request in (asking(run_id, attempt=2), asking(run_id, "b"), asking(unknown)):
            refused = await refusal(stub.Assign(request))
            assert refused.reason == Reason.ATTEMPT_SUPERSEDED
        assert str(refused) == f"a#1 of run {unknown} has ended, or never was"
        assert (await refusal(stub.Assign(asking("x")))).reason == Reason.INVALID_INPUT


async def test_a_report_ends_the_attempt_and_its_companion_is_told_to_give_up(world: World):
    run_id = await running(world)
    result = attempts_pb2.AttemptResult(
        state=events_pb2.ATTEMPT_FAILED, error=events_pb2.Error(reason="UserError", message="no")
    )
    async with attempts(world) as stub:
        for _ in range(2):
            await stub.Report(attempts_pb2.ReportRequest(run_id=run_id, path="a", attempt=1, result=result))
        await world.ended(run_id)
        assert (await refusal(stub.Assign(asking(run_id)))).reason == Reason.ATTEMPT_SUPERSEDED


@pytest.mark.parametrize("sqlstate", ["53100", "58030"], ids=["the disk is full", "the disk cannot be read"])
async def test_a_report_waits_in_the_inbox_while_no_append_succeeds(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch, sqlstate: str
):
    monkeypatch.setattr(owning, "DURABLE_WITHIN_S", 0.2)
    run_id = await running(world)
    result = attempts_pb2.AttemptResult(state=events_pb2.ATTEMPT_SUCCEEDED)
    result.outputs.parameters["Output"].json = '"1"'
    report = attempts_pb2.ReportRequest(run_id=run_id, path="a", attempt=1, result=result)
    with psycopg.connect(database_url, autocommit=True) as postgres:
        # In a thread: it waits for appends under way, and those for this loop.
        await asyncio.to_thread(postgres.execute, REFUSING.format(sqlstate).encode())
        async with attempts(world) as stub:
            await stub.Report(report)  # acknowledged: it is durable
            await stub.Report(report)
        (waiting,) = postgres.execute(b"SELECT count(*) FROM platform.inbox WHERE kind = 7 AND consumed_at_us = 0")
        assert waiting == (1,)
        assert (await world.tasks(run_id))["a"].state == events_pb2.TASK_RUNNING
        await asyncio.to_thread(postgres.execute, b"DROP TRIGGER refusing ON platform.events")
        run = await world.ended(run_id)
        (waiting,) = postgres.execute(b"SELECT count(*) FROM platform.inbox WHERE consumed_at_us = 0")
    assert (run.state, waiting) == (events_pb2.RUN_SUCCEEDED, (0,))
    (attempt,) = (await world.tasks(run_id))["a"].attempts
    assert attempt.state == events_pb2.ATTEMPT_SUCCEEDED


async def test_who_asks_the_wrong_replica_is_sent_to_the_right_one(world: World):
    await world.stop_scheduler()
    settings = SchedulerSettings(home=world.settings.home, executor="simulated")
    await world.schedulers.enter_async_context(scheduler.running(settings))
    run_id = await running(world)
    opened = await world.store.OpenSession(
        rs.OpenSessionRequest(holder="other", take_over=True, address="10.0.0.7:8892")
    )
    await world.store.RenewSession(rs.RenewSessionRequest(session_id=opened.session_id, epoch=opened.epoch))
    holder = await world.store.FindHolder(rs.FindHolderRequest(run_id=run_id))
    assert (holder.session_id, holder.address) == (opened.session_id, "10.0.0.7:8892")
    async with attempts(world) as stub, asyncio.timeout(WITHIN_S):
        while not (answer := await asked(stub, run_id)).ask:  # it has not noticed that its session is over
            await asyncio.sleep(0.05)
    assert answer.ask == "10.0.0.7:8892"


async def asked(stub, run_id: str) -> attempts_pb2.AssignResponse:
    with suppress(ServiceError):
        return await stub.Assign(asking(run_id))
    return attempts_pb2.AssignResponse()


async def test_while_nobody_drives_the_run_the_companion_asks_again(world: World):
    run_id = await running(world)
    await world.stop_scheduler()
    assert (await world.store.FindHolder(rs.FindHolderRequest(run_id=run_id))).session_id == ""
