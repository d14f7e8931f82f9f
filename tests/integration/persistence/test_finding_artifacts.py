"""Finding the artifact that an importer links: same type and URI, metadata that holds what is wanted, same pipeline."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from builders.runevents import created, event, finished, started
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs


def artifact(uri: str, **fields: Any) -> ev.Artifact:
    return ev.Artifact(artifact_id=str(uuid.uuid4()), uri=uri, **{"schema_title": "system.Dataset", **fields})


async def keep(scheduler: Scheduler, *artifacts: ev.Artifact) -> str:
    """A run with an importer for each."""
    run_id = await scheduler.create()
    events = [event(run_started=ev.RunStarted())]
    for number, one in enumerate(artifacts):
        outputs = ev.Values(artifacts={"artifact": ev.ArtifactList(artifacts=[one])})
        path = f"get-{number}"
        events += [created(path, ev.IMPORTER), started(path), finished(path, outputs=outputs)]
    answer = await scheduler.apply(run_id, 1, events)
    assert answer.outcome == rs.COMMITTED, answer.message
    return run_id


async def find(persistence: Persistence, uri: str, **fields: Any) -> str:
    wanted = {"namespace": "default", "pipeline_name": "demo", "schema_title": "system.Dataset", **fields}
    request = rq.FindArtifactsRequest(queries=[rq.ArtifactQuery(uri=uri, **wanted)])
    answer = await persistence.query.FindArtifacts(request)
    return str(answer.found[0].artifact.artifact_id)


@pytest.fixture
def uri() -> str:
    return f"s3://bucket/{uuid.uuid4()}"


async def test_the_newest_that_fits_is_found(persistence: Persistence, scheduler: Scheduler, uri: str) -> None:
    old, new, other = artifact(uri), artifact(uri), artifact(uri + "x")
    await keep(scheduler, old)
    await keep(scheduler, new, other)
    assert await find(persistence, uri) == new.artifact_id
    assert await find(persistence, uri + "nothing") == ""


async def test_every_wanted_key_must_be_equal(persistence: Persistence, scheduler: Scheduler, uri: str) -> None:
    rich, poor = artifact(uri, metadata_json='{"a":1,"b":{"c":[2]}}'), artifact(uri, metadata_json='{"a":1}')
    await keep(scheduler, rich)
    await keep(scheduler, poor)
    assert await find(persistence, uri) == poor.artifact_id
    assert await find(persistence, uri, metadata_json='{"b":{"c":[2]}}') == rich.artifact_id
    for wrong in ('{"a":true}', '{"a":1,"b":{"c":[]}}', '{"d":1}'):
        assert await find(persistence, uri, metadata_json=wrong) == ""


@pytest.mark.parametrize(
    "other",
    [{"schema_title": "system.Model"}, {"schema_version": "1"}, {"namespace": "team"}, {"pipeline_name": "another"}],
)
async def test_another_type_or_place_is_another_artifact(
    persistence: Persistence, scheduler: Scheduler, uri: str, other: dict[str, str]
) -> None:
    await keep(scheduler, artifact(uri))
    assert await find(persistence, uri, **other) == ""


async def test_instance_schemas_are_types_too(persistence: Persistence, scheduler: Scheduler, uri: str) -> None:
    schema = {"schema_title": "", "instance_schema": "title: mine\ntype: object\n" + "x" * 10_000}
    one = artifact(uri, **schema)
    await keep(scheduler, one)
    assert await find(persistence, uri, **schema) == one.artifact_id
    assert await find(persistence, uri) == ""


async def test_what_was_deleted_is_not_found(persistence: Persistence, scheduler: Scheduler, uri: str) -> None:
    one = artifact(uri)
    run_id = await keep(scheduler, one)
    await scheduler.append(rs.RunAppend(run_id=run_id, expected_revision=5, delete=True))
    assert await find(persistence, uri) == ""


async def test_many_are_asked_for_in_one_call(persistence: Persistence, scheduler: Scheduler, uri: str) -> None:
    kept = [artifact(f"{uri}/{number}") for number in range(3)]
    await keep(scheduler, *kept)
    queries = [
        rq.ArtifactQuery(uri=one, namespace="default", pipeline_name="demo", schema_title="system.Dataset")
        for one in (kept[2].uri, "s3://none/\0", kept[0].uri)
    ]
    answer = await persistence.query.FindArtifacts(rq.FindArtifactsRequest(queries=queries))
    assert [one.artifact.artifact_id for one in answer.found] == [kept[2].artifact_id, "", kept[0].artifact_id]
    assert answer.found[0].artifact.id > 0
