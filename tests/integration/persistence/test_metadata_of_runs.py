"""What people may put onto what runs made, and what becomes of it: custom properties alone, connections outward, deletion."""

from __future__ import annotations

import re
from typing import Any

import pytest

from builders.runevents import create, created, event, finished, new_run_id, started, task_life
from fixtures.fix_run_metadata import Metadata, refused
from headrace_persistence.metadata import made as making
from headrace_persistence.metadata import paging
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_protos.ml_metadata import metadata_store_service_pb2 as mss
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import plan_pb2
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason


def copied(node: Any) -> Any:
    other = type(node)()
    other.CopyFrom(node)
    return other


async def test_custom_properties_can_be_added_changed_and_taken_away(metadata: Metadata) -> None:
    one = (await metadata.ran(metadata_json='{"accuracy":0.5}')).artifact
    before = one.last_update_time_since_epoch
    one.custom_properties["reviewed by"].string_value = "Ada"
    await metadata.put(one)
    kept = await metadata.artifact(one.id)
    assert kept is not None
    assert kept.custom_properties["reviewed by"].string_value == "Ada"
    assert kept.custom_properties["accuracy"].double_value == 0.5
    assert kept.last_update_time_since_epoch > before
    kept.custom_properties["reviewed by"].string_value = "Grace"
    await metadata.put(kept)
    assert await metadata.found("custom_properties.`reviewed by`.string_value = 'Grace'") == [one.id]
    await metadata.put(ms.Artifact(id=one.id))
    bare = await metadata.artifact(one.id)
    assert bare is not None
    assert set(bare.custom_properties) == {"accuracy", "display_name"}
    assert bare.uri == one.uri


def _uri(one: ms.Artifact) -> None:
    one.uri = "elsewhere"


def _state(one: ms.Artifact) -> None:
    one.state = ms.Artifact.DELETED


def _external_id(one: ms.Artifact) -> None:
    one.external_id = "mine"


def _name(one: ms.Artifact) -> None:
    one.name = "mine"


def _metadata(one: ms.Artifact) -> None:
    one.custom_properties["accuracy"].double_value = 0.9


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_uri, "its uri"),
        (_state, "its state"),
        (_external_id, "its external_id"),
        (_name, "its name"),
        (_metadata, "its custom property accuracy"),
    ],
)
async def test_what_the_run_decides_cannot_be_changed(metadata: Metadata, change: Any, what: str) -> None:
    one = (await metadata.ran(metadata_json='{"accuracy":0.5}')).artifact
    changed = copied(one)
    change(changed)
    error = await refused(metadata.put(changed))
    assert error.reason == Reason.FORBIDDEN
    said = f"artifact {one.id} was made by a run, which alone decides {what}: add custom properties of other names"
    assert error.message == said
    assert await metadata.artifact(one.id) == one


async def test_declared_properties_are_no_custom_ones(metadata: Metadata) -> None:
    one = (await metadata.ran()).artifact
    widened = ms.ArtifactType(name="system.Model", properties={"stage": ms.STRING})
    await metadata.stub.PutArtifactType(mss.PutArtifactTypeRequest(artifact_type=widened, can_add_fields=True))
    one.properties["stage"].string_value = "production"
    error = await refused(metadata.put(one))
    assert error.reason == Reason.FORBIDDEN
    assert "alone decides its properties" in error.message


async def test_names_that_a_run_may_give_later_are_its_own(metadata: Metadata) -> None:
    made = await metadata.ran()
    made.task.custom_properties["cached_execution_id"].string_value = "1"
    error = await refused(metadata.stub.PutExecutions(mss.PutExecutionsRequest(executions=[made.task])))
    assert "its custom property cached_execution_id" in error.message
    made.run.custom_properties["namespace"].string_value = "other"
    error = await refused(metadata.stub.PutContexts(mss.PutContextsRequest(contexts=[made.run])))
    assert "its custom property namespace" in error.message


async def test_a_mask_chooses_what_is_put(metadata: Metadata) -> None:
    one = (await metadata.ran()).artifact
    one.uri = "elsewhere"
    one.custom_properties["note"].string_value = "kept"
    await metadata.put(one, "custom_properties.note")
    kept = await metadata.artifact(one.id)
    assert kept is not None
    assert kept.uri != "elsewhere"
    assert kept.custom_properties["note"].string_value == "kept"


