"""Runs side by side by their figures, on a real Postgres: named, newest, best; numbers, and texts that are asked for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from builders import runevents
from builders.runevents import created, event, finished, started
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_protos.v1 import lineage_pb2_grpc
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import ServiceError
from headrace_servicekit.server import channel


@pytest.fixture
async def lineage(persistence: Persistence) -> AsyncIterator[lineage_pb2_grpc.LineageStub]:
    async with channel(persistence.address) as to:
        yield lineage_pb2_grpc.LineageStub(to)


async def scored(scheduler: Scheduler, **metadata: Any) -> str:
    """A run whose one task puts out metrics."""
    run_id = runevents.new_run_id()
    await scheduler.persistence.store.Deliver(runevents.create(run_id, parameters_json='{"lr":0.1}'))
    metrics = ev.Artifact(
        artifact_id=f"{run_id}-metrics", schema_title="system.Metrics", metadata_json=json.dumps(metadata)
    )
    outputs = ev.Values(artifacts={"metrics": ev.ArtifactList(artifacts=[metrics])})
    events = [
        event(run_started=ev.RunStarted()),
        created("train"),
        started("train"),
        finished("train", outputs=outputs),
    ]
    answer = await scheduler.apply(run_id, 1, events)
    assert answer.outcome == rs.COMMITTED, answer.message
    return run_id


@pytest.fixture
async def three(scheduler: Scheduler) -> list[str]:
    return [await scored(scheduler, acc=acc, loss=1 - acc, by="me", good=True) for acc in (0.5, 0.9, 0.7)]


async def compare(lineage: Any, **asked: Any) -> list[pb.RunFigures]:
    return list((await lineage.CompareRuns(pb.CompareRunsRequest(**asked))).runs)


async def test_the_newest_come_with_all_their_numbers(lineage, three) -> None:
    found = await compare(lineage)
    assert [one.run_id for one in found] == three[::-1]
    assert [(one.path, one.output, one.name, round(one.number, 6)) for one in found[0].figures] == [
        ("train", "metrics", "acc", 0.7),
        ("train", "metrics", "good", 1.0),
        ("train", "metrics", "loss", 0.3),
    ]
    assert [one.run_id for one in await compare(lineage, pipeline_name="demo")] == three[::-1]
    assert await compare(lineage, pipeline_name="dem") == []
    assert (found[0].pipeline_name, found[0].parameters_json) == ("demo", '{"lr":0.1}')


async def test_the_best_by_a_figure(lineage, three) -> None:
    first, second, third = three
    assert [one.run_id for one in await compare(lineage, sort_by="acc", most=2)] == [second, third]
    assert [one.run_id for one in await compare(lineage, sort_by="loss", ascending=True)] == [second, third, first]
    assert [one.run_id for one in await compare(lineage, sort_by="acc", run_ids=[first, third])] == [third, first]
    assert await compare(lineage, sort_by="nothing") == []
    assert await compare(lineage, sort_by="acc", pipeline_name="another") == []


async def test_those_that_are_named_and_figures_that_are(lineage, three) -> None:
    (one,) = await compare(lineage, run_ids=[three[1]], metrics=["by", "acc"])
    assert [(figure.name, figure.WhichOneof("value")) for figure in one.figures] == [("acc", "number"), ("by", "text")]
    assert await compare(lineage, run_ids=[three[1]], namespace="team") == []


async def test_too_many_at_once(lineage) -> None:
    with pytest.raises(ServiceError, match="at most 1,000 runs are compared at once"):
        await compare(lineage, most=1001)
