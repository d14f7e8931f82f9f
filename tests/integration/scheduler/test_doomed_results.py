"""A hit of the cache on what retention has just doomed: the real scheduler is refused, loads the run again, and runs the task."""

from __future__ import annotations

import asyncio
import logging

import psycopg
import pytest

from builders.specs import pipeline
from fixtures.fix_scheduler import World, step
from headrace_protos.v1 import cache_pb2, cache_pb2_grpc
from headrace_protos.v1 import events_pb2 as ev
from headrace_servicekit.server import channel

DOOM = (
    "INSERT INTO platform.remains (kind, uri, run_id, namespace, pipeline_name, created_at_us, doomed_at_us)"
    " VALUES (2, %s, %s, 'default', 'p', 1, 1)"
)


async def test_a_hit_on_what_is_doomed_runs_the_task(
    world: World, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = step().output_artifact("model", "system.Model")
    flow = pipeline().task("a", made, {"x": "1"}, cache=True)
    first = await world.submit(flow)
    assert (await world.ended(first)).state == ev.RUN_SUCCEEDED
    uri = (await world.tasks(first))["a"].outputs.artifacts["model"].artifacts[0].uri
    second = await world.submit(flow)
    assert (await world.ended(second)).state == ev.RUN_SUCCEEDED
    assert (await world.tasks(second))["a"].cached
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(DOOM, (uri, first))
        with caplog.at_level(logging.WARNING):
            third = await world.submit(flow)
            async with asyncio.timeout(20):
                while "takes a result that is being deleted: load it again" not in caplog.text:
                    await asyncio.sleep(0.02)
        assert (await world.tasks(third))["a"].state != ev.TASK_SUCCEEDED
        async with channel(world.settings.address_of("cache")) as wire:  # as the sweep does after the doom
            await cache_pb2_grpc.CacheStub(wire).Invalidate(cache_pb2.InvalidateRequest(uris=[uri]))
        assert (await world.ended(third)).state == ev.RUN_SUCCEEDED
        (task,) = (await world.tasks(third)).values()
        assert not task.cached
        assert task.outputs.artifacts["model"].artifacts[0].uri != uri
        used = connection.execute(
            "SELECT r.run_id FROM platform.uses u JOIN platform.runs r ON r.id = u.run WHERE u.uri = %s", (uri,)
        ).fetchall()
    assert used == [(second,)]
