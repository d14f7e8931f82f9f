"""Watching by server-sent events and by the public gRPC stream: resumption, restarts behind, slow and wrong readers."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from builders.runevents import create, created, event, new_run_id, started, task_life, values
from builders.server_sent import Parser
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_apiserver.gateway import events
from headrace_apiserver.server import ApiserverSettings, Running, running
from headrace_persistence.server import serve
from headrace_protos.event_json import event_objects
from headrace_protos.v1 import catalog_pb2_grpc, run_query_pb2_grpc, run_store_pb2_grpc, runs_pb2_grpc
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_servicekit.server import channel
from headrace_servicekit.settings import Settings

API = "/apis/headrace.v1"
STARTED = [event(run_started=ev.RunStarted())]
ENDED = [event(run_finished=ev.RunFinished(state=ev.RUN_SUCCEEDED))]


@asynccontextmanager
async def served(address: str, home: Path, **settings: int) -> AsyncIterator[tuple[Running, aiohttp.ClientSession]]:
    """An apiserver over a persistence, and a client of it."""
    made = ApiserverSettings(
        home=home,
        http_address="127.0.0.1:0",
        grpc_address="127.0.0.1:0",
        persistence_address=address,
        scheduler_address=f"unix:{home}/none.sock",
        **settings,
    )
    async with running(made) as up, aiohttp.ClientSession(f"http://{up.http_address}", read_bufsize=1 << 21) as session:
        yield up, session


@pytest.fixture
async def api(persistence: Persistence, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with served(persistence.address, tmp_path) as (_, session):
        yield session


async def read(session, path, parser=None, last=None, until=None, **query):
    """The events of one stream to its end, or until there are so many."""
    parser = parser or Parser()
    headers = {"Last-Event-ID": last} if last is not None else {}
    found = []
    async with asyncio.timeout(30), session.get(API + path, params=query, headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        async for one in parser.stream(response.content):
            found.append(one)
            if until is not None and len(found) == until:
                break
    return found


async def test_a_run_to_its_end_and_from_any_event(api, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    await scheduler.apply(run_id, 1, [*STARTED, created("a"), *task_life("a"), *ENDED])
    parser = Parser()
    *told, last = await read(api, f"/runs/{run_id}/events", parser)
    assert last == ("end", {"state": "SUCCEEDED"})
    assert (parser.retry, parser.last_id) == (2000, "9")
    assert [one["seq"] for _, one in told] == [one["sequence"] for _, one in told] == list(range(1, 10))
    assert told[7] == (
        "message",
        {**told[7][1], "kind": "task_finished", "path": "a", "attempt": 0, "run_id": run_id},
    )
    assert told[7][1]["data"]["state"] == "TASK_SUCCEEDED"
    for at in range(9):
        assert (await read(api, f"/runs/{run_id}/events", last=str(at)))[:-1] == told[at:]
        assert (await read(api, f"/runs/{run_id}/events", after=str(at)))[:-1] == told[at:]
    async with api.get(f"{API}/runs/{run_id}/events", headers={"Last-Event-ID": "9"}) as response:
        assert response.status == 204  # what ends a browser's coming back


async def test_all_runs_from_now_and_by_kind(api, scheduler: Scheduler) -> None:
    old = await scheduler.create()
    reading = asyncio.create_task(read(api, "/events", from_now="true", kinds="run_created,task_finished", until=2))
    parser = Parser()
    async with api.get(f"{API}/events?from_now=true") as response:
        async for _ in response.content:
            parser.line(_.decode().rstrip("\n"))
            if parser.last_id:  # it is told where it is before anything happens
                break
    new = new_run_id()
    await scheduler.apply(old, 1, STARTED)
    await scheduler.create(new)
    await scheduler.apply(new, 1, [*STARTED, created("a"), *task_life("a")])
    told = [one for _, one in await read(api, "/events", last=parser.last_id, until=9)]
    assert [(one["run_id"], one["seq"]) for one in told] == [(old, 2), *((new, seq) for seq in range(1, 9))]
    assert [(one["run_id"], one["kind"]) for _, one in await reading] == [(new, "run_created"), (new, "task_finished")]
    history = await read(api, "/events", follow="false")
    assert history[-1] == ("end", {})
    assert [one for _, one in history[-10:-1]] == told


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/runs/0197c3a8-0000-7000-8000-000000000000/events", 404, "not found"),
        ("/runs/nope/events", 404, "Run nope not found"),
        ("/events?kinds=task_ended", 400, "'task_ended' is no kind of event"),
        ("/events?after=x", 400, "after is 'x'; expected a sequence number"),
        ("/events?after=1000000000000000", 400, "which this platform has not come to"),
        ("/events?follow=perhaps", 400, "follow is 'perhaps'; expected true or false"),
        (
            "/events?kind=task_finished",
            400,
            "'kind' is no option of events; there are after, from_now, kinds and follow",
        ),
    ],
)
async def test_wrong_requests_have_their_answers(api, scheduler, path, status, says) -> None:
    async with api.get(API + path) as response:
        body = json.loads(await response.read())
        assert (response.status, says in body["message"]) == (status, True), body


async def test_pages_of_other_sites_read_nothing(api) -> None:
    async with api.get(f"{API}/events", headers={"Origin": "https://evil.example"}) as response:
        assert response.status == 403
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_quiet_stream_shows_that_it_lives(api, scheduler: Scheduler, monkeypatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", 0.05)
    run_id = await scheduler.create()
    parser = Parser()
    async with asyncio.timeout(20), api.get(f"{API}/runs/{run_id}/events") as response:
        async for line in response.content:
            parser.line(line.decode().rstrip("\n"))
            if parser.comments == 3:
                break
    assert parser.last_id == "1"


async def test_a_reader_that_takes_nothing_gives_its_place_back(
    persistence: Persistence, scheduler: Scheduler, tmp_path: Path, monkeypatch
) -> None:
    """Twenty megabytes wait for it: more than the buffers between hold."""
    monkeypatch.setattr(events, "STALLED", 0.3)
    run_id = await scheduler.create()
    for index in range(40):
        task = [created(f"t{index}"), started(f"t{index}", inputs=values(x=f'"{"y" * 500_000}"'))]
        await scheduler.apply(run_id, 1 + 2 * index, task)
    await scheduler.apply(run_id, 81, ENDED)
    async with served(persistence.address, tmp_path, watchers=1) as (up, session):
        host, _, port = up.http_address.rpartition(":")
        taken, stalled = await asyncio.open_connection(host, int(port), limit=1)  # it reads no further than its buffer
        stalled.write(f"GET {API}/runs/{run_id}/events HTTP/1.1\r\nHost: {up.http_address}\r\n\r\n".encode())
        assert await taken.read(8) == b"HTTP/1.1"
        assert await status_of(session, f"/runs/{run_id}/events?follow=false") == 503
        async with asyncio.timeout(30):
            while (await status_of(session, "/events?follow=false&kinds=run_retried")) != 200:
                continue
        stalled.close()
        async with asyncio.timeout(30):
            while (await status_of(session, "/events?follow=false&kinds=run_retried")) != 200:
                continue
        told = await read(session, f"/runs/{run_id}/events", last="1")
    assert [one["seq"] for _, one in told[:-1]] == list(range(2, 83))


async def status_of(session: aiohttp.ClientSession, path: str) -> int:
    async with session.get(API + path) as response:
        await response.read()  # to its end: then its place is free
        return response.status


async def test_a_full_house_is_a_sentence(persistence: Persistence, scheduler: Scheduler, tmp_path: Path) -> None:
    run_id = await scheduler.create()
    async with served(persistence.address, tmp_path, watchers=1) as (_, session):
        async with session.get(f"{API}/runs/{run_id}/events") as first:
            assert first.status == 200
            async with session.get(f"{API}/runs/{run_id}/events") as second:
                body = json.loads(await second.read())
                assert (second.status, "the most that HEADRACE_WATCHERS allows" in body["message"]) == (503, True)
        async with asyncio.timeout(30):
            while (await status_of(session, f"/runs/{run_id}/events?follow=false")) != 200:
                continue  # the place of a reader that has left is free a little later


class Relay:
    """The address of a persistence that may be away, and come back elsewhere."""

    def __init__(self, address: str) -> None:
        self.address, self.behind = address, ""
        self._open: set[asyncio.StreamWriter] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            onward, back = await asyncio.open_unix_connection(self.behind.removeprefix("unix:"))
            self._open.add(back)
            await asyncio.gather(self._copy(reader, back), self._copy(onward, writer))
        except OSError:
            writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    def cut(self) -> None:
        self.behind = "/nowhere"
        for one in self._open:
            one.close()


async def test_streams_outlive_a_restart_of_persistence(database_url: str, tmp_path: Path, monkeypatch) -> None:
    """Both kinds, of a run and of all, are taken up where they broke: each event once, and no reader notices."""
    monkeypatch.setattr(events, "FIRST", 0.1)
    with tempfile.TemporaryDirectory(prefix="hr-") as folder:
        relay = Relay(f"unix:{folder}/relay.sock")
        entered = await asyncio.start_unix_server(relay.accept, f"{folder}/relay.sock")
        async with entered, served(relay.address, tmp_path) as (up, session):
            await outlive(relay, up, session, [f"{folder}/{name}" for name in ("one", "two")], database_url)


async def outlive(relay: Relay, up: Running, session, homes: list[str], database_url: str) -> None:
    run_id = new_run_id()
    seen: dict[str, list[int]] = {name: [] for name in ("run", "all", "sse", "back")}
    tasks: list[asyncio.Task[None]] = []
    async with channel(up.grpc_address) as public:
        watch = runs_pb2_grpc.RunsStub(public).Watch

        async def grpc(name: str, **request: str) -> None:
            async for answer in watch(rq.WatchRequest(follow=True, **request)):
                seen[name] += [one["seq"] for one in event_objects(answer)]
                if 3 in seen[name]:
                    return

        async def sse(name: str, last: str | None) -> None:
            seen[name] += [one["seq"] for _, one in await read(session, "/events", last=last, until=3)]

        async with persistence_at(homes[0], database_url) as first:
            relay.behind = first.address
            await first.store.Deliver(create(run_id))
            tasks += [asyncio.create_task(one) for one in (grpc("run", run_id=run_id), grpc("all"), sse("sse", None))]
            async with asyncio.timeout(20):
                while not (seen["run"] and seen["all"]):
                    await asyncio.sleep(0)
            relay.cut()
        async with session.get(f"{API}/events") as refused:  # who is new is told; who comes back is kept
            assert refused.status == 503
        tasks.append(asyncio.create_task(sse("back", "0")))
        async with persistence_at(homes[1], database_url) as second:
            relay.behind = second.address
            scheduler = await second.scheduler()
            await scheduler.apply(run_id, 1, STARTED)
            await scheduler.apply(run_id, 2, [created("a")])
            async with asyncio.timeout(30):
                await asyncio.gather(*tasks)
    assert seen == {name: [1, 2, 3] for name in seen}


@asynccontextmanager
async def persistence_at(home: str, database_url: str) -> AsyncIterator[Persistence]:
    settings = Settings(home=Path(home), database_url=database_url)
    async with await serve(settings) as handle, channel(handle.address) as to:
        stubs = (run_store_pb2_grpc.RunStoreStub, run_query_pb2_grpc.RunQueryStub, catalog_pb2_grpc.CatalogStub)
        yield Persistence(handle.address, database_url, *(stub(to) for stub in stubs))