async def test_optimistic_updates_see_additions(metadata: Metadata) -> None:
    one = (await metadata.ran()).artifact
    other = copied(one)
    one.custom_properties["by"].string_value = "the first"
    await metadata.put(one, abort_if_latest_updated_time_changed=True)
    other.custom_properties["by"].string_value = "the second"
    error = await refused(metadata.put(other, abort_if_latest_updated_time_changed=True))
    assert error.reason == Reason.WRONG_STATE
    assert re.fullmatch(
        rf"artifact {one.id} was changed at \d+, after it was read at \d+: read it again, then put", error.message
    )


async def test_contexts_of_runs_are_made_by_runs_alone(metadata: Metadata) -> None:
    run = (await metadata.ran()).run
    error = await refused(
        metadata.stub.PutContexts(mss.PutContextsRequest(contexts=[ms.Context(type_id=run.type_id, name="mine")]))
    )
    assert error.reason == Reason.FORBIDDEN
    assert error.message == "contexts of type system.PipelineRun are made by runs alone; put one of another type"


async def test_people_connect_what_runs_made_with_their_own(metadata: Metadata) -> None:
    made, mine = await metadata.ran(), await metadata.context()
    read = ms.Event(artifact_id=made.artifact.id, type=ms.Event.INPUT)
    evaluation = await metadata.execution(read)
    belongs = mss.PutAttributionsAndAssociationsRequest(
        attributions=[ms.Attribution(context_id=mine, artifact_id=made.artifact.id)],
        associations=[ms.Association(context_id=mine, execution_id=made.task.id)],
    )
    await metadata.stub.PutAttributionsAndAssociations(belongs)
    above = mss.PutParentContextsRequest(parent_contexts=[ms.ParentContext(parent_id=mine, child_id=made.run.id)])
    await metadata.stub.PutParentContexts(above)
    starts = ms.LineageSubgraphQueryOptions.StartingNodes(filter_query=f"id = {evaluation}")
    walk = ms.LineageSubgraphQueryOptions(starting_executions=starts, direction=ms.LineageSubgraphQueryOptions.UPSTREAM)
    asked = mss.GetLineageSubgraphRequest(lineage_subgraph_query_options=walk)
    graph = (await metadata.stub.GetLineageSubgraph(asked)).lineage_subgraph
    assert {one.id for one in graph.executions} == {evaluation, made.task.id}
    assert mine in {one.id for one in graph.contexts}
    held = await metadata.stub.GetExecutionsByContext(mss.GetExecutionsByContextRequest(context_id=mine))
    assert [one.id for one in held.executions] == [made.task.id]


async def test_nothing_is_added_to_what_a_run_read_wrote_or_belongs_to(metadata: Metadata) -> None:
    made, mine = await metadata.ran(), await metadata.context()
    wrote = ms.Event(artifact_id=made.artifact.id, execution_id=made.task.id, type=ms.Event.INPUT)
    error = await refused(metadata.stub.PutEvents(mss.PutEventsRequest(events=[wrote])))
    assert (error.reason, error.message) == (
        Reason.FORBIDDEN,
        f"execution {made.task.id} was made by a run, which alone tells what it read and wrote",
    )
    mine_there = mss.PutAttributionsAndAssociationsRequest(
        associations=[ms.Association(context_id=made.run.id, execution_id=await metadata.execution())]
    )
    error = await refused(metadata.stub.PutAttributionsAndAssociations(mine_there))
    said = f"context {made.run.id} is a run's: no association can be added; use a context of your own"
    assert (error.reason, error.message) == (Reason.FORBIDDEN, said)
    below = mss.PutParentContextsRequest(parent_contexts=[ms.ParentContext(parent_id=made.run.id, child_id=mine)])
    error = await refused(metadata.stub.PutParentContexts(below))
    assert error.reason == Reason.FORBIDDEN
    again = mss.PutAttributionsAndAssociationsRequest(
        attributions=[ms.Attribution(context_id=made.run.id, artifact_id=made.artifact.id)]
    )
    await metadata.stub.PutAttributionsAndAssociations(again)  # it is there already


