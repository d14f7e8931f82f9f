"""The executor port's suite on real Pods: every test of tests/ports/test_executor_port.py, with nothing changed but what runs it.

The suite drives an executor alone. What companions ask is answered by the scheduler's own handlers, from what was launched.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from cluster.bringup.kube import Kube
from cluster.bringup.places import GATEWAY, KUBECONFIG
from cluster.meeting import meeting_of
from fixtures.fix_s3 import S3
from fixtures.ports import free_ports
from headrace_identity.meeting import network_of
from headrace_protos.v1 import attempts_pb2_grpc
from headrace_scheduler.executors import port
from headrace_scheduler.executors.assignments import message_of
from headrace_scheduler.executors.kubernetes.executor import KubernetesExecutor
from headrace_scheduler.executors.kubernetes.making import cluster, pod_options
from headrace_scheduler.handlers.access import Access
from headrace_scheduler.handlers.attempts import AttemptsService
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.stores.configuring import make_stores
from headrace_scheduler.stores.keeping import opened
from headrace_servicekit.policies import ATTEMPTS
from headrace_servicekit.server import Served, serve
from headrace_servicekit.settings import load
from ports.test_executor_port import *  # noqa: F403  # the suite itself

MORE_THAN_WATCHES = 8  # calls at once, which need new connections, made after those of watches


class Recorded(KubernetesExecutor):
    """The executor, and what it was asked to launch, as the state of a run would have it."""

    launches: dict[port.AttemptId, port.Launch]

    async def launch(self, launch: port.Launch) -> None:
        self.launches[launch.attempt] = launch
        await super().launch(launch)

    async def find(self, run_id: str, path: str, number: int) -> port.Launch:
        return self.launches[port.AttemptId(run_id, path, number)]

    async def close(self) -> None:
        """Not before the connections of watches are there: tests end at once, and asyncio never closes a TLS connection whose
        making is cancelled in its first moment.
        """
        if self._tasks:
            await asyncio.gather(*(self._api.get("/version") for _ in range(MORE_THAN_WATCHES)))
        await super().close()

    async def durable(self, attempt: port.AttemptId, begin: Callable[[], bool]) -> bool:
        return begin()


@pytest.fixture
def settings(kube: Kube, objects: S3, companion: str, namespace: str, tmp_path: Path) -> dict[str, str]:
    objects.bucket("headrace", {})
    meeting = meeting_of(kube, namespace, tmp_path / "tokens")
    (address,) = free_ports(1)
    return {
        **meeting.settings,
        **objects.environ,
        "HEADRACE_TOKEN_FILE": str(meeting.tokens["scheduler"]),
        "HEADRACE_HOME": str(tmp_path / "home"),
        "HEADRACE_EXECUTOR": "kubernetes",
        "HEADRACE_SCHEDULER_ADDRESS": f"{GATEWAY}:{address}",
        "HEADRACE_COMPANION_IMAGE": companion,
        "HEADRACE_POD_NAMESPACE": namespace,
        "HEADRACE_INSTALLATION": namespace,
        "HEADRACE_ARTIFACT_ROOT": f"s3://headrace/{namespace}",
    }


@pytest.fixture
async def serving(settings: dict[str, str]) -> AsyncIterator[tuple[Recorded, Any]]:
    """The executor with the scheduler's handlers beside it, and its store."""
    held = load(SchedulerSettings, settings)
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(opened(make_stores(held, {**os.environ, **settings})))

        async def no_runs(wanted: frozenset[str]) -> dict[str, bool]:
            return {}

        executor = Recorded(cluster({"KUBECONFIG": str(KUBECONFIG)}), stores, pod_options(held), no_runs)
        executor.launches = {}
        granting = Access(stores)
        stack.callback(granting.close)

        def told(launch: port.Launch, pod: tuple[str, str]) -> Any:
            return message_of(launch, held.max_value_bytes, held.grace_s, pod=pod)

        service = AttemptsService(None, None, executor, told, executor.completed, granting)  # type: ignore[arg-type]

        def register(server: Any) -> None:
            attempts_pb2_grpc.add_AttemptsServicer_to_server(service, server)

        served = [Served("headrace.v1.Attempts", register, ATTEMPTS)]
        await stack.enter_async_context(
            serve(held.listening("scheduler"), served, service="scheduler", network=network_of(held))
        )
        yield executor, stores


@pytest.fixture
def store(serving: tuple[Recorded, Any]) -> Any:
    return serving[1]


@pytest.fixture
def executor(serving: tuple[Recorded, Any]) -> Recorded:
    return serving[0]
