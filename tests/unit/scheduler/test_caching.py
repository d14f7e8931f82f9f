"""Hits and what they need: content that was published must still be there; metadata alone needs nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from headrace_protos.v1 import cache_pb2, events_pb2
from headrace_scheduler.caching import CacheClient
from headrace_scheduler.engine.commands import AskCache
from headrace_servicekit.errors import Reason, ServiceError


@dataclass
class Cache:
    """The cache service at the edge: always one entry, every reservation granted unless somebody holds it."""

    outputs: events_pb2.Values | None = None
    held_by: str = ""
    down: bool = False
    dropped: list[str] = field(default_factory=list)

    async def Lookup(self, request: cache_pb2.LookupRequest) -> cache_pb2.LookupResponse:  # noqa: N802
        if self.down:
            raise ServiceError(Reason.UNAVAILABLE, "no cache")
        hit = cache_pb2.Hit(key="k", found=self.outputs is not None, outputs=self.outputs, origin="run/a")
        return cache_pb2.LookupResponse(hits=[hit])

    async def Invalidate(self, request: cache_pb2.InvalidateRequest) -> cache_pb2.InvalidateResponse:  # noqa: N802
        self.dropped.extend(request.keys)
        return cache_pb2.InvalidateResponse()

    async def Reserve(self, request: cache_pb2.ReserveRequest) -> cache_pb2.ReserveResponse:  # noqa: N802
        one = cache_pb2.Reserved(
            key="k", granted=not self.held_by, token="" if self.held_by else "t", holder=self.held_by
        )
        return cache_pb2.ReserveResponse(reserved=[one])


def outputs(digest: str) -> events_pb2.Values:
    values = events_pb2.Values()
    values.artifacts["metrics"].artifacts.add(uri="file:///store/metrics", digest=digest)
    return values


async def answer(cache: Cache, *, there: bool):
    async def exists(uris):
        return [there for _ in uris]

    asked = [("r", AskCache("a", cache_pb2.Ingredients()))]
    return (await CacheClient(cache, exists).ask(asked))[0][1]


async def test_a_hit_whose_content_is_there():
    fact = await answer(Cache(outputs("sha256:1")), there=True)
    assert (fact.found, fact.origin) == (True, "run/a")


async def test_a_hit_whose_content_is_gone_is_a_miss_and_is_dropped():
    cache = Cache(outputs("sha256:1"))
    fact = await answer(cache, there=False)
    assert (fact.found, fact.token) == (False, "t")
    assert cache.dropped == ["k"]


async def test_an_artifact_of_metadata_alone_needs_nothing_in_the_store():
    assert (await answer(Cache(outputs("")), there=False)).found


async def test_a_key_that_is_held_names_its_holder():
    fact = await answer(Cache(held_by="other/a"), there=True)
    assert (fact.found, fact.token, fact.held_by) == (False, "", "other/a")


@pytest.mark.parametrize("there", [True, False])
async def test_a_cache_that_is_down_is_a_miss(there):
    fact = await answer(Cache(outputs("sha256:1"), down=True), there=there)
    assert (fact.found, fact.unavailable) == (False, True)
