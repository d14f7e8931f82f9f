"""headrace.v1.RunQuery: what people and the API see of runs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from headrace_persistence.stores.querying import Runs
from headrace_persistence.stores.using import Usage
from headrace_persistence.tracing.messages import answer
from headrace_persistence.tracing.spans import Tracer
from headrace_persistence.watching import Watcher
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_query_pb2_grpc

TRACED: Final = 500_000  # events that one trace is made of, at most


class RunQuery(run_query_pb2_grpc.RunQueryServicer):
    """Each rpc is one read, but for Watch."""

    def __init__(self, *, runs: Runs, watcher: Watcher, usage: Usage) -> None:
        self._runs, self._watcher, self._usage = runs, watcher, usage

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
        tracer = Tracer(run.run_id, run.display_name)
        ends = False
        while not ends and tracer.seq < TRACED:  # a page a turn: other calls have theirs in between
            read = await self._runs.events(request.run_id, run.id, tracer.seq)
            for event in read.events:
                tracer.feed(event)
            ends = not read.events or tracer.seq >= read.revision
        made = answer(tracer, time.time_ns() // 1000)
        made.partial = not ends
        return made
