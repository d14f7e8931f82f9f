"""Lineage on a real Postgres: artifacts found by what they are, walked up and down across runs and pipelines.

- by URI, type, digest, metadata, pipeline and run, in pages
- a report is traced to raw data through another pipeline's run, past what came from the cache
- bounds: hops, size, namespaces, deleted runs
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import psycopg
import pytest

from builders import runevents
from builders.runevents import event, finished, started, values
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_persistence.lineage import finding, holding
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_protos.v1 import lineage_pb2_grpc, plan_pb2
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.server import channel

DIGEST = "sha256:" + "1" * 64


@pytest.fixture
async def lineage(persistence: Persistence) -> AsyncIterator[lineage_pb2_grpc.LineageStub]:
    async with channel(persistence.address) as to:
        yield lineage_pb2_grpc.LineageStub(to)


def artifact(uri: str, title: str = "system.Dataset", **fields: Any) -> ev.Artifact:
    return ev.Artifact(artifact_id=str(uuid.uuid4()), uri=uri, schema_title=title, **fields)


def plan_of(name: str, *tasks: str) -> bytes:
    """One container for each task."""
    plan = plan_pb2.Plan(version=1, pipeline_name=name)
    root = plan.dags.add(component="root")
    for number, key in enumerate(tasks):
        root.tasks.add(key=key, component=f"comp-{key}", executor=number)
        container = plan_pb2.Container(image="python:3.11", command=["run", key])
        plan.executors.add(label=f"exec-{key}", container=container)
    return plan.SerializeToString()


Step = tuple[str, Mapping[str, ev.Artifact], Mapping[str, ev.Artifact], Mapping[str, Any]]


async def ran(scheduler: Scheduler, pipeline: str, *steps: Step, namespace: str = "default") -> str:
    """A run of these tasks, one after another: (path, inputs, outputs, more of its end). Importers begin with `load`."""
    run_id = runevents.new_run_id()
    plan = plan_of(pipeline, *(path for path, *_ in steps))
    new = rs.NewRun(run_id=run_id, spec_json="{}", plan=plan, display_name=f"run of {pipeline}", namespace=namespace)
    await scheduler.persistence.store.Deliver(rs.DeliverRequest(key=f"create {run_id}", create=new))
    events = [event(run_started=ev.RunStarted())]
    for number, (path, read, wrote, more) in enumerate(steps):
        kind = ev.IMPORTER if path.startswith("load") else ev.RUNTIME
        inputs = values(lr="0.1", long=f'"{"x" * 2000}"')
        inputs.MergeFrom(bag(read))
        events += [
            event(path, task_created=ev.TaskCreated(kind=kind, task=number, iteration=-1)),
            started(path, inputs=inputs),
        ]
        if kind == ev.RUNTIME and not more:
            events += [
                event(path, 1, attempt_started=ev.AttemptStarted()),
                event(path, 1, attempt_launched=ev.AttemptLaunched(handle="1", node="n", image_digest=DIGEST)),
                event(path, 1, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_SUCCEEDED)),
            ]
        events.append(finished(path, outputs=bag(wrote), **more))
    answer = await scheduler.apply(run_id, 1, events)
    assert answer.outcome == rs.COMMITTED, answer.message
    return run_id


def bag(artifacts: Mapping[str, ev.Artifact]) -> ev.Values:
    return ev.Values(artifacts={name: ev.ArtifactList(artifacts=[one]) for name, one in artifacts.items()})


def uris(found: Sequence[pb.ArtifactRecord]) -> list[str]:
    return [one.artifact.uri for one in found]


# ---- finding


@pytest.fixture
async def kept(scheduler: Scheduler) -> dict[str, str]:
    """Three runs' artifacts."""
    rich = artifact(
        "s3://b/m1", "system.Model", digest="sha256:a", metadata_json='{"acc":0.9,"n":3,"by":"me","ok":true}'
    )
    poor = artifact("s3://b/m2", "system.Model", digest="sha256:b", metadata_json='{"acc":0.5,"n":"3"}')
    first = await ran(scheduler, "one", ("train", {}, {"model": rich}, {}))
    second = await ran(scheduler, "two", ("train", {}, {"model": poor}, {}))
    await ran(scheduler, "three", ("train", {"model": rich}, {"data": artifact("s3://b/d", digest="sha256:a")}, {}))
    return {"first": first, "second": second, "rich": rich.artifact_id}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["s3://b/d", "s3://b/m2", "s3://b/m1"]),
        ({"uri": "s3://b/m1"}, ["s3://b/m1"]),
        ({"type": "system.Model"}, ["s3://b/m2", "s3://b/m1"]),
        ({"digest": "sha256:a"}, ["s3://b/d", "s3://b/m1"]),
        ({"digest": "sha256:a", "type": "system.Model"}, ["s3://b/m1"]),
        ({"pipeline_name": "three"}, ["s3://b/d", "s3://b/m1"]),
        ({"metadata": ["acc=0.9"]}, ["s3://b/m1"]),
        ({"metadata": ["n=3"]}, ["s3://b/m1"]),
        ({"metadata": ['n="3"']}, ["s3://b/m2"]),
        ({"metadata": ["by=me", "ok=true"]}, ["s3://b/m1"]),
        ({"metadata": ["by=me", "ok=false"]}, []),
        ({"namespace": "default", "type": "system.Dataset"}, ["s3://b/d"]),
        ({"namespace": "team"}, []),
    ],
)
async def test_artifacts_are_found_by_what_they_are(lineage, kept, asked, expected) -> None:
    answer = await lineage.FindArtifactRecords(pb.FindArtifactRecordsRequest(**asked))
    assert uris(answer.artifacts) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"metadata": ["by=me"]}, [1, 2, 4, 5]),
        ({"metadata": ["by=me", "n=2"]}, [2]),
        ({"metadata": ["n=2"], "namespace": "default"}, [2]),
        ({"metadata": ["by=me"], "pipeline_name": "one"}, [1, 2]),
        ({"metadata": ["by=me"], "namespace": "team"}, [4, 5]),
        ({"metadata": ["by=me"], "uri": "s3://b/5"}, [5]),
        ({"metadata": ["by=me"], "type": "system.Model"}, []),
        ({"metadata": ["ok=true"]}, [4, 5]),
        ({"metadata": ["by=you"]}, [3]),
        ({"metadata": ["by=nobody"]}, []),
    ],
)
@pytest.mark.parametrize("few", [0, 1, 5_000])
async def test_pages_of_those_whose_metadata_holds_what_many_have(
    lineage, scheduler, monkeypatch, few, asked, expected
) -> None:
    monkeypatch.setattr(holding, "FEW", few)
    for number in range(1, 6):
        pipeline, namespace = ("one", "default") if number < 4 else ("two", "team")
        told = json.dumps({"by": "you" if number == 3 else "me", "n": number, "ok": number > 3})
        one = artifact(f"s3://b/{number}", metadata_json=told)
        await ran(scheduler, pipeline, ("train", {}, {"data": one}, {}), namespace=namespace)
    seen: list[str] = []
    before = 0
    while True:
        request = pb.FindArtifactRecordsRequest(page_size=1, before_id=before, **asked)
        answer = await lineage.FindArtifactRecords(request)
        seen += uris(answer.artifacts)
        before = answer.next_before_id
        if not before:
            break
    assert seen == [f"s3://b/{number}" for number in reversed(expected)]


