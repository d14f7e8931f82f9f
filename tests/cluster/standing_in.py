"""Stand-ins for companions on simulated nodes, where nothing runs: each Pod's result is reported as soon as the Pod is Running.

Used by tests and by bench/fanout.py, so it is asynchronous and speaks to the cluster through the platform's own client.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from headrace_protos.v1 import attempts_pb2, attempts_pb2_grpc
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.executors.kubernetes import names
from headrace_scheduler.executors.kubernetes.api import ClusterApi
from headrace_scheduler.executors.kubernetes.calling import ApiError, Expired, Json, Unreachable, path_of
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.server import channel

AGAIN_S = 0.2
SIMULATED = "headrace.test/simulated"
ENDS = {"headrace.test/ends": "true"}  # the node lets such Pods succeed


def pod_defaults(label: str) -> Json:
    """HEADRACE_POD_DEFAULTS: Pods go to the simulated nodes with this label, and succeed there."""
    tolerations = [{"key": SIMULATED, "operator": "Exists", "effect": "NoSchedule"}]
    return {"annotations": ENDS, "nodeSelector": {label: "true"}, "tolerations": tolerations}


@dataclass
class Companions:
    """Of one installation's Pods in one namespace. `made`: when each task's Pod was first seen; `sent`: its report.
    `only`: a field selector for those it looks at.
    """

    api: ClusterApi
    stub: Any
    namespace: str
    installation: str
    only: str = ""
    made: dict[str, float] = field(default_factory=dict)
    sent: dict[str, float] = field(default_factory=dict)
    _reports: set[asyncio.Task[None]] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)

    async def follow(self, ready: asyncio.Event) -> None:
        """For ever."""
        path = path_of(self.namespace, "pods")
        query = {"labelSelector": f"headrace.io/installation={self.installation}"}
        if self.only:
            query["fieldSelector"] = self.only
        while True:
            try:
                async for page in self.api.pages(path, query):
                    version = page.version
                    for pod in page.items:
                        self._saw(pod)
                ready.set()
                while True:  # the API server ends a watch that falls behind
                    async for change in self.api.watch(path, query, version):
                        version = change.version
                        if change.kind in ("ADDED", "MODIFIED"):
                            self._saw(change.object)
            except (Expired, Unreachable, ApiError):
                await asyncio.sleep(AGAIN_S)

    def _saw(self, pod: Json) -> None:
        uid, attempt = pod["metadata"]["uid"], names.attempt_of(pod["metadata"])
        if uid in self._told or attempt is None:
            return
        self.made.setdefault(f"{attempt.run_id}/{attempt.path}", time.time())
        if (pod.get("status") or {}).get("phase") in ("Running", "Succeeded"):
            self._told.add(uid)
            task = asyncio.create_task(self._report(attempt.run_id, attempt.path, attempt.number))
            self._reports.add(task)
            task.add_done_callback(self._reports.discard)

    async def _report(self, run_id: str, path: str, number: int) -> None:
        """Until it is acknowledged, as a companion does."""
        result = attempts_pb2.AttemptResult(state=ev.ATTEMPT_SUCCEEDED)
        result.outputs.parameters["Output"].json = '"done"'
        now = time.time_ns() // 1000
        result.times.started_us = result.times.ended_us = result.times.published_us = now
        request = attempts_pb2.ReportRequest(run_id=run_id, path=path, attempt=number, result=result)
        self.sent[f"{run_id}/{path}"] = time.time()
        while True:
            try:
                await self.stub.Report(request, timeout=30)
                return
            except ServiceError as refused:
                if refused.reason not in (Reason.UNAVAILABLE, Reason.DEADLINE):
                    raise
                await asyncio.sleep(AGAIN_S)

    async def close(self) -> None:
        """End what is on its way."""
        for task in list(self._reports):
            task.cancel()
        await asyncio.gather(*self._reports, return_exceptions=True)


@asynccontextmanager
async def cluster_api(config: str) -> AsyncIterator[ClusterApi]:
    """The cluster of a kubeconfig."""
    api = ClusterApi(config)
    await api.connect()
    try:
        yield api
    finally:
        await api.close()


@asynccontextmanager
async def companions(
    config: str, scheduler: str, namespace: str, installation: str, only: str = ""
) -> AsyncIterator[Companions]:
    """At work while the block runs; SCHEDULER is the address that they report to."""
    async with cluster_api(config) as api, channel(scheduler) as opened:
        made = Companions(api, attempts_pb2_grpc.AttemptsStub(opened), namespace, installation, only)
        ready = asyncio.Event()
        task = asyncio.create_task(made.follow(ready), name="stand-ins for companions")
        await ready.wait()
        try:
            yield made
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await made.close()
