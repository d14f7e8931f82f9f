"""Runs side by side by their figures, on a real Postgres: named, newest, best; numbers, and texts that are asked for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from builders import runevents
from builders.runevents import created, event, finished, started
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_persistence.lineage import comparing
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_protos.v1 import lineage_pb2_grpc
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.server import channel


@pytest.fixture
async def lineage(persistence: Persistence) -> AsyncIterator[lineage_pb2_grpc.LineageStub]:
    async with channel(persistence.address) as to:
        yield lineage_pb2_grpc.LineageStub(to)


async def scored(scheduler: Scheduler, *named: str, of: dict[str, str] | None = None, **metadata: Any) -> str:
    """A run whose one task puts out metrics; of several OUTPUTS each has its own figures. OF: where it runs."""
    run_id = runevents.new_run_id()
    await scheduler.persistence.store.Deliver(runevents.create(run_id, parameters_json='{"lr":0.1}', **(of or {})))
    names = named or ("metrics",)
    outputs = ev.Values()
    for number, name in enumerate(names):
        told = {key: value[number] if isinstance(value, list) else value for key, value in metadata.items()}
        outputs.artifacts[name].artifacts.add(
            artifact_id=f"{run_id}-{name}", schema_title="system.Metrics", metadata_json=json.dumps(told)
        )
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


async def test_the_best_of_a_pipeline_a_namespace_and_an_experiment(lineage, three) -> None:
    _, second, third = three
    for scope in ({"pipeline_name": "demo"}, {"namespace": "default"}, {"experiment_id": "default"}):
        best = [one.run_id for one in await compare(lineage, sort_by="acc", most=2, **scope)]
        assert best == [second, third], scope
        worst = await compare(lineage, sort_by="acc", most=2, ascending=True, **scope)
        assert [one.run_id for one in worst] == [three[0], third], scope
    both = {"pipeline_name": "demo", "namespace": "team"}
    assert await compare(lineage, sort_by="acc", **both) == []
    assert await compare(lineage, sort_by="acc", pipeline_name="demo", experiment_id="other") == []


async def test_a_large_scope_is_walked_and_gives_the_same(lineage, three, monkeypatch) -> None:
    asked: list[dict[str, Any]] = [{"namespace": "default"}, {"experiment_id": "default"}, {"namespace": "team"}]
    asked += [{**one, "ascending": True} for one in asked]
    few = [[one.run_id for one in await compare(lineage, sort_by="acc", **scope)] for scope in asked]
    monkeypatch.setattr(comparing, "FEW", 0)
    for pipelines in (comparing.PIPELINES, 0):  # by way of those that ran there, and of all figures
        monkeypatch.setattr(comparing, "PIPELINES", pipelines)
        assert [[one.run_id for one in await compare(lineage, sort_by="acc", **scope)] for scope in asked] == few
    assert few[0] == [three[1], three[2], three[0]]


async def test_of_a_pipeline_that_runs_elsewhere_too_the_runs_asked_for_count(lineage, scheduler, monkeypatch) -> None:
    monkeypatch.setattr(comparing, "FEW", 0)
    there = {"namespace": "team", "experiment_id": "theirs"}
    best = [await scored(scheduler, of=there if number % 3 == 0 else {}, acc=number / 20) for number in range(18)][::-1]
    theirs = best[2::3]
    for scope in (there, {"namespace": "team"}, {"experiment_id": "theirs"}):
        for most in (1, 2, 9):
            found = await compare(lineage, sort_by="acc", most=most, **scope)
            assert [one.run_id for one in found] == theirs[:most], (scope, most)
        worst = await compare(lineage, sort_by="acc", most=2, ascending=True, **scope)
        assert [one.run_id for one in worst] == theirs[::-1][:2]
        assert [one.run_id for one in await compare(lineage, most=2, **scope)] == theirs[:2]
    assert await compare(lineage, sort_by="acc", namespace="team", experiment_id="default") == []


async def test_of_equal_figures_the_newest_run_is_first_however_many_there_are(lineage, scheduler) -> None:
    runs = [await scored(scheduler, acc=0.5) for _ in range(12)]
    for scope in ({"pipeline_name": "demo"}, {}):
        for ascending in (False, True):
            best = await compare(lineage, sort_by="acc", most=2, ascending=ascending, **scope)
            assert [one.run_id for one in best] == [runs[11], runs[10]], scope


async def test_a_run_counts_by_the_best_of_its_figures(lineage, scheduler) -> None:
    one = await scored(scheduler, "train", "test", acc=[0.9, 0.1])
    other = await scored(scheduler, acc=0.5)
    for scope in ({"pipeline_name": "demo"}, {}):
        assert [run.run_id for run in await compare(lineage, sort_by="acc", **scope)] == [one, other]
        assert [run.run_id for run in await compare(lineage, sort_by="acc", ascending=True, **scope)] == [one, other]


async def test_those_that_are_named_and_figures_that_are(lineage, three) -> None:
    (one,) = await compare(lineage, run_ids=[three[1]], metrics=["by", "acc"])
    assert [(figure.name, figure.WhichOneof("value")) for figure in one.figures] == [("acc", "number"), ("by", "text")]
    assert await compare(lineage, run_ids=[three[1]], pipeline_name="another") == []


async def test_a_run_that_is_not_there_is_named_and_not_left_out(lineage, three) -> None:
    for asked, said in (
        ({"run_ids": [three[0], "gone"]}, "Run gone not found"),
        ({"run_ids": ["gone", three[0], "lost", "away"]}, "Run gone not found, nor 2 more of those that are named"),
        ({"run_ids": three[:1], "namespace": "team"}, f"Run {three[0]} not found"),
        ({"run_ids": ["\0"], "namespace": "\0"}, "Run \ufffd not found"),
        ({"run_ids": ["gone"], "sort_by": "acc"}, "Run gone not found"),
    ):
        with pytest.raises(ServiceError) as caught:
            await compare(lineage, **asked)
        assert (caught.value.reason, str(caught.value)) == (Reason.NOT_FOUND, said)


@pytest.mark.parametrize("name", ["namespace", "pipeline_name", "experiment_id"])
async def test_a_name_that_nothing_can_have_finds_nothing(lineage, three, name: str) -> None:
    among = {} if name == "namespace" else {"run_ids": three}  # in no namespace are they at all
    for more in ({}, {"sort_by": "acc"}, among):
        assert await compare(lineage, **{name: "\0"}, **more) == [], more


async def test_too_many_at_once(lineage) -> None:
    with pytest.raises(ServiceError, match="at most 1,000 runs are compared at once"):
        await compare(lineage, most=1001)
