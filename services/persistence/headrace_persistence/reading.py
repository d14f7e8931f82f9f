"""Rows → what people see: Run, Task and Attempt messages. Pure; the queries are in sql/queries/runs.sql."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs

Row = Sequence[Any]


def run(row: Row) -> rq.Run:
    """A run, from the columns of get_run."""
    run_id, number, namespace, experiment, name, description, pipeline, version, pipeline_name = row[:9]
    parameters, root, account, cache, storage, state, error, outputs, revision = row[9:18]
    created, scheduled, started, finished, history, recurring, counts, resume = row[18:26]
    made = rq.Run.FromString(history)  # what was appended to it piece by piece
    made.run_id, made.id, made.namespace, made.experiment_id = run_id, number, namespace, experiment
    made.display_name, made.description = name, description
    made.pipeline_id, made.pipeline_version_id, made.pipeline_name = pipeline, version, pipeline_name
    made.parameters_json, made.pipeline_root, made.service_account = parameters, root, account
    if cache is not None:
        made.enable_cache = cache
    made.storage_state, made.state, made.revision = storage, state, revision
    ended = (
        state in lifecycle.RUN_FINAL
    )  # one whose retry was delivered reads as RUNNING, with nothing of its former end
    if error and ended:
        made.error.ParseFromString(error)
    if outputs and ended:
        made.outputs.ParseFromString(outputs)
    made.created_at_us, made.scheduled_at_us = created, scheduled
    made.started_at_us, made.finished_at_us, made.recurring_run_id = started, finished if ended else 0, recurring
    if resume:
        origin = rs.Resume.FromString(resume)
        made.resumed_from = origin.run_id
        made.resumed_tasks.extend(origin.from_tasks)
    made.pinned, made.logs_deleted_at_us, made.traces_deleted_at_us = row[26:]
    made.tasks_total = sum(counts)
    for number_of_state, count in enumerate(counts, 1):
        if count:
            made.task_counts[ev.TaskState.Name(number_of_state)] = count  # type: ignore[arg-type]  # an enum's number
    return made


def upstream_paths(row: Row) -> list[str]:
    """The siblings that a task which has not started depends on."""
    if row[4] != ev.TASK_PENDING:
        return []
    definition = ev.TaskCreated.FromString(row[5])
    return [lifecycle.child_path(row[2], key) for key in definition.upstream]


def task(run_id: str, row: Row, attempts: Sequence[rq.Attempt], unended: Collection[str]) -> rq.Task:
    """A task, from the columns of list_tasks; UNENDED has the paths of tasks of the run that have not ended."""
    number, path, parent, kind, state, definition, inputs, outputs, error, waiting_on = row[:10]
    iteration_count, cached_from, skip_reason, cache_key, created, started, finished, linked_from = row[10:]
    defined = ev.TaskCreated.FromString(definition)
    made = rq.Task(
        task_id=lifecycle.task_id(run_id, path),
        id=number,
        path=path,
        parent=parent,
        key=_key(path),
        display_name=defined.display_name,
        kind=kind,
        iteration=defined.iteration,
        state=state,
        cached=bool(cached_from),
        cached_from=cached_from,
        skip_reason=skip_reason,
        attempts=attempts,
        iteration_count=iteration_count,
        created_at_us=created,
        started_at_us=started,
        finished_at_us=finished,
        cache_key=cache_key,
        linked_from=linked_from,
    )
    for message, raw in ((made.inputs, inputs), (made.outputs, outputs), (made.error, error)):
        if raw:
            message.ParseFromString(raw)
    if waiting_on:
        made.waiting_on.ParseFromString(waiting_on)
    if state == ev.TASK_PENDING and made.waiting_on.cause in (ev.WAIT_CAUSE_UNSPECIFIED, ev.UPSTREAM):
        _wait_for_upstream(made, defined, unended)
    return made


def attempt(row: Row) -> rq.Attempt:
    """An attempt, from the columns of attempts_of without the path."""
    number, state, launched, finished, created, ended = row
    launch, finish = ev.AttemptLaunched.FromString(launched), ev.AttemptFinished.FromString(finished)
    return rq.Attempt(
        number=number,
        state=state,
        error=finish.error if finish.HasField("error") else None,
        times=finish.times if finish.HasField("times") else None,
        log_uri=finish.log_uri or launch.log_uri,
        handle=launch.handle,
        node=launch.node,
        warnings=launch.warnings,
        created_at_us=created,
        finished_at_us=ended,
    )


def _wait_for_upstream(made: rq.Task, defined: ev.TaskCreated, unended: Collection[str]) -> None:
    keys = [key for key in defined.upstream if lifecycle.child_path(made.parent, key) in unended]
    made.ClearField("waiting_on")
    if keys:
        made.waiting_on.cause = ev.UPSTREAM
        made.waiting_on.tasks.extend(keys)
        made.waiting_on.since_us = made.created_at_us
        few = ", ".join(keys[:5]) + (" and others" if len(keys) > 5 else "")
        made.waiting_on.detail = f"{len(keys)} of {len(defined.upstream)} upstream tasks have not ended: {few}"


def _key(path: str) -> str:
    last = path.rpartition("/")[2]
    return last[: last.rindex("[")] if last.endswith("]") else last
