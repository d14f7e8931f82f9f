"""ML Metadata's service beyond one client's calls: many at once, all or nothing, too much, and what only old clients send."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from builders.runevents import new_run_id
from fixtures.fix_run_metadata import Metadata, refused
from headrace_persistence.metadata import links, paging
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_protos.ml_metadata import metadata_store_service_pb2 as mss
from headrace_protos.v1 import plan_pb2
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError


async def test_many_at_once_reuse_one_context(metadata: Metadata) -> None:
    """Whoever comes while it is being made is told to try again, as the official client does."""
    type_id, execution = await metadata.type("context", "shared"), await metadata.type("execution", "one")

    async def put() -> int:
        context = ms.Context(type_id=type_id, name="the one")
        request = mss.PutExecutionRequest(execution=ms.Execution(type_id=execution), contexts=[context])
        request.options.reuse_context_if_already_exist = True
        while True:
            try:
                return int((await metadata.stub.PutExecution(request)).context_ids[0])
            except ServiceError as raced:
                if raced.reason != Reason.REVISION_CONFLICT:
                    raise

    assert len(set(await asyncio.gather(*(put() for _ in range(30))))) == 1


async def test_many_at_once_make_one_type(metadata: Metadata) -> None:
    assert len(set(await asyncio.gather(*(metadata.type("artifact", "at once") for _ in range(30))))) == 1


async def test_of_two_optimistic_puts_one_is_first(metadata: Metadata) -> None:
    one = ms.Artifact(type_id=await metadata.type("artifact", "raced"))
    number = (await metadata.stub.PutArtifacts(mss.PutArtifactsRequest(artifacts=[one]))).artifact_ids[0]
    read = await metadata.artifact(number)
    assert read is not None

    async def put(by: int) -> bool:
        mine = ms.Artifact()
        mine.CopyFrom(read)
        mine.custom_properties["by"].int_value = by
        try:
            await metadata.put(mine, abort_if_latest_updated_time_changed=True)
        except ServiceError as late:
            if late.reason != Reason.WRONG_STATE:
                raise
            return False
        return True

    assert sum(await asyncio.gather(*(put(by) for by in range(10)))) == 1


async def test_two_halves_of_a_circle_at_once(metadata: Metadata) -> None:
    a, b = await metadata.context("a"), await metadata.context("b")

    async def put(parent: int, child: int) -> int | None:
        link = ms.ParentContext(parent_id=parent, child_id=child)
        try:
            await metadata.stub.PutParentContexts(mss.PutParentContextsRequest(parent_contexts=[link]))
        except ServiceError as circle:
            return circle.reason
        return None

    assert sorted(await asyncio.gather(put(a, b), put(b, a)), key=str) == [Reason.INVALID_INPUT, None]


async def test_a_subgraph_is_put_whole_or_not_at_all(metadata: Metadata) -> None:
    artifact, execution = await metadata.type("artifact", "whole"), await metadata.type("execution", "whole")
    request = mss.PutLineageSubgraphRequest(
        artifacts=[ms.Artifact(type_id=artifact, name=f"a{n}") for n in range(200)],
        executions=[ms.Execution(type_id=execution, name=f"e{n}") for n in range(20)],
        event_edges=[
            mss.PutLineageSubgraphRequest.EventEdge(
                execution_index=n % 20, artifact_index=n, event=ms.Event(type=ms.Event.OUTPUT)
            )
            for n in range(200)
        ],
    )
    told = await metadata.stub.PutLineageSubgraph(request)
    events = await metadata.stub.GetEventsByExecutionIDs(
        mss.GetEventsByExecutionIDsRequest(execution_ids=told.execution_ids)
    )
    assert len(events.events) == 200
    for number, one in enumerate(request.artifacts):
        one.name = f"b{number}"
    error = await refused(metadata.stub.PutLineageSubgraph(request))
    assert error.reason == Reason.ALREADY_EXISTS
    assert error.message == "there is an execution e0 of that type; give its id to change it, or take another name"
    assert await metadata.found("name LIKE 'b%'") == []


async def test_everything_at_once_has_a_limit(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    type_id = await metadata.type("artifact", "many")
    monkeypatch.setattr(paging, "MOST", 3)
    nodes = [ms.Artifact(type_id=type_id) for _ in range(4)]
    await metadata.stub.PutArtifacts(mss.PutArtifactsRequest(artifacts=nodes[:3]))
    assert len((await metadata.stub.GetArtifacts(mss.GetArtifactsRequest())).artifacts) == 3
    await metadata.stub.PutArtifacts(mss.PutArtifactsRequest(artifacts=nodes[3:]))
    error = await refused(metadata.stub.GetArtifacts(mss.GetArtifactsRequest()))
    assert error.reason == Reason.TOO_LARGE
    assert (
        error.message == "there are more than 3 artifacts: give options, which bring pages (list_options in the client)"
    )
    assert len(await metadata.found("id > 0")) == 4


async def test_the_events_of_an_answer_have_a_limit(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    read = ms.Event(type=ms.Event.INPUT)
    artifacts, executions = await metadata.type("artifact", "read"), await metadata.type("execution", "reads")
    request = mss.PutLineageSubgraphRequest(
        artifacts=[ms.Artifact(type_id=artifacts)],
        executions=[ms.Execution(type_id=executions) for _ in range(3)],
        event_edges=[
            mss.PutLineageSubgraphRequest.EventEdge(execution_index=number, artifact_index=0, event=read)
            for number in range(3)
        ],
    )
    told = await metadata.stub.PutLineageSubgraph(request)
    (artifact,) = told.artifact_ids
    asked = mss.GetEventsByArtifactIDsRequest(artifact_ids=[artifact])
    monkeypatch.setattr(links, "MOST_EVENTS", 3)
    assert len((await metadata.stub.GetEventsByArtifactIDs(asked)).events) == 3
    monkeypatch.setattr(links, "MOST_EVENTS", 2)
    error = await refused(metadata.stub.GetEventsByArtifactIDs(asked))
    assert (error.reason, error.message) == (
        Reason.TOO_LARGE,
        "these artifacts have more than 2 events: "
        "ask for fewer at once, or for the executions by a filter on events_0, which has pages",
    )
    page = ms.ListOperationOptions(filter_query=f"events_0.artifact_id = {artifact}", max_result_size=2)
    pages = await metadata.stub.GetExecutions(mss.GetExecutionsRequest(options=page))
    assert (len(pages.executions), bool(pages.next_page_token)) == (2, True)
    options = ms.LineageSubgraphQueryOptions(
        starting_artifacts={"filter_query": f"id = {artifact}"}, direction=ms.LineageSubgraphQueryOptions.DOWNSTREAM
    )
    walk = mss.GetLineageSubgraphRequest(lineage_subgraph_query_options=options)
    error = await refused(metadata.stub.GetLineageSubgraph(walk))
    assert error.message == "these artifacts have more than 2 events: give fewer hops (max_num_hops), or ending nodes"


async def test_what_only_old_clients_send(metadata: Metadata) -> None:
    old = mss.GetArtifactsByURIRequest.FromString(b"\x0a\x01u")  # field 1, uri
    error = await refused(metadata.stub.GetArtifactsByURI(old))
    assert (error.reason, error.message) == (
        Reason.INVALID_INPUT,
        "the field `uri` is of clients before 0.22: ask for `uris`",
    )


async def test_a_probe_that_finds_much_is_left_out(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    type_id = await metadata.type("artifact", "probed")
    nodes = [
        ms.Artifact(type_id=type_id, name=f"n{n}", custom_properties={"k": ms.Value(int_value=n % 2)})
        for n in range(12)
    ]
    ids = list((await metadata.stub.PutArtifacts(mss.PutArtifactsRequest(artifacts=nodes))).artifact_ids)
    for few in (0, 3, 5_000):
        monkeypatch.setattr(paging, "FEW", few)
        assert await metadata.found("custom_properties.k.int_value = 1") == ids[1::2]
        assert await metadata.found("custom_properties.k.int_value = 1 AND name = 'n3'") == [ids[3]]
        assert await metadata.found("custom_properties.k.int_value = 2") == []


@pytest.mark.parametrize("few", [0, 5_000])
@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize(
    ("query", "fit"),
    [
        ("custom_properties.acc.double_value > 2.5", lambda n: n > 2),
        ("custom_properties.acc.double_value >= 2 AND custom_properties.acc.double_value < 5", lambda n: 2 <= n < 5),
        ("custom_properties.acc.double_value BETWEEN 3 AND 6.5", lambda n: 3 <= n <= 6),
        ("custom_properties.acc.double_value = 3", lambda n: n == 3),
        ("custom_properties.acc.double_value > 1 AND properties.kind.string_value = 'odd'", lambda n: n > 1 and n % 2),
        ("properties.kind.string_value = 'odd' AND name != 'n3'", lambda n: n % 2 and n != 3),
        ("custom_properties.acc.double_value > 1 AND contexts_a.name = 'some'", lambda n: n in (2, 3)),
        ("properties.acc.double_value > 1", lambda n: False),
    ],
)
async def test_pages_by_way_of_a_property(
    metadata: Metadata, monkeypatch: pytest.MonkeyPatch, few: int, ascending: bool, query: str, fit: Any
) -> None:
    monkeypatch.setattr(paging, "FEW", few)
    declared = ms.ArtifactType(name="walked", properties={"kind": ms.STRING})
    put = mss.PutArtifactTypeRequest(artifact_type=declared)
    type_id = (await metadata.stub.PutArtifactType(put)).type_id
    nodes = []
    for n in range(8):
        one = ms.Artifact(type_id=type_id, name=f"n{n}", custom_properties={"acc": ms.Value(double_value=n)})
        one.properties["kind"].string_value = "odd" if n % 2 else "even"
        nodes.append(one)
    ids = list((await metadata.stub.PutArtifacts(mss.PutArtifactsRequest(artifacts=nodes))).artifact_ids)
    await metadata.put(ms.Artifact(type_id=type_id, name="without"))
    context = await metadata.context("some")
    attributions = [ms.Attribution(context_id=context, artifact_id=one) for one in ids[:4]]
    await metadata.stub.PutAttributionsAndAssociations(
        mss.PutAttributionsAndAssociationsRequest(attributions=attributions)
    )
    options = ms.ListOperationOptions(max_result_size=2, filter_query=query)
    options.order_by_field.is_asc = ascending
    found: list[int] = []
    while True:
        answer = await metadata.stub.GetArtifacts(mss.GetArtifactsRequest(options=options))
        found += [one.id for one in answer.artifacts]
        if not answer.next_page_token:
            break
        options.next_page_token = answer.next_page_token
    assert found == sorted((ids[n] for n in range(8) if fit(n)), reverse=not ascending)


async def test_texts_that_cannot_be_stored(metadata: Metadata) -> None:
    type_id = await metadata.type("artifact", "texts")
    for field in ("name", "uri", "external_id"):
        one = ms.Artifact(type_id=type_id, **{field: "a\0b"})
        error = await refused(metadata.stub.PutArtifacts(mss.PutArtifactsRequest(artifacts=[one])))
        assert error.message == f"the {field} of the artifact holds a NUL character; take it out"
    assert (await metadata.stub.GetArtifactsByURI(mss.GetArtifactsByURIRequest(uris=["a\0b"]))).artifacts == []
    named = mss.GetArtifactByTypeAndNameRequest(type_name="te\0xts", artifact_name="\0")
    assert not (await metadata.stub.GetArtifactByTypeAndName(named)).HasField("artifact")
    error = await refused(metadata.type("artifact", "nul\0type"))
    assert error.message == "the name of the artifact type holds a NUL character; take it out"


async def test_names_that_no_index_holds(metadata: Metadata) -> None:
    type_id = await metadata.type("artifact", "t" * 1000)
    error = await refused(metadata.type("artifact", "t" * 1001))
    assert error.message == "the name of the artifact type has 1001 bytes, at most 1000 can be stored"
    for field in ("name", "external_id"):
        long = ms.Artifact(type_id=type_id, uri="u" * 100_000, **{field: "ä" * 500})
        await metadata.stub.PutArtifacts(mss.PutArtifactsRequest(artifacts=[long]))
        setattr(long, field, "ä" * 501)
        error = await refused(metadata.stub.PutArtifacts(mss.PutArtifactsRequest(artifacts=[long])))
        assert error.message == f"the {field} of the artifact has 1002 bytes, at most 1000 can be stored"
    named = ms.Artifact(type_id=type_id, custom_properties={"p" * 1001: ms.Value(string_value="x" * 1_000_000)})
    error = await refused(metadata.stub.PutArtifacts(mss.PutArtifactsRequest(artifacts=[named])))
    assert error.message == "the property name of the artifact has 1001 bytes, at most 1000 can be stored"


async def test_whatever_a_run_calls_things_its_append_is_stored(metadata: Metadata) -> None:
    told = json.dumps({"k" * 100_000: 1, "long": "x" * 100_000, "nul\0": "\0", "half": "\ud800", "n": 10**400})
    made = await metadata.ran(schema_title="T" * 10_000, uri="u\0" * 10_000, name="n" * 10_000, metadata_json=told)
    assert made.artifact.type == "T" * 200
    assert made.artifact.custom_properties["long"].string_value == "x" * 100_000
    assert made.artifact.custom_properties["n"].double_value == float("inf")
    plan = plan_pb2.Plan(version=1, pipeline_name="p" * 10_000).SerializeToString()
    run_id = new_run_id()
    new = rs.NewRun(run_id=run_id, spec_json="{}", plan=plan, display_name="r", experiment_id="default")
    await metadata.scheduler.persistence.store.Deliver(rs.DeliverRequest(key=run_id, create=new))
    named = mss.GetContextByTypeAndNameRequest(type_name="system.Pipeline", context_name="p" * 200)
    context = (await metadata.stub.GetContextByTypeAndName(named)).context
    held = await metadata.stub.GetChildrenContextsByContext(
        mss.GetChildrenContextsByContextRequest(context_id=context.id)
    )
    assert [one.name for one in held.contexts] == [run_id]
