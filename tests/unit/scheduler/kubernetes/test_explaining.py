"""What a waiting Pod is asked about, and how seldom where the cluster has enough to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from builders.fake_cluster import FakeCluster
from headrace_scheduler.executors import port
from headrace_scheduler.executors.kubernetes.calling import Json, Page, Query
from headrace_scheduler.executors.kubernetes.explaining import A_ROUND, LOOK_S, REST, SOON_S, Explainer
from headrace_scheduler.executors.kubernetes.following import Following
from headrace_scheduler.executors.kubernetes.inventory import Stock
from headrace_scheduler.executors.kubernetes.register import Register
from headrace_scheduler.executors.kubernetes.seen import read

PODS = "/api/v1/namespaces/default/pods"


class SlowCluster(FakeCluster):
    """Listing events takes so long, by the clock that the test reads."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = 1000.0
        self.takes_s = 0.0
        self.asked: list[str] = []

    async def pages(self, path: str, query: Query) -> AsyncIterator[Page]:
        self.asked.append(query["fieldSelector"])
        self.clock += self.takes_s
        async for page in super().pages(path, query):
            yield page


class World:
    """Pods on a node that do not run yet."""

    def __init__(self, count: int) -> None:
        self.cluster = SlowCluster()
        self.register = Register(lambda of: None)
        self.begun: list[Coroutine[Any, Any, None]] = []
        self.given_up: list[Following] = []
        self.explainer = Explainer(
            self.cluster, self.register, Stock(), 300, lambda: self.cluster.clock, self._spawn, self.given_up.append
        )
        self.pods = [self._pod(f"pod-{number}") for number in range(count)]

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.begun.append(work)

    def _pod(self, name: str, **status: Any) -> Following:
        found = self.cluster.put(PODS, {"metadata": {"name": name}, "spec": {"nodeName": "n1"}, "status": status})
        attempt = port.AttemptId("1" * 32, name, 1)
        of = Following(attempt, "default", name=name, uid=found["metadata"]["uid"], since=self.cluster.clock)
        self.register.follow(of)
        self.seen(of, found)
        return of

    def seen(self, of: Following, found: Json) -> None:
        of.pod = read(found)
        self.explainer.waits(of, found)

    async def look(self) -> int:
        """How many Pods are asked about."""
        before = len(self.cluster.asked)
        self.explainer.look()
        begun, self.begun = self.begun, []
        await asyncio.gather(*begun)
        return len(self.cluster.asked) - before


async def test_a_quick_cluster_is_asked_about_each_pod_that_waits():
    world = World(3)
    assert await world.look() == 0, "they may run any moment"
    world.cluster.clock += LOOK_S
    assert await world.look() == 3
    assert await world.look() == 0, "they were just asked about"


async def test_a_slow_cluster_is_left_alone_for_many_times_as_long_as_it_took_to_answer():
    world = World(3 * A_ROUND)
    world.cluster.clock += LOOK_S
    world.cluster.takes_s = 0.5
    assert await world.look() == A_ROUND, "not all at once"
    world.cluster.clock += REST * 0.5 * A_ROUND - 1
    assert await world.look() == 0
    world.cluster.clock += 1
    assert await world.look() == A_ROUND


async def test_while_a_round_is_under_way_no_other_one_begins():
    world = World(1)
    world.cluster.clock += LOOK_S
    world.explainer.look()
    world.cluster.clock += 60
    world.explainer.look()
    (only,) = world.begun
    await only


async def test_what_waits_on_a_node_says_so_though_the_cluster_could_not_be_asked():
    world = World(1)
    world.cluster.away = "it is down"
    world.cluster.clock += SOON_S
    await world.look()
    assert world.pods[0].held == "its containers are being made on 'n1'"


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
async def test_what_every_container_waits_for_at_first_needs_no_words(reason):
    world = World(1)
    found = world.cluster.objects[f"{PODS}/pod-0"]
    world.seen(world.pods[0], {**found, "status": {"containerStatuses": [state(reason)]}})
    assert world.pods[0].wait is None


async def test_an_image_that_cannot_be_pulled_is_known_from_the_watch():
    world = World(1)
    found = world.cluster.objects[f"{PODS}/pod-0"]
    found["spec"]["containers"] = [{"name": "main", "image": "nothere:1"}]
    world.seen(world.pods[0], {**found, "status": {"containerStatuses": [state("ImagePullBackOff")]}})
    world.cluster.away = "it is down"
    world.cluster.clock += SOON_S
    await world.look()
    assert "'nothere:1' cannot be pulled on 'n1'" in world.pods[0].held
    world.cluster.clock += 301
    await world.look()
    assert world.given_up == world.pods


def state(reason: str) -> Json:
    return {"name": "main", "state": {"waiting": {"reason": reason, "message": "said"}}}
