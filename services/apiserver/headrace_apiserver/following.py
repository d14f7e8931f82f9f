"""Reading the log of a task's attempt, finished or live.

The log lies in the artifact store from the moment the attempt is launched. Following reads to its end, and again when the
attempt may have written more, until it has ended. Called by handlers.headrace_runs and gateway.logs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final

from headrace_apiserver.backends import Backends
from headrace_ir.problems import nearest
from headrace_protos import lifecycle
from headrace_protos.v1 import run_query_pb2, runs_pb2, scheduler_pb2
from headrace_servicekit.errors import Reason, ServiceError

POLL: Final = 0.25  # seconds between two looks at a live log
COMPARED: Final = 200  # tasks with a name that the run does not have; the first ones have the names of all
SHOWN: Final = 200  # characters of such a name


async def follow_log(backends: Backends, request: runs_pb2.LogsRequest) -> AsyncIterator[runs_pb2.LogsResponse]:
    """The bytes from request.offset on; with follow, until the attempt has ended."""
    offset = request.offset
    if offset < 0:
        raise ServiceError(Reason.INVALID_INPUT, f"offset is {offset}; it cannot be negative")
    number = request.attempt
    while True:
        task = await task_of(backends, request.run_id, request.path)
        attempt = attempt_of(task, number, follow=request.follow)
        # Looked at before the read: what an ended attempt wrote is all there.
        ended = task.state in lifecycle.TASK_FINAL if attempt is None else attempt.state in lifecycle.ATTEMPT_FINAL
        if attempt is not None:
            number = attempt.number
            if ended and offset == 0 and (gone := await _deleted(backends, request.run_id, attempt)):
                raise ServiceError(Reason.NOT_FOUND, gone)
            async for data in _read(backends, attempt.log_uri, offset):
                offset += len(data)
                yield runs_pb2.LogsResponse(data=data, attempt=number)
        if ended or not request.follow:
            return
        await asyncio.sleep(POLL)


async def task_of(backends: Backends, run_id: str, path: str) -> run_query_pb2.Task:
    """The task of a run at a path, or NOT_FOUND."""
    if not path:
        raise ServiceError(Reason.INVALID_INPUT, "path is empty; name the task, such as train or for-loop-1[0]/train")
    request = run_query_pb2.ListTasksRequest(run_id=run_id, path=path)
    found: run_query_pb2.ListTasksResponse = await backends.run_query.ListTasks(request)
    if not found.tasks:
        request = run_query_pb2.ListTasksRequest(run_id=run_id, page_size=COMPARED)
        found = await backends.run_query.ListTasks(request)
        meant = near_task(path, [task.path for task in found.tasks if task.path])
        way = f"did you mean {meant}?" if meant else "`headrace runs get` lists its tasks"
        raise ServiceError(Reason.NOT_FOUND, f"Task {path[:SHOWN]} not found in run {run_id}; {way}")
    return found.tasks[0]


def near_task(path: str, paths: Sequence[str]) -> str:
    """Which task was probably meant: one that is written alike, of which this is the beginning, or whose last step this is."""
    similar = nearest(path, paths)
    part = (one for one in paths if one.startswith(path) or one.endswith(f"/{path}"))
    return similar or next(part, "")


def attempt_of(task: run_query_pb2.Task, number: int, *, follow: bool) -> run_query_pb2.Attempt | None:
    """The attempt asked for, 0 for the last; None where it may still come."""
    for attempt in reversed(task.attempts):
        if number in (0, attempt.number):
            return attempt
    if number and (not follow or task.state in lifecycle.TASK_FINAL):
        raise ServiceError(
            Reason.NOT_FOUND, f"Task {task.path} has no attempt {number}; it has had {len(task.attempts)}"
        )
    if task.cached and task.cached_from:
        raise ServiceError(
            Reason.NOT_FOUND, f"Task {task.path} was taken from the cache: its log is that of {task.cached_from}"
        )
    if not follow or task.state in lifecycle.TASK_FINAL:
        raise ServiceError(Reason.NOT_FOUND, f"Task {task.path} has no log: it has not run")
    return None


async def _deleted(backends: Backends, run_id: str, attempt: run_query_pb2.Attempt) -> str:
    """Why an attempt that has ended has no log any more; "" = it has."""
    run: run_query_pb2.Run = await backends.run_query.GetRun(run_query_pb2.GetRunRequest(run_id=run_id))
    if attempt.finished_at_us >= run.logs_deleted_at_us:
        return ""
    when = datetime.fromtimestamp(run.logs_deleted_at_us / 1e6, UTC).date()
    return f"the logs of run {run_id} were deleted on {when} by the retention policy for logs"


async def _read(backends: Backends, uri: str, offset: int) -> AsyncIterator[bytes]:
    """Nothing where the log does not exist (yet): an attempt that failed before its launch has none."""
    if not uri:
        return
    call = backends.artifacts.Read(scheduler_pb2.ReadRequest(uri=uri, offset=offset))
    try:
        async for response in call:
            if response.data:
                yield response.data
    except ServiceError as missing:
        if missing.reason != Reason.NOT_FOUND:
            raise
    finally:
        call.cancel()  # a reader that leaves ends the stream behind; no effect on one that has ended
