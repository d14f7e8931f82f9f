"""Erasing an artifact and what was made of it, on a real Postgres and store: contents, logs, cached results and records."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from builders import runevents as made
from fixtures.fix_retention import Keeping, artifacts
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import lineage_pb2 as lin
from headrace_protos.v1 import lineage_pb2_grpc
from headrace_protos.v1 import retention_pb2 as pb
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.server import channel


async def chain(keeping: Keeping) -> tuple[str, str, list[str]]:
    """Data that a task of another run makes a model of, with a value and an error's last words; the runs and all URIs."""
    first = await keeping.ended("data")
    data = artifacts(first, [keeping.uri(first, "train/1/data")])
    second = made.new_run_id()
    await keeping.persistence.store.Deliver(made.create(second))
    log = keeping.put(keeping.uri(second, "train/1/executor-logs"), "alice is 42")
    keeping.put(keeping.uri(second, "train/1/attempt.json"), '{"who": "alice"}')
    model = keeping.put(keeping.uri(second, "train/1/model"))
    value = keeping.put(keeping.uri(second, "train/1/values/x"))
    outputs = artifacts(second, [model])
    outputs.parameters["average"].CopyFrom(ev.Value(json='"alice"'))
    outputs.parameters["all"].CopyFrom(ev.Value(uri=value, size=9, digest="sha256:x"))
    inputs = ev.Values()
    inputs.CopyFrom(data)
    wrong = ev.Error(reason="UserCode", message="alice failed", log_tail="alice", exit_code=3)
    await keeping.apply(
        second,
        [
            made.event(run_started=ev.RunStarted()),
            made.created("group", kind=ev.DAG),
            made.started("group"),
            made.created("group/train"),
            made.started("group/train", inputs=inputs, cache_key="k2"),
            made.event("group/train", 1, attempt_started=ev.AttemptStarted()),
            made.event(
                "group/train", 1, attempt_launched=ev.AttemptLaunched(handle="1", log_uri=log, warnings=["alice"])
            ),
            made.event("group/train", 1, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_FAILED, error=wrong)),
            made.event("group/train", 2, attempt_started=ev.AttemptStarted()),
            made.event("group/train", 2, attempt_launched=ev.AttemptLaunched(handle="2", log_uri=log)),
            made.event("group/train", 2, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_SUCCEEDED)),
            made.finished("group/train", outputs=outputs),
            made.finished("group", outputs=outputs),
            made.event(run_finished=ev.RunFinished(state=ev.RUN_SUCCEEDED, outputs=outputs)),
        ],
    )
    return first, second, [keeping.uri(first, "train/1/data"), model, value, log]


def held(keeping: Keeping) -> bytes:
    """Everything that Postgres has, as one text."""
    found = b""
    for table in (
        "runs",
        "tasks",
        "attempts",
        "events",
        "artifacts",
        "metadata_properties",
        "pipeline_figures",
        "uses",
        "remains",
        "erasures",
    ):
        rows = keeping.rows(f"SELECT * FROM platform.{table}")
        found += "".join(str(value) for row in rows for value in row).encode()
    return found


async def test_an_artifact_with_all_that_was_made_of_it(keeping: Keeping) -> None:
    first, second, uris = await chain(keeping)
    model = artifacts(second, [uris[1]])
    await keeping.cached(second, model)
    assert b"alice" in held(keeping)
    assert b"of data" in held(keeping)
    asked = pb.EraseRequest(artifact_id=f"{first}-data", derived=True, asked_by="bob", reason="she asked for it")
    asked.dry_run = True
    planned = await keeping.calls.Erase(asked)
    assert (planned.id, planned.artifact_count, sorted(planned.runs)) == (0, 2, sorted([first, second]))
    assert [one.uri for one in planned.artifacts] == [uris[0], uris[1]]
    assert all(keeping.has(uri) for uri in uris)
    assert b"alice" in held(keeping)
    asked.dry_run = False
    done = await keeping.calls.Erase(asked)
    assert done.finished_at_us
    assert {one.uri for one in done.artifacts} == {uris[0], uris[1]}
    assert set(uris) <= set(done.objects)
    assert not any(keeping.has(uri) for uri in uris)
    assert keeping.files(first) == []
    assert keeping.files(second) == []
    assert not await keeping.hit(second)
    for word in (b"alice", b"of data", b"of model", b"sha256:data", b"sha256:model", b"average failed"):
        assert word not in held(keeping), word
    (record,) = (await keeping.calls.ListErasures(pb.ListErasuresRequest())).erasures
    assert (record.asked_by, record.reason, record.derived) == ("bob", "she asked for it", True)
    assert (record.artifact_id, record.artifact_count, record.finished_at_us > 0) == (f"{first}-data", 2, True)
    assert [one.uri for one in record.artifacts] == ["", ""]


