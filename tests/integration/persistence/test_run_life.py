"""A run's whole life through RunStore: delivered, loaded, appended to, ended, deleted; and who is refused."""

from __future__ import annotations

import psycopg
import pytest

from builders.runevents import create, created, event, new_run_id, numbered, task_life
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError


def run_started() -> ev.Event:
    return event(run_started=ev.RunStarted())


def run_finished(state: ev.RunState.ValueType = ev.RUN_SUCCEEDED) -> ev.Event:
    return event(run_finished=ev.RunFinished(state=state))


async def test_a_run_from_delivery_to_its_end(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = new_run_id()
    delivered = await persistence.store.Deliver(create(run_id))
    assert (delivered.run_id, delivered.repeated) == (run_id, False)
    (item,) = await scheduler.fetch()
    assert item.request.create.run_id == run_id
    assert not item.request.create.plan  # LoadRuns gives it
    assert not item.request.create.spec_json
    (snapshot,) = await scheduler.load()
    assert (snapshot.run_id, snapshot.revision, snapshot.state) == (run_id, 1, ev.RUN_PENDING)
    first = rs.RunAppend(
        run_id=run_id,
        expected_revision=1,
        events=numbered([run_started(), created("a"), created("b", upstream=["a"])], 1),
        consumed=[item.inbox_id],
    )
    (answer,) = await scheduler.append(first)
    assert (answer.outcome, answer.revision) == (rs.COMMITTED, 4), answer.message
    assert await scheduler.fetch() == []
    answer = await scheduler.apply(run_id, 4, [*task_life("a"), *task_life("b"), run_finished()])
    assert answer.outcome == rs.COMMITTED, answer.message
    assert await scheduler.load() == []  # it is not active any more
    (snapshot,) = await scheduler.load(run_id)
    assert (snapshot.state, snapshot.revision) == (ev.RUN_SUCCEEDED, 15)
    assert [(task.path, task.state, task.attempts) for task in snapshot.tasks] == [
        ("a", ev.TASK_SUCCEEDED, 1),
        ("b", ev.TASK_SUCCEEDED, 1),
    ]
    assert snapshot.tasks[0].outputs.parameters["y"].json == "2"


async def test_others_commit_where_one_is_refused(scheduler: Scheduler) -> None:
    good, stale, wrong, broken = [await scheduler.create() for _ in range(4)]
    answers = await scheduler.append(
        rs.RunAppend(run_id=good, expected_revision=1, events=numbered([run_started(), created("a")], 1)),
        rs.RunAppend(run_id=stale, expected_revision=7, events=numbered([run_started()], 7)),
        rs.RunAppend(run_id=wrong, expected_revision=1, events=numbered(task_life("a"), 1)),
        rs.RunAppend(run_id=broken, expected_revision=1, events=numbered([created("a\0b")], 1)),
    )
    assert [answer.outcome for answer in answers] == [
        rs.COMMITTED,
        rs.REFUSED_REVISION,
        rs.REFUSED_INVALID,
        rs.REFUSED_INVALID,
    ]
    assert answers[1].message == f"Run {stale} is at revision 1, not 7: load it again"
    assert answers[2].message == f"Run {wrong}: event 2: task_started of task a, which does not exist"
    assert (await scheduler.load(good))[0].revision == 3
    assert (await scheduler.load(wrong))[0].revision == 1


async def test_a_session_that_is_over_commits_nothing(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    await persistence.scheduler(take_over=True)
    with pytest.raises(ServiceError) as refused:
        await scheduler.apply(run_id, 1, [run_started()])
    assert refused.value.reason == Reason.SESSION_LOST


TABLES = (
    *("runs", "run_specs", "tasks", "attempts", "events", "inbox", "artifacts", "links", "artifact_uses"),
    *("metadata_properties", "pipeline_tasks", "pipeline_figures", "task_ends"),
)


async def test_deleting_a_run_leaves_nothing(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    artifact = ev.Artifact(artifact_id="11111111-1111-5111-8111-111111111111", name="model", uri="file:///x")
    artifact.metadata_json = '{"acc":0.5}'
    outputs = ev.Values(artifacts={"model": ev.ArtifactList(artifacts=[artifact])})
    life = task_life("a")
    life[-1].task_finished.outputs.CopyFrom(outputs)
    await scheduler.apply(run_id, 1, [run_started(), created("a"), *life])
    await persistence.store.Deliver(rs.DeliverRequest(key="d", run_id=run_id, delete=rs.Delete()))
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
        for table in ("pipeline_tasks", "pipeline_figures", "task_ends"):
            assert await (await connection.execute(f"SELECT count(*) FROM platform.{table}")).fetchone() == (1,), table
    (answer,) = await scheduler.append(rs.RunAppend(run_id=run_id, expected_revision=8, delete=True))
    assert answer.outcome == rs.COMMITTED, answer.message
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
        for table in TABLES:
            rows = await (await connection.execute(f"SELECT count(*) FROM platform.{table}")).fetchone()
            assert rows == (0,), table