async def test_those_of_a_run_are_what_it_wrote(lineage, kept) -> None:
    answer = await lineage.FindArtifactRecords(pb.FindArtifactRecordsRequest(run_id=kept["second"]))
    assert uris(answer.artifacts) == ["s3://b/m2"]
    (one,) = answer.artifacts
    assert (one.made_by.run_id, one.made_by.path, one.made_by.name) == (kept["second"], "train", "model")


async def test_pages_follow_each_other(lineage, kept) -> None:
    seen: list[str] = []
    before = 0
    while True:
        answer = await lineage.FindArtifactRecords(pb.FindArtifactRecordsRequest(page_size=1, before_id=before))
        seen += uris(answer.artifacts)
        before = answer.next_before_id
        if not before:
            break
    assert seen == ["s3://b/d", "s3://b/m2", "s3://b/m1"]


@pytest.mark.parametrize("few", [50, 0], ids=["a page of each pipeline", "all that there are"])
async def test_those_of_a_namespace(lineage, scheduler, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(finding, "FEW", few)
    shared = artifact("s3://shared")
    for name in ("one", "two"):
        made = {"out": artifact(f"s3://{name}")}
        await ran(scheduler, name, ("load", {}, {"artifact": shared}, {}), ("train", {}, made, {}), namespace="team")
        await ran(scheduler, name, ("train", {}, {"out": artifact("s3://other")}, {}), namespace="other")
    seen: list[str] = []
    before = 0
    while before or not seen:
        asked = pb.FindArtifactRecordsRequest(namespace="team", page_size=1, before_id=before)
        answer = await lineage.FindArtifactRecords(asked)
        seen += uris(answer.artifacts)
        before = answer.next_before_id
    assert sorted(seen) == ["s3://one", "s3://shared", "s3://two"]  # those of one append have no order of their own


async def test_what_a_pipeline_has_to_do_with_goes_with_the_last_of_its_runs(
    lineage, persistence, scheduler, database_url: str
) -> None:
    shared = artifact("s3://shared")
    runs = [await ran(scheduler, name, ("load", {}, {"artifact": shared}, {})) for name in ("one", "one", "two")]

    async def left() -> list[list[str]]:
        asked = [pb.FindArtifactRecordsRequest(pipeline_name=name) for name in ("one", "two")]
        return [uris((await lineage.FindArtifactRecords(one)).artifacts) for one in asked]

    expected = [[["s3://shared"]] * 2, [["s3://shared"]] * 2, [[], ["s3://shared"]], [[], []]]
    assert await left() == expected[0]
    for run_id, then in zip(runs, expected[1:], strict=True):
        revision = (await persistence.query.GetRun(rq.GetRunRequest(run_id=run_id))).revision
        (answer,) = await scheduler.append(rs.RunAppend(run_id=run_id, expected_revision=revision, delete=True))
        assert answer.outcome == rs.COMMITTED, answer.message
        assert await left() == then
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM platform.artifact_uses").fetchone() == (0,)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"metadata": ["acc"]}, "metadata 'acc': write NAME=VALUE"),
        ({"metadata": ["acc=[1]"]}, "metadata acc: artifacts are found by numbers, truth values and texts"),
        ({"uri": "a\0b"}, "uri holds a NUL character"),
        ({"page_size": -1}, "page_size and before_id cannot be negative"),
    ],
)
async def test_what_cannot_be_asked_for(lineage, asked, said) -> None:
    with pytest.raises(ServiceError, match=said) as refused:
        await lineage.FindArtifactRecords(pb.FindArtifactRecordsRequest(**asked))
    assert refused.value.reason == Reason.INVALID_INPUT


