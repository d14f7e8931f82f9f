"""The cache service on a real Postgres: lookups, single flight, commits, invalidation, explanations."""

from __future__ import annotations

import asyncio

import pytest

from headrace_cache.server import CacheSettings, running
from headrace_cache.store import QUERIES
from headrace_protos.v1 import cache_pb2 as pb
from headrace_protos.v1 import cache_pb2_grpc, events_pb2
from headrace_servicekit.postgres import Database
from headrace_servicekit.server import channel


@pytest.fixture
async def cache(database_url, tmp_path):
    settings = CacheSettings(home=tmp_path, database_url=database_url)
    async with running(settings) as service, channel(service.address) as wire:
        yield cache_pb2_grpc.CacheStub(wire)


def ingredients(lr: str = "0.1") -> pb.Ingredients:
    return pb.Ingredients(namespace="default", pipeline_name="p", component="comp-train", parameters={"lr": lr})


def outputs(uri: str = "file:///a/b") -> events_pb2.Values:
    values = events_pb2.Values(parameters={"Output": events_pb2.Value(json='"x"')})
    values.artifacts["model"].artifacts.add(uri=uri, artifact_id="a")
    return values


async def key_of(cache, of: pb.Ingredients) -> str:
    return (await cache.Lookup(pb.LookupRequest(ingredients=[of]))).hits[0].key


async def token_of(cache, key: str, holder: str = "run-1/train") -> str:
    answer = await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key=key, holder=holder)]))
    return answer.reserved[0].token


async def commit(cache, of: pb.Ingredients, *, token: str = "", origin: str = "run-1/train") -> str:
    """With a token that was given before, or a new one."""
    key = await key_of(cache, of)
    token = token or await token_of(cache, key, origin)
    entry = pb.Entry(key=key, token=token, origin=origin, outputs=outputs(), ingredients=of)
    await cache.Commit(pb.CommitRequest(entries=[entry]))
    return key


async def test_a_miss_then_a_hit_with_what_was_committed(cache):
    answer = await cache.Lookup(pb.LookupRequest(ingredients=[ingredients(), ingredients("0.2")]))
    assert [hit.found for hit in answer.hits] == [False, False]
    await commit(cache, ingredients())
    answer = await cache.Lookup(pb.LookupRequest(ingredients=[ingredients(), ingredients("0.2")]))
    assert [hit.found for hit in answer.hits] == [True, False]
    assert answer.hits[0].outputs == outputs()
    assert answer.hits[0].origin == "run-1/train"
    assert answer.hits[0].created_at_us > 0


async def test_an_entry_that_is_too_old_is_a_miss_until_it_is_made_again(database_url, tmp_path):
    settings = CacheSettings(home=tmp_path, database_url=database_url, cache_max_age=3600.0)
    async with running(settings) as service, channel(service.address) as wire:
        cache = cache_pb2_grpc.CacheStub(wire)
        asked = pb.LookupRequest(ingredients=[ingredients()])
        key = await commit(cache, ingredients())
        assert (await cache.Lookup(asked)).hits[0].found
        async with Database(database_url, name="test", max_size=1) as database:
            aged = "UPDATE cache.entries SET created_at = created_at - interval '2 hours' WHERE key = %(key)s"
            await database.transaction(lambda t: t.execute(aged, {"key": key}))
        assert not (await cache.Lookup(asked)).hits[0].found
        await commit(cache, ingredients())
        assert (await cache.Lookup(asked)).hits[0].found


async def test_single_flight_the_second_learns_who_holds_the_key(cache):
    first = await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key="k", holder="r1/a")]))
    second = await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key="k", holder="r2/a")]))
    assert first.reserved[0].granted
    assert not second.reserved[0].granted
    assert second.reserved[0].holder == "r1/a"
    assert 0 < second.reserved[0].expires_after_s <= 60
    await cache.Release(pb.ReleaseRequest(reservations=[pb.Reservation(key="k", token=first.reserved[0].token)]))
    third = await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key="k", holder="r2/a")]))
    assert third.reserved[0].granted


async def test_of_many_at_once_exactly_one_is_granted(cache):
    wanted = [pb.ReserveRequest(reservations=[pb.Reservation(key="k", holder=f"r{i}/a")]) for i in range(20)]
    answers = await asyncio.gather(*(cache.Reserve(one) for one in wanted))
    assert sum(answer.reserved[0].granted for answer in answers) == 1


