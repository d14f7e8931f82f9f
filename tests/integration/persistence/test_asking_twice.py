"""Terminate, retry and resume at a real database: what is asked before the last request was applied, and what readers see."""

from __future__ import annotations

import uuid

import pytest

from builders.runevents import create, created, event, new_run_id, numbered, task_life
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError

STARTED = event(run_started=ev.RunStarted())


def asking(run_id: str, **item: object) -> rs.DeliverRequest:
    return rs.DeliverRequest(key=str(uuid.uuid4()), run_id=run_id, **item)  # type: ignore[arg-type]


def retry(run_id: str) -> rs.DeliverRequest:
    return asking(run_id, retry=rs.Retry())


def terminate(run_id: str, *, exits: bool = False) -> rs.DeliverRequest:
    return asking(run_id, terminate=rs.Terminate(run_exit_tasks=exits))


async def failed_run(scheduler: Scheduler) -> str:
    """A run that FAILED at revision 4, with its create consumed."""
    run_id = await scheduler.create()
    (item,) = await scheduler.fetch()
    ended = event(run_finished=ev.RunFinished(state=ev.RUN_FAILED, error=ev.Error(reason="TaskFailed", message="x")))
    cut = event("a", task_finished=ev.TaskFinished(state=ev.TASK_FAILED))
    events = numbered([STARTED, created("a"), cut, ended], 1)
    (answer,) = await scheduler.append(
        rs.RunAppend(run_id=run_id, expected_revision=1, events=events, consumed=[item.inbox_id])
    )
    assert answer.outcome == rs.COMMITTED, answer.message
    return run_id


async def shown(persistence: Persistence, run_id: str) -> rq.Run:
    return await persistence.query.GetRun(rq.GetRunRequest(run_id=run_id))


async def test_a_retry_that_is_not_applied_yet_is_seen_and_has_one_successor(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    run_id = await failed_run(scheduler)
    await persistence.store.Deliver(retry(run_id))
    seen = await shown(persistence, run_id)
    assert (seen.state, seen.finished_at_us, seen.HasField("error")) == (ev.RUN_RUNNING, 0, False)
    with pytest.raises(ServiceError, match="is being retried already") as refused:
        await persistence.store.Deliver(retry(run_id))
    assert refused.value.reason == Reason.WRONG_STATE
    await persistence.store.Deliver(terminate(run_id))
    assert (await shown(persistence, run_id)).state == ev.RUN_CANCELING
    with pytest.raises(ServiceError, match=r"is being terminated \(CANCELING\): wait for its end, then retry it"):
        await persistence.store.Deliver(retry(run_id))
    items = await scheduler.fetch()
    assert [item.request.WhichOneof("item") for item in items] == ["retry", "terminate"]
    events = numbered(
        [
            event(time_us=1_900_000_000_000_000, run_retried=ev.RunRetried()),
            event("a", task_reset=ev.TaskReset()),
            event(run_terminating=ev.RunTerminating()),
        ],
        5,
    )
    (answer,) = await scheduler.append(
        rs.RunAppend(run_id=run_id, expected_revision=5, events=events, consumed=[item.inbox_id for item in items])
    )
    assert answer.outcome == rs.COMMITTED, answer.message
    (snapshot,) = await scheduler.load(run_id)
    assert (snapshot.state, snapshot.retried_at_us) == (ev.RUN_CANCELING, 1_900_000_000_000_000)
    states = [change.state for change in (await shown(persistence, run_id)).history]
    assert states == [ev.RUN_PENDING, ev.RUN_RUNNING, ev.RUN_FAILED, ev.RUN_RUNNING, ev.RUN_CANCELING]


async def test_the_flag_for_exit_tasks_is_kept_and_can_be_taken_back(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    run_id = await scheduler.create()
    await scheduler.apply(run_id, 1, [STARTED, created("a")])
    await persistence.store.Deliver(terminate(run_id, exits=True))
    with pytest.raises(ServiceError, match="and its exit tasks run"):
        await persistence.store.Deliver(terminate(run_id, exits=True))
    items = [item for item in await scheduler.fetch() if item.request.WhichOneof("item") == "terminate"]
    assert items[0].request.terminate.run_exit_tasks
    terminating = event(run_terminating=ev.RunTerminating(run_exit_tasks=True))
    await scheduler.append(
        rs.RunAppend(
            run_id=run_id,
            expected_revision=3,
            events=numbered([terminating], 3),
            consumed=[item.inbox_id for item in items],
        )
    )
    (snapshot,) = await scheduler.load(run_id)
    assert snapshot.terminating
    assert snapshot.run_exit_tasks
    await persistence.store.Deliver(terminate(run_id))
    await scheduler.apply(run_id, 4, [event(run_terminating=ev.RunTerminating())])
    (snapshot,) = await scheduler.load(run_id)
    assert not snapshot.run_exit_tasks
    states = [change.state for change in (await shown(persistence, run_id)).history]
    assert states == [ev.RUN_PENDING, ev.RUN_RUNNING, ev.RUN_CANCELING]  # the second is no change for people


async def test_a_run_is_resumed_from_one_that_has_ended(persistence: Persistence, scheduler: Scheduler) -> None:
    origin = await scheduler.create()
    await scheduler.apply(origin, 1, [STARTED, created("a")])
    resume = rs.Resume(run_id=origin, from_tasks=["a"])
    with pytest.raises(ServiceError, match=r"has not ended \(RUNNING\): wait for its end or terminate it") as refused:
        await persistence.store.Deliver(create(new_run_id(), resume=resume))
    assert refused.value.reason == Reason.WRONG_STATE
    ended = event(run_finished=ev.RunFinished(state=ev.RUN_SUCCEEDED))
    await scheduler.apply(origin, 3, [*task_life("a"), ended])
    run_id = new_run_id()
    await persistence.store.Deliver(create(run_id, resume=resume))
    seen = await shown(persistence, run_id)
    assert (seen.resumed_from, list(seen.resumed_tasks)) == (origin, ["a"])
    (snapshot,) = await scheduler.load(run_id)
    assert snapshot.resume == resume
    linked = event("a", task_finished=ev.TaskFinished(state=ev.TASK_SUCCEEDED, linked_from=f"{origin}/a"))
    await scheduler.apply(run_id, 1, [STARTED, created("a"), linked])
    (task,) = (await persistence.query.ListTasks(rq.ListTasksRequest(run_id=run_id))).tasks
    assert (task.linked_from, task.cached, len(task.attempts)) == (f"{origin}/a", False, 0)
    (snapshot,) = await scheduler.load(run_id)
    assert snapshot.tasks[0].linked
    with pytest.raises(ServiceError, match="not found"):
        await persistence.store.Deliver(create(new_run_id(), resume=rs.Resume(run_id=new_run_id())))
    await persistence.store.Deliver(asking(origin, delete=rs.Delete()))
    with pytest.raises(ServiceError, match=f"Run {origin} not found"):
        await persistence.store.Deliver(create(new_run_id(), resume=resume))
