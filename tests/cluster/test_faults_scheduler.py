"""The scheduler is killed, or its connections to the API server break, in a run of 200 tasks: nothing is lost, nothing runs
twice, no Pod stays.

The Pods are on a simulated node, where stand-ins report; everything else is real, the services one process each.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bench.driving import Client, client
from bench.flows import loop

from cluster import faults
from cluster.bringup import simulated
from cluster.bringup.kube import Kube
from cluster.bringup.places import KUBECONFIG
from cluster.standing_in import Companions, companions, pod_defaults
from fixtures.fix_s3 import S3
from fixtures.platforms import Platform, running
from headrace_servicekit.settings import sockets_folder

TASKS = 200


@dataclass
class Wide:
    """A platform with a run of 200 tasks under way."""

    platform: Platform
    client: Client
    kube: Kube
    namespace: str
    companions: Companions

    async def until(self, ready: Callable[[], Any]) -> None:
        async with asyncio.timeout(90):
            while not await asyncio.to_thread(ready):
                await asyncio.sleep(0.05)

    async def reported(self, count: int) -> None:
        await self.until(lambda: len(self.companions.sent) >= count)

    async def ends_well(self, run_id: str) -> None:
        """The run has succeeded, each of its tasks with one attempt, and its Pods go."""
        await asyncio.to_thread(self.client.wait, run_id, 120)
        tasks = [task for task in self.client.tasks(run_id) if task.path.endswith("/work")]
        assert [len(task.attempts) for task in tasks] == [1] * TASKS
        assert len(self.companions._told) == TASKS
        await self.until(lambda: not self.kube.list("Pod", self.namespace))


@pytest.fixture
def node(kube: Kube, namespace: str) -> Iterator[str]:
    """A label of a simulated node of this test's own."""
    label = f"headrace.test/{namespace}"
    simulated.add(kube, namespace, {label: "true"})
    yield label
    kube.delete("Node", namespace)


@asynccontextmanager
async def wide(
    kube: Kube, objects: S3, namespace: str, node: str, tmp_path: Path, config: Path = KUBECONFIG
) -> AsyncIterator[Wide]:
    defaults = tmp_path / "defaults.json"
    defaults.write_text(json.dumps(pod_defaults(node)))
    settings = {
        "HEADRACE_EXECUTOR": "kubernetes",
        "KUBECONFIG": str(config),
        "HEADRACE_POD_NAMESPACE": namespace,
        "HEADRACE_INSTALLATION": namespace,
        "HEADRACE_POD_SCHEDULER_ADDRESS": "127.0.0.1:1",
        "HEADRACE_POD_DEFAULTS": str(defaults),
        "HEADRACE_KEEP_PODS_S": "1",
        "HEADRACE_ARTIFACT_ROOT": objects.bucket(namespace, {}),
        **objects.environ,
    }
    with running("processes", tmp_path / "home", **settings) as platform, client(platform) as one:
        scheduler = f"unix:{sockets_folder(platform.home)}/scheduler.sock"
        async with companions(str(KUBECONFIG), scheduler, namespace, namespace) as standing_in:
            yield Wide(platform, one, kube, namespace, standing_in)


async def test_the_scheduler_is_killed_while_it_creates_pods_and_while_they_report(
    kube: Kube, objects: S3, namespace: str, node: str, tmp_path: Path
) -> None:
    async with wide(kube, objects, namespace, node, tmp_path) as run:
        run_id = await asyncio.to_thread(run.client.submit, loop("faults", TASKS))
        await run.until(lambda: len(run.companions.made) >= 1)
        run.platform.kill("scheduler")
        run.platform.start_again("scheduler")
        await run.reported(TASKS // 2)
        run.platform.kill("scheduler")
        run.platform.start_again("scheduler")
        await run.ends_well(run_id)


async def test_connections_to_the_api_server_break(
    kube: Kube, objects: S3, namespace: str, node: str, tmp_path: Path
) -> None:
    with faults.Wire() as wire:
        async with wide(kube, objects, namespace, node, tmp_path, wire.kubeconfig(tmp_path)) as run:
            run_id = await asyncio.to_thread(run.client.submit, loop("faults", TASKS))
            for part in (8, 4, 2):
                await run.reported(TASKS // part)
                before = wire.accepted
                wire.cut()
                await run.until(lambda before=before: wire.accepted > before)
            await run.ends_well(run_id)
