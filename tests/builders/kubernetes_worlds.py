"""A KubernetesExecutor over a cluster in memory, with a clock that its test moves and its facts collected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from builders.fake_cluster import FakeCluster
from builders.kubernetes_executors import OPTIONS, no_runs
from builders.launches import Watched, store_in, watching
from headrace_scheduler.executors import port
from headrace_scheduler.executors.kubernetes.executor import KubernetesExecutor, Limits

PODS = "/api/v1/namespaces/default/pods"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """One executor over one cluster."""

    cluster: FakeCluster
    store: Any
    clock: Clock
    executor: KubernetesExecutor
    watched: Watched

    async def created(self, task: port.Launch) -> str:
        """Its Pod's path, once it is there."""
        await self.executor.launch(task)
        return path_of(await self.watched.launched(task.attempt))

    async def told(self, kind: type, wanted: Callable[[Any], bool] = lambda fact: True) -> Any:
        return await self.watched.first(lambda fact: isinstance(fact, kind) and wanted(fact))


def path_of(launched: port.Launched) -> str:
    return f"{PODS}/{launched.handle.split('/')[1]}"


@asynccontextmanager
async def world(tmp_path, cluster: FakeCluster | None = None, known=(), runs=no_runs, **limits) -> AsyncIterator[World]:
    store, clock = store_in(tmp_path), Clock()
    cluster = cluster or FakeCluster()
    executor = KubernetesExecutor(cluster, store, OPTIONS, runs, Limits(**limits), clock)
    async with asyncio.timeout(20), watching(executor, known) as watched:
        yield World(cluster, store, clock, executor, watched)