async def test_two_in_one_call_for_one_key(cache):
    both = [pb.Reservation(key="k", holder="r1/a"), pb.Reservation(key="k", holder="r1/b")]
    answer = await cache.Reserve(pb.ReserveRequest(reservations=both))
    assert [one.granted for one in answer.reserved] == [True, False]
    assert answer.reserved[1].holder == "r1/a"


async def test_renewing_with_the_token_keeps_it(cache):
    first = await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key="k", holder="r1/a")]))
    token = first.reserved[0].token
    again = await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key="k", holder="r1/a", token=token)]))
    assert again.reserved[0].granted
    assert again.reserved[0].token == token


async def test_a_commit_spends_the_token(cache):
    key = await key_of(cache, ingredients())
    reserved = await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key=key, holder="r1/a")]))
    await commit(cache, ingredients(), token=reserved.reserved[0].token)
    other = await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key=key, holder="r2/a")]))
    assert other.reserved[0].granted


async def test_what_was_dropped_does_not_come_back_with_a_commit_that_is_said_again(cache):
    """A scheduler that loads a run, to delete it perhaps, does not know which of its results the cache has been told."""
    key = await key_of(cache, ingredients())
    reserved = await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key=key, holder="r1/a")]))
    token = reserved.reserved[0].token
    await commit(cache, ingredients(), token=token)
    await commit(cache, ingredients(), token=token)
    assert (await cache.Lookup(pb.LookupRequest(ingredients=[ingredients()]))).hits[0].found
    await cache.Invalidate(pb.InvalidateRequest(keys=[key]))
    await commit(cache, ingredients(), token=token)
    assert not (await cache.Lookup(pb.LookupRequest(ingredients=[ingredients()]))).hits[0].found


async def test_a_commit_without_a_token_of_its_key_stores_nothing(cache):
    key, other = await key_of(cache, ingredients()), await key_of(cache, ingredients("0.2"))
    foreign = await token_of(cache, other)
    for token in ("", "no token", foreign):
        entry = pb.Entry(key=key, token=token, origin="r1/a", outputs=outputs(), ingredients=ingredients())
        await cache.Commit(pb.CommitRequest(entries=[entry]))
    await commit(cache, ingredients("0.2"), token=foreign)
    asked = await cache.Lookup(pb.LookupRequest(ingredients=[ingredients(), ingredients("0.2")]))
    assert [hit.found for hit in asked.hits] == [False, True]


async def test_what_was_committed_since_it_was_looked_up_is_not_reserved(cache):
    """Or a task would run again whose results are there."""
    key = await commit(cache, ingredients())
    seen_none = pb.Reservation(key=key, holder="r2/a", ingredients=ingredients())
    (answer,) = (await cache.Reserve(pb.ReserveRequest(reservations=[seen_none]))).reserved
    assert (answer.granted, answer.token, answer.holder) == (False, "", "")
    found_bad = pb.Reservation(key=key, holder="r3/a", ingredients=ingredients(), why="its content is gone")
    (answer,) = (await cache.Reserve(pb.ReserveRequest(reservations=[found_bad]))).reserved
    assert answer.granted  # nobody holds what was not granted before, and a bad entry is no reason to wait


async def test_who_looks_while_another_commits_runs_nothing_twice(cache):
    """Each looks up, reserves what is a miss, and commits it: one makes it, whatever happens between two calls."""
    made = []

    async def task(number):
        while True:
            (hit,) = (await cache.Lookup(pb.LookupRequest(ingredients=[ingredients()]))).hits
            if hit.found:
                return
            wanted = pb.Reservation(key=hit.key, holder=f"r{number}/a", ingredients=ingredients())
            (answer,) = (await cache.Reserve(pb.ReserveRequest(reservations=[wanted]))).reserved
            if answer.granted:
                made.append(number)
                await commit(cache, ingredients(), token=answer.token)

    await asyncio.gather(*(task(number) for number in range(20)))
    assert len(made) == 1


async def test_a_foreign_token_releases_nothing(cache):
    await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key="k", holder="r1/a")]))
    stolen = pb.Reservation(key="k", token="00000000-0000-0000-0000-000000000000")
    await cache.Release(pb.ReleaseRequest(reservations=[stolen]))
    other = await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key="k", holder="r2/a")]))
    assert not other.reserved[0].granted


