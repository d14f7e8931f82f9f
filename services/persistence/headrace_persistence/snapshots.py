"""Rows → the messages that the engine loads: RunSnapshot and TaskSnapshot. Pure; the queries are in sql/queries/loading.sql."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import plan_pb2
from headrace_protos.v1 import run_store_pb2 as rs

Row = Sequence[Any]


def run_snapshot(row: Row) -> rs.RunSnapshot:
    """A run, without its tasks."""
    run_id, run, namespace, revision, state, plan, inputs, name, root, cache, created, scheduled, started = row[:13]
    retried, exit_tasks, resetting, resume, caching = row[13:]
    snapshot = rs.RunSnapshot(
        run_id=run_id,
        id=run,
        namespace=namespace,
        revision=revision,
        state=state,
        terminating=state == ev.RUN_CANCELING,
        plan=plan,
        display_name=name,
        pipeline_root=root,
        created_at_us=created,
        scheduled_at_us=scheduled,
        started_at_us=started,
        retried_at_us=retried,
        run_exit_tasks=exit_tasks,
        resetting=resetting,
    )
    if resume:
        snapshot.resume.ParseFromString(resume)
    if caching:
        snapshot.caching.ParseFromString(caching)
    snapshot.inputs.ParseFromString(inputs)
    snapshot.inputs.SetInParent()
    if cache is not None:
        snapshot.enable_cache = cache
    return snapshot


def inner_snapshot(row: Row) -> rs.TaskSnapshot:
    """A task inside a group that ended well; ROW without the run's id."""
    defined = ev.TaskCreated.FromString(row[2])
    return rs.TaskSnapshot(
        path=row[0], kind=row[1], dag=defined.dag, task=defined.task, iteration=defined.iteration, attempts=row[3]
    )


def may_run_again(plan: bytes) -> bool:
    """Whether a retry may have to run a group again that ended well: if it holds, or follows, what runs after any end."""
    dags = plan_pb2.Plan.FromString(plan).dags
    return any(task.strategy == plan_pb2.ALL_COMPLETED for dag in dags for task in dag.tasks)


def task_snapshot(row: Row) -> rs.TaskSnapshot:
    """A task; ROW without the run's id."""
    definition = ev.TaskCreated.FromString(row[2])
    snapshot = rs.TaskSnapshot(
        path=row[0],
        kind=row[1],
        dag=definition.dag,
        task=definition.task,
        iteration=definition.iteration,
        state=row[3],
        iteration_count=row[6],
        attempts=row[7],
        user_failures=row[8],
        infrastructure_failures=row[9],
        attempt_state=row[10],
        handle=row[11],
        retry_at_us=row[12],
        cached=bool(row[15]),
        cache_key=row[16],
        cache_token=row[17],
        created_at_us=row[18],
        started_at_us=row[19],
        finished_at_us=row[20],
        attempt_started_at_us=row[21],
        linked=bool(row[22]),
        node=row[23],
        preemptions=row[24],
    )
    for message, raw in ((snapshot.inputs, row[4]), (snapshot.outputs, row[5])):
        if raw:
            message.ParseFromString(raw)
    if row[13]:
        snapshot.waiting_on.ParseFromString(row[13])
    if row[14]:
        snapshot.error.ParseFromString(row[14])
    return snapshot
