"""Which content a tag names, asked of a registry on loopback; one that is away is left alone for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from builders.registries import Registry, serving
from headrace_scheduler.executors.kubernetes.image_digests import AWAY_S, KNOWN_S, ImageDigests
from headrace_scheduler.executors.kubernetes.images import Images


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def digests(registry: Registry, clock: Clock) -> AsyncIterator[ImageDigests]:
    async with serving(registry):
        images = Images({"*": registry.base}, clock)
        try:
            yield ImageDigests(None, images, (), clock)  # type: ignore[arg-type]  # without secrets nobody asks it
        finally:
            await images.close()


async def test_a_tag_names_a_digest_until_it_is_moved():
    registry, clock = Registry(), Clock()
    first = registry.add("team/image", "v1", {"config": {"Cmd": ["a"]}})
    async with digests(registry, clock) as asking:
        assert await asking.digest("registry.test/team/image:v1", "default", ()) == first
        second = registry.add("team/image", "v1", {"config": {"Cmd": ["b"]}})
        assert await asking.digest("registry.test/team/image:v1", "default", ()) == first
        clock.now += KNOWN_S
        assert await asking.digest("registry.test/team/image:v1", "default", ()) == second != first


@pytest.mark.parametrize("image", ["registry.test/team/none:v1", "no name of an image"])
async def test_an_image_that_is_not_there_has_none(image):
    async with digests(Registry(), Clock()) as asking:
        assert await asking.digest(image, "default", ()) == ""


async def test_a_registry_that_is_away_is_not_asked_again_at_once():
    registry, clock = Registry(status=503), Clock()
    async with digests(registry, clock) as asking:
        assert await asking.digest("registry.test/team/image:v1", "default", ()) == ""
        before = len(registry.asked)
        registry.status = 0
        digest = registry.add("team/image", "v1", {})
        assert await asking.digest("registry.test/team/image:v1", "default", ()) == ""
        assert len(registry.asked) == before
        clock.now += AWAY_S
        assert await asking.digest("registry.test/team/image:v1", "default", ()) == digest


async def test_a_node_that_ran_what_the_tag_stood_for_before_is_believed():
    registry = Registry()
    old = registry.add("team/image", "v1", {"config": {"Cmd": ["a"]}})
    new = registry.add("team/image", "v1", {"config": {"Cmd": ["b"]}})
    async with digests(registry, Clock()) as asking:
        assert await asking.digest("registry.test/team/image:v1", "default", (), new) == new
        assert await asking.digest("registry.test/team/image:v1", "default", (), old) == old


async def test_a_node_may_call_an_image_by_its_own_variant():
    registry = Registry()
    variant = registry.add("team/image", "amd64", {"config": {"Cmd": ["a"]}})
    index = registry.add_index("team/image", "v1", {"amd64": variant})
    async with digests(registry, Clock()) as asking:
        assert await asking.digest("registry.test/team/image:v1", "default", (), variant) == index
        assert await asking.digest("registry.test/team/image:v1", "default", (), "sha256:other") == "sha256:other"
        assert await asking.digest("registry.test/team/none:v1", "default", (), "sha256:other") == ""