async def test_one_is_got_by_id_or_number_with_its_uses(lineage, kept) -> None:
    one = await lineage.GetArtifactRecord(pb.GetArtifactRecordRequest(artifact_id=kept["rich"]))
    assert [(use.path, use.name, use.output, use.pipeline_name) for use in one.uses] == [
        ("train", "model", True, "one"),
        ("train", "model", False, "three"),
    ]
    again = await lineage.GetArtifactRecord(pb.GetArtifactRecordRequest(artifact_id=str(one.artifact.id)))
    assert again == one
    for wrong in ("", "1", "no id", "9" * 30):
        with pytest.raises(ServiceError, match="there is no artifact") as refused:
            await lineage.GetArtifactRecord(pb.GetArtifactRecordRequest(artifact_id=wrong))
        assert refused.value.reason == Reason.NOT_FOUND


# ---- walking


@pytest.fixture
async def story(scheduler: Scheduler) -> dict[str, Any]:
    """prep: raw → data; train: imports data's place → model, again from the cache; report: reads the model."""
    raw, data = artifact("s3://raw"), artifact("s3://data", digest="sha256:d")
    there, model = artifact("s3://data"), artifact("s3://model", "system.Model", digest="sha256:m")
    report = artifact("s3://report", "system.HTML")
    prep = await ran(
        scheduler, "prep", ("load", {}, {"artifact": raw}, {}), ("clean", {"raw": raw}, {"data": data}, {})
    )
    train = await ran(
        scheduler, "train", ("load", {}, {"artifact": there}, {}), ("fit", {"data": there}, {"model": model}, {})
    )
    cached = {"cached_from": f"{train}/fit"}
    again = await ran(
        scheduler, "train", ("load", {}, {"artifact": there}, {}), ("fit", {"data": there}, {"model": model}, cached)
    )
    told = await ran(scheduler, "tell", ("report", {"model": model}, {"html": report}, {}))
    return {"prep": prep, "train": train, "again": again, "told": told, "raw": raw, "model": model, "report": report}


