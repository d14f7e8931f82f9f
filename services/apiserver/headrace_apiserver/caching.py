"""What a run asks of the cache, and why a task of it was a hit or a miss. Called by handlers.headrace_runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headrace_apiserver.backends import Backends
from headrace_apiserver.following import task_of
from headrace_apiserver.resuming import unknown_task
from headrace_protos import lifecycle
from headrace_protos.v1 import cache_pb2, plan_pb2, run_query_pb2, run_store_pb2, runs_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_servicekit.errors import Reason, ServiceError

MOST_NAMED: Final = 1_000
ANOTHER: Final = "Task {path} runs no user code: a {kind} is never looked up; name a task in it"


def caching_of(plan: plan_pb2.Plan, refresh: Sequence[str], max_age_s: float) -> run_store_pb2.Caching | None:
    """Checked; None = nothing is asked for."""
    named = list(dict.fromkeys(refresh))
    if len(named) > MOST_NAMED:
        sentence = f"{len(named)} tasks are to be refreshed, at most {MOST_NAMED}; name the groups that they are in"
        raise ServiceError(Reason.INVALID_INPUT, sentence)
    problems = [problem for path in named if (problem := unknown_task(plan, path, "refresh"))]
    if problems:
        raise ServiceError(Reason.INVALID_INPUT, "\n".join(problems), details=[("refresh", one) for one in problems])
    if not 0 <= max_age_s < 1e12:
        raise ServiceError(Reason.INVALID_INPUT, f"cache_max_age_s is {max_age_s:g}; give seconds, 0 for no limit")
    return run_store_pb2.Caching(refresh=named, max_age_s=max_age_s) if named or max_age_s else None


async def explain(backends: Backends, request: runs_pb2.ExplainCacheRequest) -> runs_pb2.ExplainCacheResponse:
    """Of a task that has been looked up; raises ServiceError where it has not."""
    run: run_query_pb2.Run = await backends.run_query.GetRun(run_query_pb2.GetRunRequest(run_id=request.run_id))
    task = await task_of(backends, request.run_id, request.path)
    if task.kind != ev.RUNTIME:
        kind = ev.TaskKind.Name(task.kind).lower().replace("_", " ")
        raise ServiceError(Reason.INVALID_INPUT, ANOTHER.format(path=task.path, kind=kind))
    told: cache_pb2.ExplainResponse = await backends.scheduler.ExplainCache(
        cache_pb2.ExplainRequest(
            run_id=request.run_id, path=task.path, key=task.cache_key, cached_from=task.cached_from
        )
    )
    return _without(run, task) if told.unknown else _answer(told)


def _without(run: run_query_pb2.Run, task: run_query_pb2.Task) -> runs_pb2.ExplainCacheResponse:
    """Nothing is recorded of the task: why not."""
    if task.linked_from:
        reason = f"its results are those of {task.linked_from}, which the run resumes"
    elif task.cache_key:
        return runs_pb2.ExplainCacheResponse(
            outcome="miss", key=task.cache_key, reason="it was a miss; what was known then is not kept any more"
        )
    elif task.state in (ev.TASK_PENDING, ev.TASK_READY):
        name = ev.TaskState.Name(task.state).removeprefix("TASK_")
        raise ServiceError(Reason.WRONG_STATE, f"Task {task.path} is {name}: it has not been looked up yet")
    elif task.state in lifecycle.TASK_FINAL and not task.started_at_us:
        reason = f"it did not run: {task.skip_reason or task.error.message or 'it was cancelled'}"
    elif run.HasField("enable_cache") and not run.enable_cache:
        reason = "the run was started without the cache"
    else:
        reason = "its caching is off, or the cache did not answer when it was looked up"
    return runs_pb2.ExplainCacheResponse(outcome="off", reason=reason)


def _answer(told: cache_pb2.ExplainResponse) -> runs_pb2.ExplainCacheResponse:
    made = runs_pb2.ExplainCacheResponse(
        outcome="hit" if told.found else "miss",
        reason=reason_of(told),
        key=told.key,
        origin=told.nearest_origin,
        origin_created_at_us=told.nearest_created_at_us,
        fields=told.fields,
    )
    if not told.found and not told.why:
        made.first_difference, made.ours, made.theirs = told.first_difference, told.ours, told.theirs
    return made


def reason_of(told: cache_pb2.ExplainResponse) -> str:
    """A sentence."""
    if told.found:
        return f"the results are those of {told.nearest_origin}: all that its key is made of was the same"
    if told.why and not told.key:
        return f"it was not cached: {told.why}"
    if told.why:
        return f"there was an entry of the same key that was not taken: {told.why}"
    if not told.nearest_key:
        return "there was no entry of this pipeline yet"
    return f"no entry has this key; the nearest, of {told.nearest_origin}, differs first in {told.first_difference}"