async def test_artifacts_are_found_by_their_metadata(metadata: Metadata) -> None:
    told = '{"accuracy":0.75,"framework":"sklearn","done":true,"classes":["a"],"none":null,"big":123456789012345678901234567890}'
    one = (await metadata.ran(metadata_json=told, schema_title="my.Model")).artifact
    assert one.type == "my.Model"
    for query in (
        "custom_properties.accuracy.double_value > 0.7", "custom_properties.framework.string_value = 'sklearn'",
        "custom_properties.done.int_value = 1", "custom_properties.display_name.string_value = 'model'",
        "type = 'my.Model'", f"uri = '{one.uri}'", f"external_id = '{one.external_id}'", "state = LIVE",
        "contexts_a.type = 'system.PipelineRun' AND events_0.type = OUTPUT",
    ):  # fmt: skip
        assert await metadata.found(f"id = {one.id} AND {query}") == [one.id], query
    assert one.custom_properties["classes"].struct_value["list"][0] == "a"
    assert "none" not in one.custom_properties


async def deleted(metadata: Metadata, run_id: str) -> None:
    """Delete a run, as its holder does."""
    (snapshot,) = await metadata.scheduler.load(run_id)
    (answer,) = await metadata.scheduler.append(
        rs.RunAppend(run_id=run_id, expected_revision=snapshot.revision, delete=True)
    )
    assert answer.outcome == rs.COMMITTED, answer.message


async def test_a_deleted_run_takes_its_nodes_and_what_was_added(metadata: Metadata, persistence: Any) -> None:
    made, mine = await metadata.ran(metadata_json='{"accuracy":0.5}'), await metadata.context()
    made.artifact.custom_properties["note"].string_value = "n"
    await metadata.put(made.artifact)
    belongs = [ms.Association(context_id=mine, execution_id=made.task.id)]
    await metadata.stub.PutAttributionsAndAssociations(mss.PutAttributionsAndAssociationsRequest(associations=belongs))
    above = [ms.ParentContext(parent_id=mine, child_id=made.run.id)]
    await metadata.stub.PutParentContexts(mss.PutParentContextsRequest(parent_contexts=above))
    await deleted(metadata, made.run_id)
    assert await metadata.artifact(made.artifact.id) is None
    held = await metadata.stub.GetExecutionsByContext(mss.GetExecutionsByContextRequest(context_id=mine))
    assert list(held.executions) == []
    below = await metadata.stub.GetChildrenContextsByContext(mss.GetChildrenContextsByContextRequest(context_id=mine))
    assert list(below.contexts) == []
    assert await left(persistence.database_url, made.artifact.id, made.run.id, made.task.id) == 0


async def left(url: str, *ids: int) -> int:
    """Rows of what was put onto nodes of these ids."""
    import psycopg

    tables = ("properties WHERE node", "changes WHERE node", "associations WHERE execution", "parents WHERE child")
    async with await psycopg.AsyncConnection.connect(url) as connection:
        counts = [
            await (
                await connection.execute(f"SELECT count(*) FROM platform.metadata_{one} = ANY(%s)", (list(ids),))
            ).fetchone()
            for one in tables
        ]
    return sum(int(row[0]) for row in counts if row)


@pytest.mark.parametrize("by", ["event", "attribution"])
async def test_an_artifact_stays_while_somebody_has_it(metadata: Metadata, by: str) -> None:
    made = await metadata.ran()
    if by == "event":
        await metadata.execution(ms.Event(artifact_id=made.artifact.id, type=ms.Event.INPUT))
    else:
        belongs = [ms.Attribution(context_id=await metadata.context(), artifact_id=made.artifact.id)]
        await metadata.stub.PutAttributionsAndAssociations(
            mss.PutAttributionsAndAssociationsRequest(attributions=belongs)
        )
    await deleted(metadata, made.run_id)
    kept = await metadata.artifact(made.artifact.id)
    assert kept is not None
    assert kept.uri == made.artifact.uri


async def test_states_are_those_of_the_life_cycle(metadata: Metadata) -> None:
    """The view's numbers are lifecycle's words."""
    from headrace_protos.lifecycle import MLMD_TASK_STATE

    numbers = {ev.TASK_PENDING: 1, ev.TASK_READY: 1, ev.TASK_RUNNING: 2, ev.TASK_SUCCEEDED: 3}
    numbers |= {ev.TASK_SKIPPED: 6, ev.TASK_FAILED: 4, ev.TASK_CANCELED: 6}
    assert {state: ms.Execution.State.Value(word) for state, word in MLMD_TASK_STATE.items()} == numbers
    made = await metadata.ran()
    assert made.task.last_known_state == ms.Execution.COMPLETE
    assert made.task.type == "system.ImporterExecution"