def tasks(graph: pb.LineageGraph) -> set[tuple[str, str]]:
    return {(task.run_id, task.path) for task in graph.tasks}


async def test_a_report_is_traced_to_raw_data_across_runs_and_pipelines(lineage, story) -> None:
    request = pb.GetLineageRequest(artifact_id=story["report"].artifact_id, direction=pb.UPSTREAM_OF)
    graph = await lineage.GetLineage(request)
    assert {one.artifact.uri for one in graph.artifacts} == {"s3://report", "s3://model", "s3://data", "s3://raw"}
    assert tasks(graph) == {
        (story["told"], "report"),
        (story["train"], "fit"),
        (story["train"], "load"),
        (story["prep"], "clean"),
        (story["prep"], "load"),
    }
    assert len(graph.same) == 1
    fit = next(task for task in graph.tasks if task.path == "fit")
    assert (fit.pipeline_name, fit.component, fit.image, fit.image_digest) == (
        "train",
        "comp-fit",
        "python:3.11",
        DIGEST,
    )
    assert fit.code_digest.startswith("sha256:")
    assert fit.parameters["lr"].json == "0.1"
    assert (fit.parameters["long"].json, fit.parameters["long"].size) == ("", 2002)
    assert not graph.truncated


async def test_one_that_many_took_from_the_cache_has_one_maker_while_that_is_there(lineage, scheduler) -> None:
    model = artifact("s3://m", "system.Model")
    first = await ran(scheduler, "train", ("fit", {}, {"model": model}, {}))
    cached = {"cached_from": f"{first}/fit"}
    copies = [await ran(scheduler, "train", ("fit", {}, {"model": model}, cached)) for _ in range(10)]
    request = pb.GetLineageRequest(artifact_id=model.artifact_id, direction=pb.UPSTREAM_OF)
    graph = await lineage.GetLineage(request)
    assert tasks(graph) == {(first, "fit")}
    assert graph.artifacts[0].made_by.run_id == first
    (snapshot,) = await scheduler.load(first)
    await scheduler.append(rs.RunAppend(run_id=first, expected_revision=snapshot.revision, delete=True))
    graph = await lineage.GetLineage(request)
    assert tasks(graph) == {(run_id, "fit") for run_id in copies}
    assert graph.artifacts[0].made_by.run_id == copies[0]