@pytest.mark.parametrize(
    ("request_", "dropped"),
    [
        (pb.InvalidateRequest(run_id="run-1"), 1),
        (pb.InvalidateRequest(run_id="run-2"), 0),
        (pb.InvalidateRequest(uri_prefix="file:///a/"), 1),
        (pb.InvalidateRequest(uri_prefix="file:///b/"), 0),
        (pb.InvalidateRequest(uris=["file:///a/b"]), 1),
        (pb.InvalidateRequest(uris=["file:///a"]), 1),
        (pb.InvalidateRequest(uris=["file:///a/"]), 1),
        (pb.InvalidateRequest(uris=["file:///a/b/c", "file:///x"]), 0),
        (pb.InvalidateRequest(uris=["file:///"]), 1),
        (pb.InvalidateRequest(), 0),
    ],
)
async def test_invalidate(cache, request_, dropped):
    await commit(cache, ingredients())
    assert (await cache.Invalidate(request_)).dropped == dropped
    found = (await cache.Lookup(pb.LookupRequest(ingredients=[ingredients()]))).hits[0].found
    assert found == (dropped == 0)


async def test_explain_names_the_field_that_differs(cache):
    key = await commit(cache, ingredients("0.1"))
    answer = await cache.Explain(pb.ExplainRequest(ingredients=ingredients("0.2")))
    assert not answer.found
    assert (answer.nearest_key, answer.nearest_origin) == (key, "run-1/train")
    assert answer.first_difference == "parameters.lr"


async def test_a_commit_of_what_makes_another_key_keeps_nothing_and_spends_the_token(cache):
    key = await key_of(cache, ingredients())
    reserved = await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key=key, holder="r1/a")]))
    changed = ingredients("0.2")
    entry = pb.Entry(key=key, token=reserved.reserved[0].token, origin="r1/a", outputs=outputs(), ingredients=changed)
    await cache.Commit(pb.CommitRequest(entries=[entry]))
    asked = await cache.Lookup(pb.LookupRequest(ingredients=[ingredients(), changed]))
    assert [hit.found for hit in asked.hits] == [False, False]
    other = await cache.Reserve(pb.ReserveRequest(reservations=[pb.Reservation(key=key, holder="r2/a")]))
    assert other.reserved[0].granted


async def miss(cache, of: pb.Ingredients, holder: str, why: str = "", key: str | None = None) -> None:
    key = await key_of(cache, of) if key is None else key
    one = pb.Reservation(key=key, holder=holder, ingredients=of, why=why)
    await cache.Reserve(pb.ReserveRequest(reservations=[one]))


async def test_a_miss_is_explained_by_the_nearest_entry_of_its_time(cache):
    await commit(cache, ingredients("0.1"))
    await miss(cache, ingredients("0.2"), "run-2/train")
    await commit(cache, ingredients("0.3"), origin="run-3/train")
    await commit(cache, ingredients("0.2"), origin="run-2/train")
    told = await cache.Explain(pb.ExplainRequest(run_id="run-2", path="train"))
    assert (told.found, told.nearest_origin) == (False, "run-1/train")
    assert (told.first_difference, told.ours, told.theirs) == ("parameters.lr", "0.2", "0.1")
    assert list(told.fields) == ["namespace", "pipeline", "parameters"]


async def test_a_miss_without_any_entry_before_it(cache):
    await miss(cache, ingredients(), "run-1/train")
    told = await cache.Explain(pb.ExplainRequest(run_id="run-1", path="train"))
    assert (told.found, told.unknown, told.nearest_key, told.first_difference) == (False, False, "", "")


async def test_a_miss_says_why_its_own_entry_did_not_count(cache):
    await miss(cache, ingredients(), "run-2/train", "file:///a/b is not there any more")
    told = await cache.Explain(pb.ExplainRequest(run_id="run-2", path="train"))
    assert told.why == "file:///a/b is not there any more"


async def test_what_has_no_key_says_why(cache):
    await miss(cache, ingredients(), "run-2/train", "nobody knows", key="")
    told = await cache.Explain(pb.ExplainRequest(run_id="run-2", path="train"))
    assert (told.key, told.why, told.unknown) == ("", "nobody knows", False)


async def test_a_hit_is_explained_by_what_its_key_is_made_of(cache):
    key = await commit(cache, ingredients())
    request = pb.ExplainRequest(run_id="run-2", path="train", key=key, cached_from="run-1/train")
    told = await cache.Explain(request)
    assert (told.found, told.nearest_origin, told.nearest_created_at_us > 0) == (True, "run-1/train", True)
    assert list(told.fields) == ["namespace", "pipeline", "parameters"]


