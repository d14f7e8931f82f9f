"""headrace.v1.RunQuery: what people and the API see of runs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any, Final

from headrace_persistence.notifying import Hub
from headrace_persistence.stores.querying import Runs
from headrace_persistence.stores.using import Usage
from headrace_persistence.tracing.messages import answer
from headrace_persistence.tracing.spans import Tracer
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_query_pb2_grpc

TRACED: Final = 500_000  # events that one trace is made of, at most


class RunQuery(run_query_pb2_grpc.RunQueryServicer):
    """Each rpc is one read; Watch repeats its read whenever the hub has news."""

    def __init__(self, *, runs: Runs, hub: Hub, usage: Usage) -> None:
        self._runs, self._hub, self._usage = runs, hub, usage

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
        run = await self._runs.find(request.run_id)
        state: int = ev.RUN_STATE_UNSPECIFIED
        told = False
        with self._hub.watch_run(run, request.after_seq) as watch:
            while True:
                watch.news.clear()  # before the read: what comes after it wakes the next turn
                read = await self._runs.events(request.run_id, run, watch.seen)
                if read.events:
                    watch.seen = read.events[-1].seq
                ends = watch.seen >= read.revision
                state = _state_after(read.events, read.state if ends else state)
                if read.events or not told:
                    told = True
                    yield rq.WatchResponse(events=read.events, state=read.state if ends else state)  # type: ignore[arg-type]
                if ends and (not request.follow or read.state in lifecycle.RUN_FINAL):
                    return
                if ends:
                    await watch.news.wait()

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


def _state_after(events: list[ev.Event], before: int) -> int:
    """The run's state after EVENTS, as far as they tell it."""
    state = before or ev.RUN_RUNNING
    for event in events:
        kind = event.WhichOneof("kind")
        if kind == "run_finished":
            state = event.run_finished.state
        elif kind in _STATES:
            state = _STATES[kind]
    return state


_STATES = {
    "run_created": ev.RUN_PENDING,
    "run_started": ev.RUN_RUNNING,
    "run_terminating": ev.RUN_CANCELING,
    "run_retried": ev.RUN_RUNNING,
}
