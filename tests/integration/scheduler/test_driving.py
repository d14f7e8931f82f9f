"""The scheduler with real persistence, cache and Postgres, and the simulated executor: a run's whole life over the wire."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builders.specs import Pipeline, container, dag, dag_input, output, pipeline
from headrace_cache import server as cache
from headrace_ir.plan import compile_plan
from headrace_ir.reading import read_spec
from headrace_persistence import server as persistence
from headrace_persistence.settings import PersistenceSettings
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_query_pb2_grpc, run_store_pb2_grpc, scheduler_pb2, scheduler_pb2_grpc
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler import server as scheduler
from headrace_scheduler.settings import SchedulerSettings
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.server import channel

WITHIN_S = 20


@dataclass
class World:
    """Stubs of the services, and the stack that the scheduler lives in (so that a test can end it)."""

    store: Any
    query: Any
    settings: SchedulerSettings
    schedulers: AsyncExitStack

    async def submit(self, flow: Pipeline, *, run_id: str = "", enable_cache: bool | None = None) -> str:
        run_id = run_id or str(uuid.uuid4())
        package = read_spec(flow.build())
        new = rs.NewRun(
            run_id=run_id,
            namespace="default",
            display_name="test",
            spec_json=json.dumps(package.document),
            plan=compile_plan(package).SerializeToString(),
            enable_cache=enable_cache,
        )
        await self.deliver(run_id, create=new)
        return run_id

    async def deliver(self, run_id: str, **item: Any) -> None:
        answer = await self.store.Deliver(rs.DeliverRequest(key=str(uuid.uuid4()), run_id=run_id, **item))
        async with channel(self.settings.address_of("scheduler")) as wire:
            with suppress(ServiceError):  # there may be no scheduler just now; it finds the item when it comes
                await scheduler_pb2_grpc.SchedulerStub(wire).Wake(scheduler_pb2.WakeRequest(shards=[answer.shard]))

    async def ended(self, run_id: str) -> rq.Run:
        async with asyncio.timeout(WITHIN_S):
            async for _ in self.query.Watch(rq.WatchRequest(run_id=run_id, follow=True)):
                pass
        return await self.query.GetRun(rq.GetRunRequest(run_id=run_id))

    async def tasks(self, run_id: str) -> dict[str, rq.Task]:
        answer = await self.query.ListTasks(rq.ListTasksRequest(run_id=run_id))
        return {task.path: task for task in answer.tasks}

    async def until(self, run_id: str, kind: str) -> None:
        """Until an event of that kind has been appended."""
        async with asyncio.timeout(WITHIN_S):
            while True:  # the stream of a run that has ended ends, also where a retry is on its way
                async for answer in self.query.Watch(rq.WatchRequest(run_id=run_id, follow=True)):
                    if any(event.WhichOneof("kind") == kind for event in answer.events):
                        return
                await asyncio.sleep(0.02)

    async def start_scheduler(self, **changes: Any) -> None:
        settings = SchedulerSettings(home=self.settings.home, executor="simulated", take_over=True, **changes)
        await self.schedulers.enter_async_context(scheduler.running(settings))

    async def stop_scheduler(self) -> None:
        await self.schedulers.aclose()


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        settings = SchedulerSettings(home=tmp_path, executor="simulated", take_over=True)
        rows = await stack.enter_async_context(
            persistence.running(PersistenceSettings(home=tmp_path, database_url=database_url))
        )
        await stack.enter_async_context(cache.running(cache.CacheSettings(home=tmp_path, database_url=database_url)))
        wire = await stack.enter_async_context(channel(rows.address))
        schedulers = await stack.enter_async_context(AsyncExitStack())
        made = World(run_store_pb2_grpc.RunStoreStub(wire), run_query_pb2_grpc.RunQueryStub(wire), settings, schedulers)
        await made.start_scheduler()
        yield made


async def until_it_raises(call: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            await call()
            await asyncio.sleep(0.02)


def step(**simulate: Any):
    made = container(
        ["true"], inputs={"x": "STRING"}, outputs={"Output": "STRING"}, env={"SIMULATE": json.dumps(simulate)}
    )
    return made


async def test_a_chain_runs_and_hands_values_on(world: World):
    flow = pipeline().task("a", step(outputs={"Output": "from a"}), {"x": "1"}, cache=False)
    flow.task("b", step(), {"x": output("a")}, cache=False).returns("last", "a")
    run_id = await world.submit(flow)
    run = await world.ended(run_id)
    tasks = await world.tasks(run_id)
    assert run.state == ev.RUN_SUCCEEDED
    assert tasks["b"].inputs.parameters["x"].json == '"from a"'
    assert run.outputs.parameters["last"].json == '"from a"'
    assert [attempt.state for attempt in tasks["a"].attempts] == [ev.ATTEMPT_SUCCEEDED]


async def test_a_failure_is_retried_then_ends_the_run_with_its_name(world: World):
    policy = {"maxRetryCount": 1, "backoffDuration": "0s"}
    flow = pipeline().task("flaky", step(fail_first=1), {"x": "1"}, retry=policy, cache=False)
    flow.task("broken", step(exit=3), {"x": "1"}, retry=policy, cache=False).task(
        "after", step(), {"x": output("broken")}
    )
    run_id = await world.submit(flow)
    run = await world.ended(run_id)
    tasks = await world.tasks(run_id)
    assert run.state == ev.RUN_FAILED
    assert "broken" in run.error.message
    assert [attempt.state for attempt in tasks["flaky"].attempts] == [ev.ATTEMPT_FAILED, ev.ATTEMPT_SUCCEEDED]
    assert [attempt.state for attempt in tasks["broken"].attempts] == [ev.ATTEMPT_FAILED] * 2
    assert tasks["broken"].error.exit_code == 3
    assert tasks["after"].state == ev.TASK_SKIPPED


async def test_a_wide_loop_ends_with_exact_counts(world: World):
    body = dag({"item": "NUMBER_INTEGER"}).task("work", step(), {"x": dag_input("item")}, cache=False)
    run_id = await world.submit(pipeline().task("loop", body, items=json.dumps(list(range(500)))))
    run = await world.ended(run_id)
    assert run.state == ev.RUN_SUCCEEDED
    assert run.task_counts["TASK_SUCCEEDED"] == 1 + 500 + 500


async def test_the_second_run_comes_from_the_cache(world: World):
    flow = pipeline().task("a", step(outputs={"Output": "made once"}), {"x": "1"}, cache=True)
    first = await world.submit(flow)
    await world.ended(first)
    second = await world.submit(flow)
    await world.ended(second)
    task = (await world.tasks(second))["a"]
    assert task.cached
    assert task.cached_from == f"{first}/a"
    assert task.outputs.parameters["Output"].json == '"made once"'
    assert not task.attempts
    uncached = await world.submit(flow, enable_cache=False)
    await world.ended(uncached)
    assert not (await world.tasks(uncached))["a"].cached


async def test_tasks_inside_groups_come_from_the_cache_too_also_after_a_stop_right_at_the_end(world: World):
    body = dag({"item": "NUMBER_INTEGER"}).task("work", step(), {"x": dag_input("item")}, cache=True)
    flow = pipeline().task("loop", body, items="[1, 2, 3]")
    await world.ended(await world.submit(flow))
    await world.stop_scheduler()
    await world.start_scheduler()
    second = await world.submit(flow)
    await world.ended(second)
    tasks = await world.tasks(second)
    assert [tasks[f"loop[{i}]/work"].cached for i in range(3)] == [True] * 3


async def test_of_two_identical_tasks_in_flight_one_runs_and_the_other_waits_for_it(world: World):
    flow = pipeline().task("a", step(seconds=0.5), {"x": "same"}, cache=True)
    first, second = await asyncio.gather(world.submit(flow), world.submit(flow))
    await asyncio.gather(world.ended(first), world.ended(second))
    both = [(await world.tasks(run_id))["a"] for run_id in (first, second)]
    assert sorted(task.cached for task in both) == [False, True]
    assert sum(len(task.attempts) for task in both) == 1


async def test_terminate_ends_what_runs_and_what_waits(world: World):
    flow = (
        pipeline().task("long", step(seconds=60), {"x": "1"}, cache=False).task("next", step(), {"x": output("long")})
    )
    run_id = await world.submit(flow)
    await world.until(run_id, "attempt_launched")
    await world.deliver(run_id, terminate=rs.Terminate())
    run = await world.ended(run_id)
    tasks = await world.tasks(run_id)
    assert run.state == ev.RUN_CANCELED
    assert {task.state for task in tasks.values()} == {ev.TASK_CANCELED}
    assert tasks["long"].attempts[0].state == ev.ATTEMPT_CANCELED
    with pytest.raises(ServiceError) as told:
        await world.deliver(run_id, terminate=rs.Terminate())
    assert told.value.reason == Reason.WRONG_STATE


async def test_retry_runs_only_what_failed_and_numbers_go_on(world: World):
    flow = pipeline().task("good", step(), {"x": "1"}, cache=False)
    flow.task("bad", step(fail_first=1), {"x": output("good")}, cache=False).task(
        "end", step(), {"x": output("bad")}, cache=False
    )
    run_id = await world.submit(flow)
    assert (await world.ended(run_id)).state == ev.RUN_FAILED
    await world.deliver(run_id, retry=rs.Retry())
    await world.until(run_id, "run_retried")
    assert (await world.ended(run_id)).state == ev.RUN_SUCCEEDED
    tasks = await world.tasks(run_id)
    assert len(tasks["good"].attempts) == 1
    assert [attempt.number for attempt in tasks["bad"].attempts] == [1, 2]
    assert tasks["end"].state == ev.TASK_SUCCEEDED


async def test_delete_ends_the_attempts_first_and_leaves_no_row(world: World):
    run_id = await world.submit(pipeline().task("long", step(seconds=60), {"x": "1"}, cache=False))
    await world.until(run_id, "attempt_launched")
    await world.deliver(run_id, delete=rs.Delete())
    with pytest.raises(ServiceError) as told:
        await until_it_raises(lambda: world.query.GetRun(rq.GetRunRequest(run_id=run_id)))
    assert told.value.reason == Reason.NOT_FOUND


async def test_a_new_scheduler_goes_on_where_the_last_one_ended(world: World):
    flow = pipeline().task("a", step(seconds=0.2), {"x": "1"}, cache=False)
    for i in range(5):
        flow.task(f"b{i}", step(seconds=0.2), {"x": output("a")}, cache=False)
    run_id = await world.submit(flow)
    await world.until(run_id, "attempt_launched")
    await world.stop_scheduler()
    await world.start_scheduler()
    run = await world.ended(run_id)
    assert run.state == ev.RUN_SUCCEEDED
    for task in (await world.tasks(run_id)).values():
        assert [attempt.state for attempt in task.attempts][-1] == ev.ATTEMPT_SUCCEEDED
        assert [attempt.state for attempt in task.attempts].count(ev.ATTEMPT_SUCCEEDED) == 1


async def test_a_run_that_was_delivered_without_a_scheduler_starts_with_the_next(world: World):
    await world.stop_scheduler()
    run_id = await world.submit(pipeline().task("a", step(), {"x": "1"}, cache=False))
    assert (await world.query.GetRun(rq.GetRunRequest(run_id=run_id))).state == ev.RUN_PENDING
    await world.start_scheduler()
    assert (await world.ended(run_id)).state == ev.RUN_SUCCEEDED
