"""What readers see of runs: the run, its tasks, artifacts, events and spans; lists by keyset."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from builders.runevents import created, event, finished, new_run_id, started, task_life, values
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_persistence import listing
from headrace_persistence.handlers import run_query
from headrace_persistence.stores import querying
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import plan_pb2
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError

ARTIFACT = ev.Artifact(artifact_id="11111111-1111-5111-8111-111111111111", name="model", uri="file:///x")


async def get(persistence: Persistence, run_id: str) -> rq.Run:
    found: rq.Run = await persistence.query.GetRun(rq.GetRunRequest(run_id=run_id))
    return found


async def test_a_new_run_is_seen_at_once(persistence: Persistence, scheduler: Scheduler) -> None:
    run = await get(persistence, await scheduler.create())
    assert (run.state, run.revision, run.pipeline_name, run.namespace) == (ev.RUN_PENDING, 1, "demo", "default")
    assert [change.state for change in run.history] == [ev.RUN_PENDING]
    spec = await persistence.query.GetSpec(rq.GetSpecRequest(run_id=run.run_id))
    assert spec.spec_json == "{}"


async def test_tasks_counters_and_what_they_wait_for(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    tasks = [created("a"), created("b"), created("c", upstream=["a", "b"])]
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), *tasks, *task_life("a")])
    run = await get(persistence, run_id)
    assert run.tasks_total == 3
    assert dict(run.task_counts) == {"TASK_PENDING": 2, "TASK_SUCCEEDED": 1}
    listed = await persistence.query.ListTasks(rq.ListTasksRequest(run_id=run_id, page_size=2))
    assert [task.path for task in listed.tasks] == ["a", "b"]
    (attempt,) = listed.tasks[0].attempts
    assert (attempt.number, attempt.state, attempt.handle) == (1, ev.ATTEMPT_SUCCEEDED, "1@2")
    rest = await persistence.query.ListTasks(rq.ListTasksRequest(run_id=run_id, after_id=listed.next_after_id))
    (waiting,) = rest.tasks
    assert waiting.waiting_on.cause == ev.UPSTREAM
    assert list(waiting.waiting_on.tasks) == ["b"]
    assert waiting.waiting_on.detail == "1 of 2 upstream tasks have not ended: b"
    await scheduler.apply(run_id, 10, [*task_life("b"), finished("c", ev.TASK_SKIPPED, skip_reason="condition")])
    run = await get(persistence, run_id)
    assert dict(run.task_counts) == {"TASK_SUCCEEDED": 2, "TASK_SKIPPED": 1}


async def test_artifacts_are_listed_with_the_task_that_made_them(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    run_id = await scheduler.create()
    life = task_life("g/a")
    outputs = ev.Values(artifacts={"model": ev.ArtifactList(artifacts=[ARTIFACT])})
    life[-1].task_finished.outputs.CopyFrom(outputs)
    group = [created("g", ev.DAG), started("g"), created("g/a"), *life, finished("g", outputs=outputs)]
    answer = await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), *group])
    assert answer.outcome == rs.COMMITTED, answer.message
    listed = await persistence.query.ListArtifacts(rq.ListArtifactsRequest(run_id=run_id))
    (produced,) = listed.artifacts
    assert (produced.path, produced.attempt, produced.artifact.uri) == ("g/a", 1, "file:///x")
    task = await persistence.query.ListTasks(rq.ListTasksRequest(run_id=run_id, path="g/a"))
    assert task.tasks[0].outputs.artifacts["model"].artifacts[0].id == produced.artifact.id > 0


async def test_a_watcher_gets_every_event_to_the_end(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    seen: list[rq.WatchResponse] = []
    first = asyncio.Event()

    async def watch() -> None:
        async for response in persistence.query.Watch(rq.WatchRequest(run_id=run_id, follow=True)):
            seen.append(response)
            first.set()

    watching = asyncio.create_task(watch())
    await asyncio.wait_for(first.wait(), 10)
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), created("a"), *task_life("a")])
    await scheduler.apply(run_id, 8, [event(run_finished=ev.RunFinished(state=ev.RUN_SUCCEEDED))])
    await asyncio.wait_for(watching, 10)
    assert [one.seq for response in seen for one in response.events] == list(range(1, 10))
    assert seen[-1].state == ev.RUN_SUCCEEDED
    again = [one async for one in persistence.query.Watch(rq.WatchRequest(run_id=run_id, after_seq=8, follow=True))]
    assert [(len(one.events), one.state) for one in again] == [(1, ev.RUN_SUCCEEDED)]


async def test_unknown_runs_are_not_found(persistence: Persistence) -> None:
    for call, request in (
        (persistence.query.GetRun, rq.GetRunRequest(run_id="x\0y")),
        (persistence.query.GetSpec, rq.GetSpecRequest(run_id="nope")),
        (persistence.query.ListTasks, rq.ListTasksRequest(run_id="nope")),
        (persistence.query.ListArtifacts, rq.ListArtifactsRequest(run_id="nope")),
        (persistence.query.GetTrace, rq.GetTraceRequest(run_id="nope")),
    ):
        with pytest.raises(ServiceError, match="not found") as refused:
            await call(request)
        assert refused.value.reason == Reason.NOT_FOUND


async def test_pages_by_every_field_and_direction(persistence: Persistence, scheduler: Scheduler) -> None:
    for index in range(5):
        run_id = new_run_id()
        request = rs.DeliverRequest(
            key=run_id,
            create=rs.NewRun(run_id=run_id, display_name=f"run {index % 3}", experiment_id="e", spec_json="{}"),
        )
        await persistence.store.Deliver(request)
    for field in ("", "display_name", "state", "finished_at", "run_id"):
        for descending in (False, True):
            page = rq.Page(size=2, sort_field=field, descending=descending)
            ids: list[str] = []
            while True:
                found = await persistence.query.ListRuns(rq.ListRunsRequest(experiment_id="e", page=page))
                assert found.total == 5
                ids += [run.run_id for run in found.runs]
                if not found.HasField("next"):
                    break
                page.first_value, page.first_id = found.next.first_value, found.next.first_id
            assert len(ids) == len(set(ids)) == 5


async def test_totals_are_counted_up_to_a_number_and_estimated_above(
    persistence: Persistence, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await scheduler.create()
    monkeypatch.setattr(querying, "COUNTED", 2)  # as if there were more than are counted
    assert (await persistence.query.ListRuns(rq.ListRunsRequest())).total >= 3
    page = rq.Page(size=1, predicates=[rq.Predicate(operation=rq.EQUALS, field="state", values=["FAILED"])])
    assert (await persistence.query.ListRuns(rq.ListRunsRequest(page=page))).total == 0


async def test_names_of_any_length_are_sorted_and_found(persistence: Persistence) -> None:
    names = ["x" * 5_000 + "a", "x" * 5_000 + "b", "x", ""]
    for name in names:
        run_id = new_run_id()
        new = rs.NewRun(run_id=run_id, display_name=name, experiment_id="e", spec_json="{}")
        await persistence.store.Deliver(rs.DeliverRequest(key=run_id, create=new))

    async def found(**asked: Any) -> list[str]:
        answer = await persistence.query.ListRuns(rq.ListRunsRequest(page=rq.Page(**asked)))
        return [run.display_name for run in answer.runs]

    assert await found(sort_field="display_name") == ["", "x", names[0], names[1]]
    for name in names:
        wanted = [rq.Predicate(operation=rq.EQUALS, field="display_name", values=[name])]
        assert await found(predicates=wanted) == [name]


async def test_runs_are_found_by_pipelines_with_names_of_any_length(persistence: Persistence) -> None:
    names = ["é" * 199, "é" * 200, "é" * 201, "x" * 5_000 + "a", "x" * 5_000 + "b"]
    for name in names:
        run_id = new_run_id()
        plan = plan_pb2.Plan(pipeline_name=name).SerializeToString()
        new = rs.NewRun(run_id=run_id, display_name=name, experiment_id="e", spec_json="{}", plan=plan)
        await persistence.store.Deliver(rs.DeliverRequest(key=run_id, create=new))
    for name in names:
        wanted = [rq.Predicate(operation=rq.EQUALS, field="pipeline_name", values=[name])]
        answer = await persistence.query.ListRuns(rq.ListRunsRequest(page=rq.Page(predicates=wanted)))
        assert [run.pipeline_name for run in answer.runs] == [name]


async def test_a_pipelines_runs_are_counted_from_an_index_alone(database_url: str) -> None:
    wanted = rq.Predicate(operation=rq.EQUALS, field="pipeline_name", values=["x" * 199])
    asked = listing.page_query(listing.RUNS, rq.Page(predicates=[wanted]), {"namespace": "default"})
    count = f"EXPLAIN SELECT FROM platform.runs r WHERE NOT r.delete_pending{asked.where} LIMIT 1001"
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        rows = await (await connection.execute(count.encode(), asked.params)).fetchall()
    assert "Index Only Scan using runs_by_pipeline" in "\n".join(row[0] for row in rows)


async def test_filters(persistence: Persistence, scheduler: Scheduler) -> None:
    one, two = await scheduler.create(), await scheduler.create()
    await scheduler.apply(two, 1, [event(run_started=ev.RunStarted())])

    async def ids(operation: rq.FilterOperation.ValueType, field: str, *wanted: str) -> set[str]:
        page = rq.Page(predicates=[rq.Predicate(operation=operation, field=field, values=wanted)])
        return {run.run_id for run in (await persistence.query.ListRuns(rq.ListRunsRequest(page=page))).runs}

    assert await ids(rq.EQUALS, "state", "RUNNING") == {two}
    assert await ids(rq.IN, "state", "PENDING", "RUNNING") == {one, two}
    assert await ids(rq.NOT_EQUALS, "run_id", one) == {two}
    assert await ids(rq.IS_SUBSTRING, "display_name", "run") == {one, two}
    assert await ids(rq.GREATER_THAN, "created_at", "0") == {one, two}
    with pytest.raises(ServiceError, match="runs have no field 'colour'"):
        await ids(rq.EQUALS, "colour", "red")
    with pytest.raises(ServiceError, match="created_at: 'x' is no whole number"):
        await ids(rq.EQUALS, "created_at", "x")


async def test_a_delivered_terminate_reads_as_canceling(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    request = rs.DeliverRequest(key="t", run_id=run_id, terminate=rs.Terminate())
    first = await persistence.store.Deliver(request)
    again = await persistence.store.Deliver(request)
    assert (first.inbox_id, first.repeated, again.inbox_id, again.repeated) == (
        first.inbox_id,
        False,
        first.inbox_id,
        True,
    )
    assert (await get(persistence, run_id)).state == ev.RUN_CANCELING
    second = rs.DeliverRequest(key="s", run_id=run_id, terminate=rs.Terminate())
    with pytest.raises(ServiceError) as refused:
        await persistence.store.Deliver(second)
    assert refused.value.message == f"Run {run_id} is being terminated already (CANCELING): wait for its end"
    events = [event(run_terminating=ev.RunTerminating()), event(run_finished=ev.RunFinished(state=ev.RUN_CANCELED))]
    await scheduler.apply(run_id, 1, events)
    assert (await get(persistence, run_id)).state == ev.RUN_CANCELED
    with pytest.raises(ServiceError) as refused:
        await persistence.store.Deliver(rs.DeliverRequest(key="u", run_id=run_id, terminate=rs.Terminate()))
    assert refused.value.message == f"Run {run_id} has ended (CANCELED): nothing to terminate"


async def test_a_run_that_is_to_be_deleted_is_gone_for_readers(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    await persistence.store.Deliver(rs.DeliverRequest(key="d", run_id=run_id, delete=rs.Delete()))
    with pytest.raises(ServiceError, match="not found"):
        await get(persistence, run_id)
    assert (await persistence.query.ListRuns(rq.ListRunsRequest())).total == 0


async def test_the_trace_has_every_phase(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    at = 1_700_000_000_000_000
    times = ev.AttemptTimes(staged_us=at + 40, started_us=at + 41, ended_us=at + 60, published_us=at + 70)
    ended = ev.AttemptFinished(state=ev.ATTEMPT_SUCCEEDED, times=times)
    events = [
        event(time_us=at, run_started=ev.RunStarted()),
        event("a", time_us=at + 1, task_created=ev.TaskCreated(kind=ev.RUNTIME)),
        event("a", time_us=at + 10, task_started=ev.TaskStarted(inputs=values(x="1"))),
        event("a", 1, time_us=at + 11, attempt_started=ev.AttemptStarted()),
        event("a", 1, time_us=at + 80, attempt_finished=ended),
        event("a", time_us=at + 80, task_finished=ev.TaskFinished(state=ev.TASK_SUCCEEDED)),
    ]
    await scheduler.apply(run_id, 1, events)
    trace = await persistence.query.GetTrace(rq.GetTraceRequest(run_id=run_id))
    assert trace.trace_id == run_id.replace("-", "")
    found = {span.phase: (span.start_us - at, span.end_us - at) for span in trace.spans if span.phase != "run"}
    assert found == {
        "task": (1, 80),
        "waiting": (1, 11),
        "attempt": (11, 80),
        "staging": (11, 40),
        "running": (41, 60),
        "publishing": (60, 70),
    }


async def test_the_trace_of_a_very_wide_run_has_its_groups_and_some_iterations(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    run_id = await scheduler.create()
    loop = [created("wide", ev.LOOP), started("wide", iteration_count=2_000)]
    items = [created(f"wide[{number}]", ev.LOOP_ITERATION, iteration=number) for number in range(2_000)]
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), *loop, *items, created("after")])
    trace = await persistence.query.GetTrace(rq.GetTraceRequest(run_id=run_id))
    shown = {span.path for span in trace.spans}
    assert {"", "wide", "after", "wide[0]"} <= shown
    assert len(shown) + trace.folded == 2_003
    assert not trace.partial


async def test_a_trace_of_too_many_events_is_of_the_first_ones(
    persistence: Persistence, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_query, "TRACED", 3)
    run_id = await scheduler.create()
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), created("a"), created("b"), *task_life("a")])
    trace = await persistence.query.GetTrace(rq.GetTraceRequest(run_id=run_id))
    assert trace.partial
    assert {span.path for span in trace.spans} == {"", "a"}
    monkeypatch.setattr(run_query, "TRACED", 9)
    assert not (await persistence.query.GetTrace(rq.GetTraceRequest(run_id=run_id))).partial