async def test_an_image_that_became_known_after_the_end_is_shown_too(scheduler: Scheduler, lineage, story) -> None:
    request = pb.GetLineageRequest(artifact_id=story["report"].artifact_id, direction=pb.UPSTREAM_OF, hops=1)
    later = f"sha256:{'9' * 64}"
    noted = [
        rs.RanImage(run_id=story["told"], path="report", attempt=1, image_digest=later),
        rs.RanImage(run_id=story["told"], path="report", attempt=2, image_digest=later),  # there is none
        rs.RanImage(run_id=runevents.new_run_id(), path="report", attempt=1, image_digest=later),
    ]
    for _ in range(2):
        await scheduler.persistence.store.NoteImages(rs.NoteImagesRequest(images=noted))
    (report,) = (await lineage.GetLineage(request)).tasks
    assert (report.path, report.image_digest) == ("report", later)


async def test_what_was_made_of_raw_data(lineage, story) -> None:
    request = pb.GetLineageRequest(artifact_id=story["raw"].artifact_id, direction=pb.DOWNSTREAM_OF)
    graph = await lineage.GetLineage(request)
    assert {one.artifact.uri for one in graph.artifacts} == {"s3://report", "s3://model", "s3://data", "s3://raw"}
    assert tasks(graph) == {
        (story["prep"], "clean"),
        (story["train"], "fit"),
        (story["again"], "fit"),
        (story["told"], "report"),
    }


async def test_both_ways_at_once_and_a_bounded_number_of_hops(lineage, story) -> None:
    both = await lineage.GetLineage(pb.GetLineageRequest(artifact_id=story["model"].artifact_id))
    assert {one.artifact.uri for one in both.artifacts} == {"s3://report", "s3://model", "s3://data", "s3://raw"}
    near = await lineage.GetLineage(
        pb.GetLineageRequest(artifact_id=story["model"].artifact_id, direction=pb.UPSTREAM_OF, hops=1)
    )
    assert {one.artifact.uri for one in near.artifacts} == {"s3://model", "s3://data"}
    assert tasks(near) == {(story["train"], "fit")}


async def test_a_graph_that_is_too_large_is_cut_and_says_so(lineage, story) -> None:
    graph = await lineage.GetLineage(pb.GetLineageRequest(artifact_id=story["report"].artifact_id, most=3))
    assert graph.truncated
    assert len(graph.artifacts) + len(graph.tasks) == 3
    known = {one.artifact.id for one in graph.artifacts}, {one.id for one in graph.tasks}
    assert all(edge.artifact in known[0] and edge.task in known[1] for edge in graph.edges)


@pytest.mark.parametrize(("name", "value"), [("hops", -1), ("hops", 101), ("most", 10_001)])
async def test_bounds_that_there_are_not(lineage, story, name, value) -> None:
    with pytest.raises(ServiceError, match=f"{name} is {value}"):
        await lineage.GetLineage(pb.GetLineageRequest(artifact_id=story["raw"].artifact_id, **{name: value}))


async def test_another_namespace_sees_nothing(lineage, scheduler, story) -> None:
    model = story["model"]
    await ran(scheduler, "theirs", ("use", {"model": model}, {}, {}), namespace="team")
    with pytest.raises(ServiceError, match="there is no artifact"):
        await lineage.GetLineage(pb.GetLineageRequest(artifact_id=story["raw"].artifact_id, namespace="team"))
    ours = await lineage.GetLineage(pb.GetLineageRequest(artifact_id=model.artifact_id, namespace="default"))
    assert {task.namespace for task in ours.tasks} == {"default"}


async def test_a_deleted_run_takes_its_artifacts_and_what_they_are_found_by(lineage, scheduler, kept) -> None:
    (snapshot,) = await scheduler.load(kept["second"])
    await scheduler.append(rs.RunAppend(run_id=kept["second"], expected_revision=snapshot.revision, delete=True))
    for asked in ({"uri": "s3://b/m2"}, {"metadata": ['n="3"']}, {"digest": "sha256:b"}):
        assert not (await lineage.FindArtifactRecords(pb.FindArtifactRecordsRequest(**asked))).artifacts
