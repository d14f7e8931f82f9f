"""headrace.v1.RunQuery: what people and the API see of runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Container
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

from headrace_persistence.stores.querying import Runs
from headrace_persistence.stores.using import Usage
from headrace_persistence.tracing.folding import WIDE
from headrace_persistence.tracing.messages import answer, view
from headrace_persistence.tracing.spans import Tracer
from headrace_persistence.tracing.splitting import named_loops
from headrace_persistence.watching import Watcher
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_query_pb2_grpc
from headrace_servicekit.errors import Reason, ServiceError

TRACED: Final = 300_000  # events that one trace is made of, at most
AT_ONCE: Final = 200  # of them between two turns of others


class RunQuery(run_query_pb2_grpc.RunQueryServicer):
    """Each rpc is one read, but for Watch."""

    def __init__(self, *, runs: Runs, watcher: Watcher, usage: Usage) -> None:
        self._runs, self._watcher, self._usage = runs, watcher, usage
        self._wide = asyncio.Semaphore(1)  # traces of wide runs take memory: one at a time

    async def GetRun(self, request: rq.GetRunRequest, context: Any) -> rq.Run:  # noqa: N802
        return await self._runs.get(request.run_id)

    async def ListRuns(self, request: rq.ListRunsRequest, context: Any) -> rq.ListRunsResponse:  # noqa: N802
        return await self._runs.list(request)

    async def GetSpec(self, request: rq.GetSpecRequest, context: Any) -> rq.GetSpecResponse:  # noqa: N802
        return await self._runs.spec(request.run_id)

    async def ListTasks(self, request: rq.ListTasksRequest, context: Any) -> rq.ListTasksResponse:  # noqa: N802
        return await self._runs.tasks(request)

    async def ListArtifacts(  # noqa: N802
        self, request: rq.ListArtifactsRequest, context: Any
    ) -> rq.ListArtifactsResponse:
        return await self._runs.artifacts(request.run_id)

    async def FindArtifacts(  # noqa: N802
        self, request: rq.FindArtifactsRequest, context: Any
    ) -> rq.FindArtifactsResponse:
        return await self._runs.at(request.queries)

    async def RunUsage(self, request: rq.RunUsageRequest, context: Any) -> rq.RunUsageResponse:  # noqa: N802
        return await self._usage.of_run(await self._runs.find(request.run_id))

    async def NamespaceUsage(  # noqa: N802
        self, request: rq.NamespaceUsageRequest, context: Any
    ) -> rq.NamespaceUsageResponse:
        return await self._usage.of_namespace(request)

    async def Watch(self, request: rq.WatchRequest, context: Any) -> AsyncIterator[rq.WatchResponse]:  # noqa: N802
        async with aclosing(self._watcher.watch(request)) as answers:
            async for answer in answers:
                yield answer

    async def GetTrace(self, request: rq.GetTraceRequest, context: Any) -> rq.GetTraceResponse:  # noqa: N802
        run = await self._runs.get(request.run_id)
        _refuse_deleted(run)
        if run.tasks_total <= WIDE:
            tracer, whole = await self._traced(run, None)
            now = _now_us()
            made = answer(tracer, view(tracer, now), tracer.all_spans(), now)
        else:
            async with self._wide:
                made, whole = await self._trace_wide(run)
        made.partial = not whole
        return made

    async def _trace_wide(self, run: rq.Run) -> tuple[rq.GetTraceResponse, bool]:
        """Of many tasks first what their time was spent on, then the spans of those that are shown."""
        tracer, whole = await self._traced(run, ())
        now = _now_us()
        seen = await asyncio.to_thread(view, tracer, now)
        again, _ = await self._traced(run, seen.shown, until=tracer.seq, timed=False)
        return await asyncio.to_thread(answer, tracer, seen, again.all_spans(), now), whole

    async def _traced(
        self, run: rq.Run, keep: Container[str] | None, *, until: int = 0, timed: bool = True
    ) -> tuple[Tracer, bool]:
        """The trace by the run's first events, and whether that is all of them. Other calls have their turns in between."""
        tracer = Tracer(run.run_id, run.display_name, keep=keep, timed=timed)
        until, ends = until or TRACED, False
        while not ends and tracer.seq < until:
            read = await self._runs.events(run.run_id, run.id, tracer.seq)
            tracer.elsewhere |= await self._runs.iterations(named_loops(read.events) - tracer.elsewhere.keys())
            for event in read.events:
                if tracer.seq < until:
                    tracer.feed(event)
                if event.seq % AT_ONCE == 0:
                    await asyncio.sleep(0)
            ends = not read.events or tracer.seq >= read.revision
        return tracer, ends


def _now_us() -> int:
    return time.time_ns() // 1000


def _refuse_deleted(run: rq.Run) -> None:
    """A trace is made of events, which a policy may have taken."""
    if run.traces_deleted_at_us > max(run.finished_at_us, run.started_at_us):
        when = datetime.fromtimestamp(run.traces_deleted_at_us / 1e6, UTC).date()
        sentence = f"the trace of run {run.run_id} was deleted on {when} by the retention policy for traces"
        raise ServiceError(Reason.NOT_FOUND, sentence)
