"""The scheduler dies at every append of a run of 200 tasks: before it, during it, after it and before its commands, and after
the first of them. On real persistence, cache and Postgres, with attempts that go on without it, and with ones that die with it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from builders.chaos import dump
from builders.mortal_replicas import CountingExecutor, Fate, Life, alive
from builders.specs import Pipeline, container, dag, dag_input, final_status, output, pipeline
from fixtures.fix_unscheduled import Unscheduled
from headrace_ir import references
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import plan_pb2
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_scheduler.engine import PlanIndex, RunState, attempting, fold

CHAIN, ITEMS = 80, 24
WITHIN_S = 100
KINDS = (Fate.BEFORE_APPEND, Fate.AFTER_APPEND, Fate.IN_APPEND, Fate.AFTER_COMMAND)


def longer(**behaviour: Any):
    """Gives its input and one more dot."""
    given = {**behaviour, "outputs": {"Output": "{{$.inputs.parameters['x']}}."}}
    return container(
        ["true"], inputs={"x": "STRING"}, outputs={"Output": "STRING"}, env={"SIMULATE": json.dumps(given)}
    )


def two_hundred_tasks() -> Pipeline:
    """A chain, a loop of chains with a limit, retries, a condition, caching and an exit task."""
    flow = pipeline()
    steps = [longer(), longer(seconds=0.01)]
    for number in range(CHAIN):
        given = output(f"c{number - 1}") if number else ""
        flow.task(f"c{number}", steps[number % 2], {"x": given}, cache=False)
    body = dag({"item": "STRING"}).task("first", longer(), {"x": dag_input("item")}, cache=False)
    policy = {"maxRetryCount": 1, "backoffDuration": "0s"}
    body.task("second", longer(fail_first=1), {"x": output("first")}, cache=False, retry=policy)
    body.task("never", longer(), {"x": output("second")}, cache=False, when="inputs.parameter_values['x'] == ''")
    body.task("third", longer(seconds=0.005), {"x": output("second")}, cache=True).returns("made", "third")
    items = json.dumps([f"item {number}" for number in range(ITEMS)])
    flow.task("loop", body, items=items, parallelism=4)
    told = container(["true"], inputs={"s": "TASK_FINAL_STATUS", "all": "LIST"}, outputs={"Output": "STRING"})
    flow.task("exit", told, {"s": final_status("loop"), "all": output("loop", "made")}, on_completion=True, cache=False)
    return flow.returns("end", f"c{CHAIN - 1}").returns("collected", "loop", "made", type_="LIST")


async def run_with_deaths(
    unscheduled: Unscheduled, run_id: str, *, attempts_survive: bool
) -> tuple[Counter[Fate], Any]:
    """Replica after replica, each dead by its first append or soon after, until the run has ended."""
    deaths: Counter[Fate] = Counter()
    started: list[tuple[str, int]] = []
    executor = CountingExecutor()
    ended = asyncio.create_task(unscheduled.events(run_id))
    async with asyncio.timeout(WITHIN_S):
        for number, fate in enumerate(itertools.cycle(KINDS)):
            # attempts that die cost their tasks one of ten chances each time
            life = Life(fate, spared=0 if attempts_survive else 2 + number % 7)
            async with alive(unscheduled.settings, executor, life):
                dead = asyncio.create_task(life.dead.wait())
                await asyncio.wait([dead, ended], return_when=asyncio.FIRST_COMPLETED)
                dead.cancel()
            if ended.done():
                break
            deaths[fate] += 1
            if not attempts_survive:
                started += executor.started
                await executor.close()
                executor = CountingExecutor()
    await executor.close()
    return deaths, started + executor.started


@pytest.mark.parametrize(
    ("attempts_survive", "inline_bytes"),
    [(True, references.INLINE_BYTES), (False, references.INLINE_BYTES), (True, 200)],
    ids=["attempts go on", "attempts die too", "values by reference"],
)
async def test_a_run_comes_to_its_end_whenever_its_schedulers_die(
    unscheduled: Unscheduled, attempts_survive: bool, inline_bytes: int, monkeypatch: pytest.MonkeyPatch
):
    usual = references.INLINE_BYTES
    monkeypatch.setattr(references, "INLINE_BYTES", inline_bytes)
    monkeypatch.setattr(attempting, "PLATFORM_BACKOFF_S", 0.0)  # of lost attempts: there are hundreds
    flow = two_hundred_tasks()
    run_id = await unscheduled.submit(flow)
    first = await unscheduled.snapshot(run_id)
    deaths, started = await run_with_deaths(unscheduled, run_id, attempts_survive=attempts_survive)
    events = await unscheduled.events(run_id)
    run = await unscheduled.query.GetRun(rq.GetRunRequest(run_id=run_id))
    tasks = (await unscheduled.query.ListTasks(rq.ListTasksRequest(run_id=run_id))).tasks

    assert run.state == ev.RUN_SUCCEEDED
    assert run.outputs.parameters["end"].json == json.dumps("." * CHAIN)
    collected = run.outputs.parameters["collected"]
    assert bool(collected.uri) is (inline_bytes < usual)
    assert json.loads(Path(collected.uri.removeprefix("file://")).read_text() if collected.uri else collected.json) == [
        f"item {number}..." for number in range(ITEMS)
    ]
    assert len(tasks) >= 200
    assert min(deaths[kind] for kind in KINDS) >= (40 if attempts_survive else 5)

    assert [event.seq for event in events] == list(range(1, len(events) + 1)), "no event is missing or there twice"
    plan = PlanIndex(plan_pb2.Plan.FromString(first.plan))
    rows = RunState.load(plan, await unscheduled.snapshot(run_id))
    assert dump(fold(plan, RunState.load(plan, first), events[first.revision :])) == dump(rows)

    of_task: dict[str, list[int]] = {}
    for path, number in started:
        of_task.setdefault(path, []).append(number)
    for task in tasks:
        states = [attempt.state for attempt in task.attempts]
        assert ev.ATTEMPT_SUCCEEDED not in states[:-1], f"{task.path} ran again after its success was durable"
        assert [attempt.number for attempt in task.attempts] == list(range(1, len(states) + 1))
        numbers = of_task.pop(task.path, [])
        assert set(numbers) <= set(range(1, len(states) + 1)), f"{task.path} was started without an attempt in its rows"
        if attempts_survive:
            assert numbers == list(range(1, len(states) + 1)), f"{task.path} was started twice"
            assert len(states) == (
                2 if task.path.endswith("second") else task.kind == ev.RUNTIME and task.state != ev.TASK_SKIPPED
            )
    assert not of_task