async def test_lineage_keeps_its_shape(keeping: Keeping) -> None:
    first, second, _ = await chain(keeping)
    await keeping.calls.Erase(pb.EraseRequest(artifact_id=f"{first}-data", derived=True))
    async with channel(keeping.persistence.address) as to:
        lineage = lineage_pb2_grpc.LineageStub(to)
        graph = await lineage.GetLineage(lin.GetLineageRequest(artifact_id=f"{second}-model"))
    assert [one.artifact.schema_title for one in graph.artifacts] == ["system.Model", "system.Model"]
    assert {one.artifact.uri for one in graph.artifacts} == {""}
    assert {one.run_id for one in graph.tasks} == {first, second}
    tasks = (await keeping.persistence.query.ListTasks(rq.ListTasksRequest(run_id=second))).tasks
    train = next(task for task in tasks if task.path == "group/train")
    assert train.outputs.parameters["average"].json == "null"
    assert train.attempts[0].error.message == "erased"
    assert (train.attempts[0].error.reason, train.attempts[0].error.exit_code) == ("UserCode", 3)
    trace = await keeping.persistence.query.GetTrace(rq.GetTraceRequest(run_id=second))
    assert trace.spans


async def test_without_derived_what_was_made_of_it_stays(keeping: Keeping) -> None:
    first, second, uris = await chain(keeping)
    done = await keeping.calls.Erase(pb.EraseRequest(artifact_id=f"{first}-data"))
    assert done.artifact_count == 1
    assert not keeping.has(uris[0])
    assert keeping.has(uris[1])
    run = await keeping.persistence.query.GetRun(rq.GetRunRequest(run_id=second))
    assert run.outputs.artifacts["model"].artifacts[0].uri == uris[1]
    assert run.outputs.parameters["average"].json == '"alice"'
    tasks = (await keeping.persistence.query.ListTasks(rq.ListTasksRequest(run_id=second))).tasks
    train = next(task for task in tasks if task.path == "group/train")
    assert train.inputs.artifacts["data"].artifacts[0].uri == ""


async def test_a_running_run_that_uses_it_is_in_the_way(keeping: Keeping) -> None:
    first = await keeping.ended("data")
    running = await keeping.begin()
    uri = keeping.uri(first, "train/1/data")
    with pytest.raises(ServiceError) as unknown:
        await keeping.calls.Erase(pb.EraseRequest(artifact_id="nothing"))
    assert (unknown.value.reason, unknown.value.message) == (
        Reason.NOT_FOUND,
        "there is no artifact 'nothing': give its id, or its number",
    )
    inputs = artifacts(first, [uri])
    await keeping.apply(running, [made.created("reads"), made.started("reads", inputs=inputs)])
    for dry_run in (True, False):
        with pytest.raises(ServiceError) as refused:
            await keeping.calls.Erase(pb.EraseRequest(artifact_id=f"{first}-data", dry_run=dry_run))
        assert (refused.value.reason, refused.value.message) == (
            Reason.WRONG_STATE,
            f"run {running} has not ended and uses it: wait for its end or terminate it first",
        )
    assert keeping.has(uri)


async def test_what_lies_elsewhere_is_told(keeping: Keeping) -> None:
    run_id = await keeping.begin()
    await keeping.end(run_id, artifacts(run_id, ["gs://bucket/data"]))
    done = await keeping.calls.Erase(pb.EraseRequest(artifact_id=f"{run_id}-data"))
    assert done.not_erased[0] == "gs://bucket/data was not put there by a run: delete it where it lies"
    assert any("backups" in sentence for sentence in done.not_erased)
    assert any("exported" in sentence for sentence in done.not_erased)
    assert done.finished_at_us


async def test_what_a_deleted_run_left_is_erased_by_its_uri(keeping: Keeping) -> None:
    run_id = await keeping.ended("data")
    uri = keeping.uri(run_id, "train/1/data")
    await keeping.say(runs="0s")
    await keeping.run()
    assert keeping.has(uri)
    done = await keeping.calls.Erase(pb.EraseRequest(artifact_id=uri))
    assert done.finished_at_us
    assert not keeping.has(uri)
    with pytest.raises(ServiceError) as unknown:
        await keeping.calls.Erase(pb.EraseRequest(artifact_id=uri))
    assert unknown.value.message == f"nothing is known of {uri}: give an artifact's id, or its number"


async def test_a_store_that_keeps_it_is_told_and_tried_again(keeping: Keeping) -> None:
    run_id = await keeping.ended("data")
    folder = Path(str(keeping.store.path(keeping.store.key(keeping.uri(run_id, "train/1")) or "")))
    original = keeping.store.delete

    def stubborn(key: str, spared: object = ()) -> None:
        """A store whose rights let nobody delete."""

    keeping.store.delete = stubborn  # type: ignore[method-assign]  # a real one would need another user
    try:
        done = await keeping.calls.Erase(pb.EraseRequest(artifact_id=f"{run_id}-data"))
    finally:
        keeping.store.delete = original  # type: ignore[method-assign]  # as it was
    assert not done.finished_at_us
    assert any("is still there after its deletion" in sentence for sentence in done.not_erased)
    assert (folder / "data").exists()
    await asyncio.sleep(0)
    await keeping.run()
    assert not (folder / "data").exists()
    (record,) = (await keeping.calls.ListErasures(pb.ListErasuresRequest())).erasures
    assert record.finished_at_us