async def test_a_cached_task_names_the_execution_whose_results_it_has(metadata: Metadata) -> None:
    first, second = await metadata.scheduler.create(), await metadata.scheduler.create()
    start = event(run_started=ev.RunStarted())
    answer = await metadata.scheduler.apply(first, 1, [start, created("train"), *task_life("train")])
    assert answer.outcome == rs.COMMITTED, answer.message
    taken = finished("train", cached_from=f"{first}/train", cache_key="the key")
    loop = [created("loop", ev.LOOP), started("loop", iteration_count=2), created("loop[1]", ev.RUNTIME, iteration=1)]
    answer = await metadata.scheduler.apply(second, 1, [start, created("train"), taken, *loop])
    assert answer.outcome == rs.COMMITTED, answer.message
    named = mss.GetContextByTypeAndNameRequest(type_name="system.PipelineRun", context_name=second)
    run = (await metadata.stub.GetContextByTypeAndName(named)).context
    told = await metadata.stub.GetExecutionsByContext(mss.GetExecutionsByContextRequest(context_id=run.id))
    by_name = {(one.custom_properties["task_name"].string_value, one.type): one for one in told.executions}
    cached = by_name["train", "system.ContainerExecution"]
    assert cached.last_known_state == ms.Execution.CACHED
    assert cached.custom_properties["cache_fingerprint"].string_value == "the key"
    original = int(cached.custom_properties["cached_execution_id"].string_value)
    found = await metadata.stub.GetExecutionsByID(mss.GetExecutionsByIDRequest(execution_ids=[original]))
    assert found.executions[0].last_known_state == ms.Execution.COMPLETE
    loop_id, iteration = by_name["loop", "system.DAGExecution"].id, by_name["loop", "system.ContainerExecution"]
    assert iteration.custom_properties["iteration_index"].int_value == 1
    assert iteration.custom_properties["parent_dag_id"].int_value == loop_id
    for query in (
        f"custom_properties.parent_dag_id.int_value = {loop_id}", "custom_properties.iteration_index.int_value = 1",
        "custom_properties.task_name.string_value = 'loop' AND type = 'system.ContainerExecution'",
    ):  # fmt: skip
        options = ms.ListOperationOptions(filter_query=query)
        asked = mss.GetExecutionsByContextRequest(context_id=run.id, options=options)
        assert [one.id for one in (await metadata.stub.GetExecutionsByContext(asked)).executions] == [iteration.id], (
            query
        )


async def walked(ask: Any, options: ms.ListOperationOptions, name: str) -> list[Any]:
    """All pages of a list."""
    found: list[Any] = []
    while True:
        answer = await ask(options)
        found += getattr(answer, name)
        if not answer.next_page_token:
            return found
        options.next_page_token = answer.next_page_token


@pytest.mark.parametrize("kind", ["Artifacts", "Executions", "Contexts"])
@pytest.mark.parametrize("ascending", [False, True])
async def test_the_order_of_updates_has_every_node_once(metadata: Metadata, kind: str, ascending: bool) -> None:
    ran = [await metadata.ran() for _ in range(4)]
    for waits in (False, True):  # a task that has begun, or begins again, and one that waits
        open_run = await metadata.scheduler.create()
        events = [event(run_started=ev.RunStarted()), created("train"), started("train"), created("next")]
        again = [finished("train"), event("train", task_reset=ev.TaskReset())]
        answer = await metadata.scheduler.apply(open_run, 1, events + again * waits)
        assert answer.outcome == rs.COMMITTED, answer.message
    await metadata.context()
    for one in (ran[2], ran[0]):  # people change what runs made
        for changed in (one.artifact, one.task, one.run):
            changed.custom_properties["note"].string_value = "seen"
        await metadata.put(one.artifact)
        await metadata.stub.PutExecutions(mss.PutExecutionsRequest(executions=[one.task]))
        await metadata.stub.PutContexts(mss.PutContextsRequest(contexts=[one.run]))
    get, request = getattr(metadata.stub, f"Get{kind}"), getattr(mss, f"Get{kind}Request")
    every = list(getattr(await get(request()), kind.lower()))
    key = lambda one: (one.last_update_time_since_epoch, one.id)  # noqa: E731
    order = ms.ListOperationOptions.OrderByField.LAST_UPDATE_TIME
    options = ms.ListOperationOptions(max_result_size=2)
    options.order_by_field.field, options.order_by_field.is_asc = order, ascending
    found = await walked(lambda asked: get(request(options=asked)), options, kind.lower())
    assert [one.id for one in found] == [one.id for one in sorted(every, key=key, reverse=not ascending)]
    assert len(every) >= (4 if kind != "Executions" else 14)  # six runs' roots and eight tasks
    options.next_page_token, options.filter_query = "", f"id != {ran[1].task.id}"
    found = await walked(lambda asked: get(request(options=asked)), options, kind.lower())
    kept = [one for one in every if one.id != ran[1].task.id]
    assert [one.id for one in found] == [one.id for one in sorted(kept, key=key, reverse=not ascending)]