async def test_a_task_that_nobody_asked_for_is_unknown_and_so_are_those_of_a_deleted_run(cache):
    assert (await cache.Explain(pb.ExplainRequest(run_id="run-9", path="train"))).unknown
    await miss(cache, ingredients(), "run-2/train")
    await cache.Invalidate(pb.InvalidateRequest(run_id="run-2"))
    assert (await cache.Explain(pb.ExplainRequest(run_id="run-2", path="train"))).unknown


async def test_a_lookup_may_ask_for_young_entries_alone(cache, database_url):
    key = await commit(cache, ingredients())
    async with Database(database_url, name="test", max_size=1) as database:
        aged = "UPDATE cache.entries SET created_at = created_at - interval '2 hours' WHERE key = %(key)s"
        await database.transaction(lambda t: t.execute(aged, {"key": key}))
    for limit, found in ((60.0, False), (10_000.0, True), (0.0, True)):
        hit = (await cache.Lookup(pb.LookupRequest(ingredients=[ingredients()], max_age_s=[limit]))).hits[0]
        assert hit.found == found
        assert bool(hit.why) != found


async def test_every_query_prepares(cache, database_url):
    async with Database(database_url, name="test") as database:

        async def prepare(t) -> None:
            for number, name in enumerate(QUERIES):
                await t.execute(f"PREPARE q{number} AS {QUERIES.positional(name)}")

        await database.transaction(prepare)


async def test_entries_are_listed_by_age_and_number_and_by_what_they_need(cache, database_url):
    keys = [await commit(cache, ingredients(lr), origin=f"run-{lr}/train") for lr in ("0.1", "0.2", "0.3")]
    async with Database(database_url, name="test") as database:

        async def age(tx):
            for days, key in zip((9, 5, 1), keys, strict=True):
                told = {"days": days, "key": key}
                made = (
                    "UPDATE cache.entries SET created_at = now() - make_interval(days => %(days)s) WHERE key = %(key)s"
                )
                await tx.execute(made, told)

        await database.transaction(age)
        ((week_ago,),) = await database.read("SELECT (extract(epoch FROM now() - interval '7 days') * 1e6)::bigint")
    of = {"namespace": "default", "pipeline_name": "p"}
    assert [
        (one.namespace, one.pipeline_name) for one in (await cache.ListPipelines(pb.ListPipelinesRequest())).pipelines
    ] == [("default", "p")]

    async def listed(**limits) -> list[str]:
        return [one.key for one in (await cache.ListEntries(pb.ListEntriesRequest(**of, **limits))).entries]

    assert await listed() == []
    assert await listed(created_before_us=week_ago) == keys[:1]
    assert await listed(beyond=1, counted=True) == keys[:2]
    assert await listed(beyond=0, counted=True, most=2) == keys[:2]
    (first, *_) = (await cache.ListEntries(pb.ListEntriesRequest(**of, created_before_us=week_ago))).entries
    assert (first.origin, first.newer, list(first.uris)) == ("run-0.1/train", 2, ["file:///a/b"])

    async def using(*uris: str) -> int:
        return len((await cache.EntriesUsing(pb.EntriesUsingRequest(uris=uris))).entries)

    for uri in ("file:///a/b", "file:///a/b/", "file:///a", "file:///a/b/c"):
        assert await using(uri) == 3, uri
    assert await using("file:///a/bc", "file:///x") == 0


async def test_values_by_reference_are_among_what_an_entry_needs(cache):
    one = ingredients()
    values = outputs()
    values.parameters["big"].CopyFrom(events_pb2.Value(uri="file:///a/values/x", size=40_000))
    key = await key_of(cache, one)
    token = await token_of(cache, key)
    entry = pb.Entry(key=key, token=token, origin="run-1/train", outputs=values, ingredients=one)
    await cache.Commit(pb.CommitRequest(entries=[entry]))
    (found,) = (await cache.EntriesUsing(pb.EntriesUsingRequest(uris=["file:///a/values/x"]))).entries
    assert sorted(found.uris) == ["file:///a/b", "file:///a/values/x"]
    assert (await cache.Invalidate(pb.InvalidateRequest(uris=["file:///a/values/x"]))).dropped == 1
