"""The scheduler with real persistence, cache and Postgres, and the simulated executor: a run's whole life over the wire."""

from __future__ import annotations

import asyncio
import json

import psycopg
import pytest

from builders.specs import dag, dag_input, output, pipeline
from fixtures.fix_scheduler import WITHIN_S, World, step
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError


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


async def test_of_many_attempts_the_ends_are_appended_together(world: World, database_url: str):
    """Attempts end one by one, one each three milliseconds: an append that ends is no reason to take those that wait."""
    flow, count = pipeline(), 400
    for number in range(count):
        flow.task(f"t{number}", step(seconds=1 + number * 0.003), {"x": "1"}, cache=False)
    run_id = await world.submit(flow)
    assert (await world.ended(run_id)).state == ev.RUN_SUCCEEDED
    async with await psycopg.AsyncConnection.connect(database_url) as rows:
        found = await rows.execute(
            "SELECT count(DISTINCT e.xmin::text), count(*) FROM platform.events e JOIN platform.runs r ON r.id = e.run"
            " WHERE r.run_id = %s AND e.kind = %s",
            [run_id, ev.Event.DESCRIPTOR.fields_by_name["attempt_finished"].number],
        )
        appends, ends = await found.fetchone()
    assert ends == count
    assert appends <= 110, "each of the last thirty alone, and of those before at least five together"


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


async def test_delete_ends_the_attempts_first_and_leaves_no_row(world: World, database_url: str):
    run_id = await world.submit(pipeline().task("long", step(seconds=3_600), {"x": "1"}, cache=False))
    await world.until(run_id, "attempt_launched")
    await world.deliver(run_id, delete=rs.Delete())
    with pytest.raises(ServiceError) as told:
        await world.query.GetRun(rq.GetRunRequest(run_id=run_id))
    assert told.value.reason == Reason.NOT_FOUND
    async with asyncio.timeout(WITHIN_S), await psycopg.AsyncConnection.connect(database_url, autocommit=True) as rows:
        while await (await rows.execute("SELECT FROM platform.runs WHERE run_id = %s", [run_id])).fetchall():
            await asyncio.sleep(0.02)


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
