"""Large values between engine and store: stored before the events that name them, read again after a restart, and neither stops
other runs nor loses anything. What is in the way of the store here is a file where it wants a folder.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import uuid
from pathlib import Path

from builders.specs import container, dag, dag_input, output, pipeline
from fixtures.fix_scheduler import WITHIN_S, World, step
from headrace_protos.v1 import events_pb2 as ev

LONG = "x" * 40_000
ITEMS = [f"{number}{LONG[:9000]}" for number in range(6)]


def values_of(world: World, run_id: str) -> Path:
    """Where the run's large values lie."""
    return world.settings.home / "artifacts" / "pipeline" / run_id / "values"


def echoing(**simulate: object):
    env = {"SIMULATE": json.dumps(simulate)}
    return container(["true"], inputs={"x": "STRING"}, outputs={"Output": "STRING"}, env=env)


def looping():
    """A loop over a large list, one item at a time, that gives a large list."""
    body = dag({"item": "STRING"}).task(
        "leaf", echoing(outputs={"Output": LONG}, seconds=0.05), {"x": dag_input("item")}, cache=False
    )
    body.returns("Output", "leaf")
    flow = pipeline().input("items", "LIST")
    flow.task("loop", body, {"items": dag_input("items")}, over="items", parallelism=1)
    return flow.returns("Output", "loop", type_="LIST")


async def test_every_large_value_lies_in_the_store_once(world: World):
    flow = (
        pipeline().input("x", "STRING").task("a", echoing(outputs={"Output": LONG}), {"x": dag_input("x")}, cache=False)
    )
    inner = dag({"x": "STRING"}).task("b", step(), {"x": dag_input("x")}, cache=False)
    flow.task("group", inner, {"x": output("a")}).returns("Output", "a")
    run_id = await world.submit(flow, x=LONG)
    run, tasks = await world.ended(run_id), await world.tasks(run_id)
    assert run.state == ev.RUN_SUCCEEDED
    value = run.outputs.parameters["Output"]
    assert value == tasks["group/b"].inputs.parameters["x"] == tasks["a"].inputs.parameters["x"]
    assert [path.as_uri() for path in values_of(world, run_id).iterdir()] == [value.uri]
    assert json.loads(values_of(world, run_id).joinpath(value.uri.rpartition("/")[2]).read_text()) == LONG


async def test_a_store_that_does_not_answer_holds_up_the_run_that_needs_it_alone(world: World):
    run_id = str(uuid.uuid4())
    values_of(world, run_id).parent.mkdir(parents=True)
    values_of(world, run_id).write_text("in the way")
    flow = pipeline().input("x", "STRING").task("a", step(), {"x": dag_input("x")}, cache=False)
    await world.submit(flow, run_id=run_id, x=LONG)
    other = await world.submit(flow, x="short")
    assert (await world.ended(other)).state == ev.RUN_SUCCEEDED
    await world.deliver(run_id, terminate={})  # comes while the step waits; it is neither lost nor applied twice
    await world.stop_scheduler()
    await world.start_scheduler()
    values_of(world, run_id).unlink()
    assert (await world.ended(run_id)).state == ev.RUN_CANCELED


async def test_a_restart_reads_the_items_of_an_open_loop_and_runs_no_task_again(world: World):
    run_id = await world.submit(looping(), items=ITEMS)
    await world.until(run_id, "attempt_finished")
    await world.stop_scheduler()
    before = await world.tasks(run_id)
    await world.start_scheduler()
    run, tasks = await world.ended(run_id), await world.tasks(run_id)
    assert run.state == ev.RUN_SUCCEEDED
    done = {path for path, task in before.items() if task.state == ev.TASK_SUCCEEDED and path.endswith("leaf")}
    assert done
    assert all(tasks[path].attempts == before[path].attempts for path in done)
    name = run.outputs.parameters["Output"].uri.rpartition("/")[2]
    assert json.loads((values_of(world, run_id) / name).read_text()) == [LONG] * len(ITEMS)


async def test_items_that_vanished_fail_the_iterations_that_need_them(world: World):
    run_id = await world.submit(looping(), items=ITEMS)
    await world.until(run_id, "attempt_finished")
    await world.stop_scheduler()
    await asyncio.to_thread(shutil.rmtree, values_of(world, run_id))
    await world.start_scheduler()
    run, tasks = await world.ended(run_id), await world.tasks(run_id)
    assert run.state == ev.RUN_FAILED
    uri = tasks["loop"].inputs.parameters["items"].uri
    assert tasks["loop[5]"].error.reason == "MissingInput"
    assert tasks["loop[5]"].error.message == (
        f"task 'loop': a LIST of {len(json.dumps(ITEMS, separators=(',', ':')))} bytes that it needs cannot be read from "
        f"{uri}: nothing is stored there; run the task that makes it again"
    )


async def test_a_list_whose_elements_vanished_fails_the_run_with_the_sentence(world: World):
    body = dag({"item": "STRING"}).task(
        "leaf", echoing(outputs={"Output": LONG}), {"x": dag_input("item")}, cache=False
    )
    body.task("slow", step(seconds=1), {"x": "1"}, after=["leaf"], cache=False).returns("Output", "leaf")
    run_id = await world.submit(pipeline().task("loop", body, items='["a"]').returns("Output", "loop", type_="LIST"))
    await world.until(run_id, "attempt_finished")
    uri = (await world.tasks(run_id))["loop[0]/leaf"].outputs.parameters["Output"].uri
    await asyncio.to_thread((values_of(world, run_id) / uri.rpartition("/")[2]).unlink)
    run = await world.ended(run_id)
    assert (run.state, run.error.reason) == (ev.RUN_FAILED, "MissingInput")
    assert run.error.message == f"a list cannot be collected, because an element is gone: nothing is stored at {uri}"


async def test_a_run_whose_root_the_store_cannot_hold_fails_with_the_sentence(world: World):
    flow = pipeline().input("x", "STRING").task("a", step(), {"x": dag_input("x")}, cache=False)
    run_id = await world.submit(flow, root="gs://elsewhere/x", x=LONG)
    run = await world.ended(run_id)
    assert run.state == ev.RUN_FAILED
    assert "lies outside the artifact store" in run.error.message
    assert run.error.message.endswith("give the run a root in it")
    async with asyncio.timeout(WITHIN_S):
        assert (await world.ended(await world.submit(flow, x=LONG))).state == ev.RUN_SUCCEEDED
