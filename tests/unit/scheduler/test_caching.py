"""Hits and what they need: content that was published must still be there; metadata alone needs nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from headrace_protos.v1 import cache_pb2, events_pb2
from headrace_scheduler import caching
from headrace_scheduler.caching import REFRESH, CacheClient, uris_of
from headrace_scheduler.engine.commands import AskCache, CommitCache
from headrace_scheduler.executors.port import AttemptId
from headrace_servicekit.errors import Reason, ServiceError


@dataclass
class Cache:
    """The cache service at the edge: always one entry, every reservation granted unless somebody holds it."""

    outputs: events_pb2.Values | None = None
    held_by: str = ""
    down: bool = False
    dropped: list[str] = field(default_factory=list)
    reserved: list[cache_pb2.Reservation] = field(default_factory=list)

    async def Lookup(self, request: cache_pb2.LookupRequest) -> cache_pb2.LookupResponse:  # noqa: N802
        if self.down:
            raise ServiceError(Reason.UNAVAILABLE, "no cache")
        hit = cache_pb2.Hit(key="k", found=self.outputs is not None, outputs=self.outputs, origin="run/a")
        return cache_pb2.LookupResponse(hits=[hit])

    async def Invalidate(self, request: cache_pb2.InvalidateRequest) -> cache_pb2.InvalidateResponse:  # noqa: N802
        self.dropped.extend(request.keys)
        return cache_pb2.InvalidateResponse()

    async def Reserve(self, request: cache_pb2.ReserveRequest) -> cache_pb2.ReserveResponse:  # noqa: N802
        self.reserved.extend(request.reservations)
        one = cache_pb2.Reserved(
            key="k", granted=not self.held_by, token="" if self.held_by else "t", holder=self.held_by
        )
        return cache_pb2.ReserveResponse(reserved=[one])


def outputs(digest: str) -> events_pb2.Values:
    values = events_pb2.Values()
    values.artifacts["metrics"].artifacts.add(uri="file:///store/metrics", digest=digest)
    return values


class Known:
    """What lies elsewhere is known, but for what `unknown` says."""

    def __init__(self, unknown: str = "") -> None:
        self.unknown = unknown

    async def complete(self, asked):
        return [self.unknown or one.ingredients for one in asked]


async def answer(cache: Cache, *, there: bool, known: Known | None = None, enabled: bool = True, **asked):
    async def check(hits):
        return ["" if there or not uris_of(one) else "file:///store/metrics is not there any more" for one in hits]

    client = CacheClient(cache, check, known or Known(), enabled)
    command = AskCache("a", asked.pop("ingredients", cache_pb2.Ingredients()), **asked)
    return (await client.ask([("r", command)]))[0][1]


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
async def test_what_is_committed_between_looking_and_reserving_is_a_hit(there):
    class Moving(Cache):
        async def Reserve(self, request):  # noqa: N802
            if self.outputs is None:
                self.outputs = outputs("sha256:1" if there else "")
                return cache_pb2.ReserveResponse(reserved=[cache_pb2.Reserved(key="k")])
            return await super().Reserve(request)

    fact = await answer(Moving(), there=there)
    assert (fact.found, fact.origin, fact.token) == (True, "run/a", "")


async def test_a_key_that_never_rests_is_a_miss_without_a_reservation():
    class Restless(Cache):
        looked = 0

        async def Reserve(self, request):  # noqa: N802
            self.looked += 1
            return cache_pb2.ReserveResponse(reserved=[cache_pb2.Reserved(key="k")])

    cache = Restless()
    fact = await answer(cache, there=True)
    assert (fact.found, fact.token, fact.held_by, cache.looked) == (False, "", "", caching.LOOKS)


@pytest.mark.parametrize("there", [True, False])
async def test_a_cache_that_is_down_is_a_miss(there):
    fact = await answer(Cache(outputs("sha256:1"), down=True), there=there)
    assert (fact.found, fact.unavailable) == (False, True)


async def test_a_cache_that_says_nothing_holds_nobody_up_and_is_left_alone_a_while(monkeypatch):
    monkeypatch.setattr(caching, "ANSWERS_WITHIN_S", 0.01)
    now, asked = [100.0], []

    class Stopped(Cache):
        async def Lookup(self, request):  # noqa: N802
            asked.append(now[0])
            await asyncio.Event().wait()

    async def check(hits):
        return [""] * len(hits)

    client = CacheClient(Stopped(), check, Known(), clock=lambda: now[0])
    for now[0] in (100.0, 104.9, 105.1):
        ((_, fact),) = await client.ask([("r", AskCache("a", cache_pb2.Ingredients()))])
        assert (fact.found, fact.unavailable) == (False, True)
    assert asked == [100.0, 105.1]


async def test_a_hit_that_is_gone_is_told_to_the_cache_with_its_reason():
    cache = Cache(outputs("sha256:1"))
    await answer(cache, there=False)
    assert [(one.key, one.holder, one.why) for one in cache.reserved] == [
        ("k", "r/a", "file:///store/metrics is not there any more")
    ]


async def test_a_refresh_runs_whatever_there_is_and_keeps_the_entry_until_it_has_another():
    cache = Cache(outputs("sha256:1"))
    fact = await answer(cache, there=True, refresh=True)
    assert (fact.found, fact.token) == (False, "t")
    assert cache.dropped == []
    assert [one.why for one in cache.reserved] == [REFRESH]


async def test_a_hit_without_an_output_that_is_declared_now_is_a_miss():
    wanted = cache_pb2.Ingredients(output_parameters={"score": "STRING", "more": "STRING optional"})
    held = events_pb2.Values()
    assert not (await answer(Cache(held), there=True, ingredients=wanted)).found
    held.parameters["score"].json = "1"
    assert (await answer(Cache(held), there=True, ingredients=wanted)).found
    wanted.output_artifacts["model"] = "system.Model@0.0.1"
    assert not (await answer(Cache(held), there=True, ingredients=wanted)).found


async def test_a_task_whose_input_cannot_be_told_apart_runs_uncached_and_says_why():
    cache = Cache(outputs("sha256:1"))
    fact = await answer(cache, there=True, known=Known("nobody knows what lies there"))
    assert (fact.found, fact.unavailable, fact.key) == (False, True, "")
    assert [(one.key, one.holder, one.why) for one in cache.reserved] == [("", "r/a", "nobody knows what lies there")]


async def test_a_cache_that_is_switched_off_is_not_asked():
    fact = await answer(Cache(outputs("sha256:1")), there=True, enabled=False)
    assert (fact.found, fact.unavailable) == (False, True)


class Kept(Cache):
    def __init__(self) -> None:
        super().__init__(None)
        self.entries: list[cache_pb2.Entry] = []

    async def Commit(self, request: cache_pb2.CommitRequest) -> cache_pb2.CommitResponse:  # noqa: N802
        self.entries.extend(request.entries)
        return cache_pb2.CommitResponse()


@pytest.mark.parametrize(
    ("told", "late", "ran"),
    [("", "sha256:late", "sha256:late"), ("sha256:told", "sha256:late", "sha256:told"), ("", "", "")],
)
async def test_a_result_is_kept_for_the_image_that_made_it(told, late, ran):
    asked = []

    async def image_ran(attempt):
        asked.append(attempt)
        return late

    class Identifies:
        async def complete(self, asked):
            return [cache_pb2.Ingredients(image_digest=one.image_ran) for one in asked]

    cache = Kept()
    client = CacheClient(cache, None, Identifies(), image_ran=image_ran)
    made = CommitCache("a", "k", "t", outputs("sha256:1"), cache_pb2.Ingredients(), image_ran=told, number=2)
    await client.commit([("r", made)])
    assert [one.ingredients.image_digest for one in cache.entries] == [ran]
    assert asked == ([] if told else [AttemptId("r", "a", 2)])
