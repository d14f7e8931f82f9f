"""What the Kubernetes executor asks of a cluster and of registries where many tasks begin at once."""

from __future__ import annotations

import asyncio
import uuid

from builders.fake_cluster import FakeCluster
from builders.kubernetes_worlds import CLAIMS, world
from builders.launches import launch
from builders.registries import Registry, serving
from fixtures.polling import until
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.executors.kubernetes.calling import Json
from headrace_scheduler.executors.kubernetes.entry_points import KNOWN_S
from headrace_scheduler.executors.kubernetes.executor import CALLS
from headrace_scheduler.executors.kubernetes.launcher import AT_ONCE
from headrace_scheduler.executors.task_settings import TaskSettings


class Secretive(FakeCluster):
    """Counts who reads its secrets."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    async def get(self, path: str) -> Json:
        self.read += "/secrets/" in path
        return await super().get(path)


async def test_tasks_that_begin_at_once_ask_for_their_images_entry_point_once(tmp_path):
    registry, cluster = Registry(), Secretive()
    registry.add("x/y", "latest", {"config": {"Entrypoint": ["/app"]}})
    async with serving(registry), world(tmp_path, cluster, registries={"*": registry.base}) as one:
        settings = TaskSettings(pull_secrets=("hub",))
        tasks = [launch(one.store, image="x/y", path=f"t{n}", settings=settings) for n in range(20)]
        for task in tasks:
            await one.executor.launch(task)
        for task in tasks:
            await one.watched.launched(task.attempt)
        assert (cluster.read, len(registry.asked)) == (1, 2), registry.asked  # its manifest and its configuration
        await one.created(launch(one.store, image="x/y", path="one-more", settings=settings))
        assert (cluster.read, len(registry.asked)) == (1, 2)
        one.clock.now += KNOWN_S
        await one.created(launch(one.store, image="x/y", path="later", settings=settings))
        assert cluster.read == 2


class SlowStorage(FakeCluster):
    """Claims are taken when the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.claims = 0

    async def create(self, path: str, body: Json, *, timeout_s: float = 30.0) -> bytes:
        if path == CLAIMS:
            self.claims += 1
            await self.gate.wait()
        return await super().create(path, body, timeout_s=timeout_s)


async def test_tasks_that_begin_at_once_do_not_all_ask_for_their_runs_workspace(tmp_path):
    spec = {"resources": {"requests": {"storage": "1Gi"}}}
    settings = TaskSettings(workspace_claim="run-1-kfp-workspace", workspace_spec=spec)
    run_id, cluster = str(uuid.uuid4()), SlowStorage()
    async with world(tmp_path, cluster) as one:
        tasks = [launch(one.store, "true", path=f"t{n}", run_id=run_id, settings=settings) for n in range(AT_ONCE * 3)]
        for task in tasks:
            await one.executor.launch(task)
        await until(lambda: cluster.claims == AT_ONCE)
        cluster.gate.set()
        for task in tasks:
            await one.watched.launched(task.attempt)
        assert cluster.claims == AT_ONCE


class SlowDeletes(FakeCluster):
    """Deletes are carried out when the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.deletes = 0

    async def delete(self, path: str, *, uid: str = "", grace_s: int | None = None) -> bool:
        self.deletes += 1
        await self.gate.wait()
        return await super().delete(path, uid=uid, grace_s=grace_s)


async def test_many_that_are_cancelled_at_once_are_not_all_deleted_at_once(tmp_path):
    """A call that waits for a connection may time out before it is made."""
    cluster = SlowDeletes()
    async with world(tmp_path, cluster) as one:
        tasks = [launch(one.store, "true", path=f"t{n}") for n in range(CALLS * 3)]
        for task in tasks:
            await one.executor.launch(task)
        for task in tasks:
            await one.watched.launched(task.attempt)
        for task in tasks:
            await one.executor.cancel(task.attempt)
        await until(lambda: cluster.deletes >= CALLS)
        for _ in range(20):
            await asyncio.sleep(0)
        assert cluster.deletes == CALLS
        cluster.gate.set()
        for task in tasks:
            assert (await one.watched.finished(task.attempt)).state == ev.ATTEMPT_CANCELED
        assert not cluster.pods()
