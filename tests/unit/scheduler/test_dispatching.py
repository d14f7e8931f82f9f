"""The dispatcher and tasks that wait for an identical one: the end of that one, told to the cache, wakes them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from headrace_ir.references import ValueRef
from headrace_protos.v1 import cache_pb2, events_pb2
from headrace_scheduler.caching import Asked, CacheClient
from headrace_scheduler.dispatching import Dispatcher
from headrace_scheduler.engine.commands import AskCache, CommitCache, Import, ReadValues, StartAttempt
from headrace_scheduler.engine.facts import CacheAnswered, CacheSettled, Fact, Imported
from headrace_scheduler.executors.port import Executor
from headrace_scheduler.importing import Importer
from headrace_scheduler.storing import Contents

WITHIN_S = 90


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


class Broken:
    """A cache, importer, executor and store that meet a fault of ours with whatever is called `bad`."""

    async def ask(self, asked: Sequence[tuple[str, Any]]) -> list[tuple[str, Fact]]:
        if any(command.path == "bad" for _, command in asked):
            raise RecursionError("too deep")
        return [(run_id, Imported(command.path, number=command.number)) for run_id, command in asked]

    async def launch(self, launch: Any) -> None:
        raise OSError(36, "File name too long")

    async def read(self, refs: Sequence[ValueRef]) -> dict[str, Any]:
        raise KeyError(refs[0].uri)

    async def commit(self, commands: Sequence[Any]) -> None:
        raise TypeError("not a result")


def dispatcher(
    cache: Any, told: asyncio.Queue[tuple[str, Fact]], others: Any = None, executor: Any = None
) -> Dispatcher:
    def tell(run_id: str, fact: Fact) -> None:
        told.put_nowait((run_id, fact))

    away = (cast(Importer, others), cast(Executor, executor), cast(Contents, others))
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


async def test_a_fault_of_ours_fails_the_task_that_met_it_and_no_other(caplog):
    told: asyncio.Queue[Any] = asyncio.Queue()
    sentence = "the platform met a fault of its own (RecursionError); the scheduler's log says more"
    async with asyncio.timeout(WITHIN_S), dispatcher(Broken(), told, Broken(), Broken()) as dispatching:
        for path in ("good", "bad"):
            dispatching.dispatch("run", Import(path, "file:///x", {}, "", reimport=False, number=2))
        assert [await told.get() for _ in range(2)] == [
            ("run", Imported("good", number=2)),
            ("run", Imported("bad", None, sentence, 2)),
        ]
        dispatching.dispatch("run", AskCache("bad", cache_pb2.Ingredients()))
        assert await told.get() == ("run", CacheAnswered("bad", "", unavailable=True))
        dispatching.dispatch("run", ReadValues("t", (ValueRef("file:///v", 40_000, "sha256:0", "LIST"),)))
        (_, read) = await told.get()
        assert "(KeyError)" in read.values["file:///v"].sentence
        dispatching.dispatch("run", StartAttempt("t", 1, cast(Any, None)))
        (_, ended) = await told.get()
        assert (ended.number, ended.result.error.reason) == (1, "Internal")
        dispatching.dispatch("run", commit("t"))
        while not dispatching._settles.empty() or dispatching._unsettled:
            await asyncio.sleep(0)
        assert all(not task.done() for task in dispatching.tasks)
    assert "could not be carried out" in caplog.text