async def test_a_pipeline_context_has_the_executions_of_all_its_runs(metadata: Metadata) -> None:
    ran = [await metadata.ran() for _ in range(3)]
    asked = mss.GetContextByTypeAndNameRequest(type_name="system.Pipeline", context_name="demo")
    context = (await metadata.stub.GetContextByTypeAndName(asked)).context.id
    wanted = sorted(number for one in ran for number in (one.run.id, one.task.id))

    async def page(options: ms.ListOperationOptions | None) -> Any:
        request = mss.GetExecutionsByContextRequest(context_id=context, options=options)
        return await metadata.stub.GetExecutionsByContext(request)

    options = ms.ListOperationOptions(max_result_size=2)
    options.order_by_field.field = ms.ListOperationOptions.OrderByField.ID
    assert [one.id for one in await walked(page, options, "executions")] == wanted
    assert sorted(one.id for one in (await page(None)).executions) == wanted
    await deleted(metadata, ran[1].run_id)
    assert not {ran[1].run.id, ran[1].task.id} & {one.id for one in (await page(None)).executions}


async def test_what_is_asked_of_a_context_is_asked_of_the_same_one(metadata: Metadata, monkeypatch: Any) -> None:
    one, other = await metadata.ran(), await metadata.ran()
    mine = await metadata.context()
    await metadata.stub.PutAttributionsAndAssociations(
        mss.PutAttributionsAndAssociationsRequest(
            attributions=[ms.Attribution(context_id=mine, artifact_id=one.artifact.id)]
        )
    )
    name = f"contexts_a.name = '{one.run_id}'"
    for few in (5_000, 0):  # with the probe and without it
        monkeypatch.setattr(paging, "FEW", few)
        assert await metadata.found(f"{name} AND contexts_a.type = 'system.PipelineRun'") == [one.artifact.id]
        assert await metadata.found(f"{name} AND contexts_a.type = 'mine'") == []
        assert await metadata.found(f"{name} AND contexts_b.name = 'mine'") == [one.artifact.id]
        assert await metadata.found(f"contexts_a.name = '{other.run_id}' AND contexts_b.name = 'mine'") == []
        assert await metadata.found(f"{name} AND id = {other.artifact.id}") == []
        assert await metadata.found(f"{name} AND (contexts_a.type = 'mine' OR id = {one.artifact.id})") == [
            one.artifact.id
        ]
        assert await metadata.found(f"{name} AND contexts_a.id != {one.run.id}") == []


@pytest.mark.parametrize("tag", ["one", "other"])  # in databases that number their runs alike
async def test_images_are_those_of_each_runs_own_plan(
    metadata: Metadata, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    monkeypatch.setattr(making, "RUNS", 2)
    for number in range(5):
        plan = plan_pb2.Plan(version=1, pipeline_name="demo")
        plan.dags.add().tasks.add(key="train", executor=0)
        plan.executors.add().container.image = f"{tag}:{number}"
        plan.executors[0].container.command.append("x" * (making.SMALL if number % 2 else 1))
        delivery = create(new_run_id())
        delivery.create.plan = plan.SerializeToString()
        await metadata.scheduler.persistence.store.Deliver(delivery)
        begin = [event(run_started=ev.RunStarted()), created("train"), created("data", ev.IMPORTER)]
        answer = await metadata.scheduler.apply(delivery.create.run_id, 1, begin)
        assert answer.outcome == rs.COMMITTED, answer.message
    told = (await metadata.stub.GetExecutions(mss.GetExecutionsRequest())).executions
    images = [one.custom_properties["image"].string_value for one in told if "image" in one.custom_properties]
    assert sorted(images) == [f"{tag}:{number}" for number in range(5)]
