"""G61: a component without a command runs what its image says; asked of a registry, over a cluster in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from builders.fake_cluster import FakeCluster
from builders.kubernetes_executors import OPTIONS, no_runs
from builders.launches import launch, store_in, watching
from builders.registries import Registry, serving
from gaps.gap import Gap
from headrace_scheduler.executors.kubernetes.executor import KubernetesExecutor, Limits

GAP = Gap(
    "G61",
    "The image's own entrypoint",
    kfp="a container without a command fails, and the first of its arguments is run as a program",
    here="on Kubernetes the image's registry is asked what it runs; arguments follow its entry point in place of its command",
)
CONFIG = {"config": {"Entrypoint": ["/app", "serve"], "Cmd": ["--port=80"]}}


async def told(folder, args: list[str]) -> list[str]:
    """The words that a Pod's companion is told to put before the task's own."""
    registry = Registry()
    registry.add("team/app", "v1", CONFIG)
    async with serving(registry), asyncio.timeout(20):
        limits = Limits(registries={"*": registry.base})
        cluster, store = FakeCluster(), store_in(folder)
        executor = KubernetesExecutor(cluster, store, OPTIONS, no_runs, limits)
        async with watching(executor) as watched:
            task = launch(store, *args, image="team/app:v1")
            task = replace(task, command=[], args=task.command)  # the builder's words are a command
            await executor.launch(task)
            await watched.launched(task.attempt)
        (pod,) = cluster.pods()
    words: list[str] = pod["spec"]["initContainers"][0]["args"][4:]  # behind what names the attempt
    return words


async def test_without_arguments_the_images_own_follow(tmp_path):
    assert await told(tmp_path, []) == ["/app", "serve", "--port=80"]


async def test_arguments_take_the_place_of_the_images_own(tmp_path):
    assert await told(tmp_path, ["--port=1"]) == ["/app", "serve"]
