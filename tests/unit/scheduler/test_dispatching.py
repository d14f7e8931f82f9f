"""The dispatcher and tasks that wait for an identical one: the end of that one, told to the cache, wakes them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from headrace_protos.v1 import cache_pb2, events_pb2
from headrace_scheduler.caching import Asked, CacheClient
from headrace_scheduler.dispatching import Dispatcher
from headrace_scheduler.engine.commands import AskCache, CommitCache
from headrace_scheduler.engine.facts import CacheAnswered, CacheSettled, Fact
from headrace_scheduler.executors.port import Executor
from headrace_scheduler.importing import Importer
from headrace_scheduler.storing import Contents

WITHIN_S = 5


class Reservations:
    """What the dispatcher uses of a CacheClient: the first to ask has the reservation."""

    def __init__(self) -> None:
        self.asked = 0
        self.answering = asyncio.Event()
        self.answering.set()

    async def ask(self, asked: Sequence[Asked]) -> list[tuple[str, CacheAnswered]]:
        answers = []
        for run_id, command in asked:
            self.asked += 1
            held_by = "" if self.asked == 1 else "run/a"
            answers.append((run_id, CacheAnswered(command.path, "key", token="" if held_by else "t", held_by=held_by)))
        await self.answering.wait()
        return answers

    async def commit(self, commands: Sequence[tuple[str, CommitCache]]) -> None:
        """Nothing is kept: the answers above do not depend on it."""


def dispatcher(cache: Reservations, told: asyncio.Queue[tuple[str, Fact]]) -> Dispatcher:
    def tell(run_id: str, fact: Fact) -> None:
        told.put_nowait((run_id, fact))

    away = (cast(Importer, None), cast(Executor, None), cast(Contents, None))
    return Dispatcher(cast(CacheClient, cache), *away, tell)


def commit(path: str) -> CommitCache:
    return CommitCache(path, "key", "t", events_pb2.Values(), cache_pb2.Ingredients())


async def test_the_end_of_a_task_wakes_those_that_wait_for_it():
    told: asyncio.Queue[Any] = asyncio.Queue()
    async with asyncio.timeout(WITHIN_S), dispatcher(Reservations(), told) as dispatching:
        for path in ("a", "b", "c"):
            dispatching.dispatch("run", AskCache(path, cache_pb2.Ingredients()))
        assert [(await told.get())[1].held_by for _ in range(3)] == ["", "run/a", "run/a"]
        dispatching.dispatch("run", commit("a"))
        woken = {await told.get() for _ in range(2)}
    assert woken == {("run", CacheSettled("b")), ("run", CacheSettled("c"))}
    assert told.empty()


async def test_an_end_that_overtakes_the_answer_wakes_too():
    told: asyncio.Queue[Any] = asyncio.Queue()
    cache = Reservations()
    async with asyncio.timeout(WITHIN_S), dispatcher(cache, told) as dispatching:
        dispatching.dispatch("run", AskCache("a", cache_pb2.Ingredients()))
        await told.get()
        cache.answering.clear()
        dispatching.dispatch("run", AskCache("b", cache_pb2.Ingredients()))
        while cache.asked < 2:
            await asyncio.sleep(0)
        dispatching.dispatch("run", commit("a"))
        while "key" not in dispatching._settled_lately:
            await asyncio.sleep(0)
        cache.answering.set()
        assert (await told.get())[1].held_by == "run/a"
        assert await told.get() == ("run", CacheSettled("b"))
