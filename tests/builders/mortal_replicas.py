"""Scheduler replicas that die at a chosen point of their work, between the real persistence and cache services and an executor.

A dead replica reaches nothing any more: what its clean-up would do never leaves it, as after a SIGKILL. `Fate` is when it
dies; the executor that it starts attempts on lives on, or dies with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from builders.worlds import succeeded
from headrace_protos.v1 import cache_pb2_grpc, run_query_pb2_grpc, run_store_pb2_grpc
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler import server
from headrace_scheduler.executors.port import AttemptId, Executor, ExecutorFact, Inventory, Launch, Placement, Request
from headrace_scheduler.executors.simulated import SimulatedExecutor
from headrace_scheduler.settings import SchedulerSettings
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.server import channel


class Fate(StrEnum):
    """When a replica dies, in one append that it makes or right after."""

    BEFORE_APPEND = "before the append"
    IN_APPEND = "while the append is under way"
    AFTER_APPEND = "after the append, before its commands"
    AFTER_COMMAND = "after the first of its commands"
    NEVER = "never"


class CountingExecutor(SimulatedExecutor):
    """Notes what it starts; a second launch of an attempt starts nothing."""

    def __init__(self, stuck: str = "", cpu: float | None = None) -> None:
        """`stuck`: tasks whose path begins so do not end here but by being cancelled. `cpu`: what there is of it."""
        super().__init__()
        self.cpu = cpu
        self.most = 0  # attempts at the same time
        self.started: list[tuple[str, int]] = []
        self.stuck = stuck
        self._waiting: dict[AttemptId, Launch] = {}

    async def launch(self, launch: Launch) -> None:
        attempt = launch.attempt
        if attempt not in self._running and attempt not in self._ended:
            self.started.append((attempt.path, attempt.number))
        if self.stuck and attempt.path.startswith(self.stuck):
            launch = replace(launch, env={"SIMULATE": '{"seconds": 3600}'})
            self._waiting[attempt] = launch
        await super().launch(launch)
        self.most = max(self.most, len(self._running))

    def inventory(self) -> Sequence[Inventory]:
        return (Inventory(node="simulated", cpu=self.cpu),)

    def end_stuck(self) -> None:
        """Let all that is stuck come to its end."""
        while self._waiting:
            self.end_one()
        self.stuck = ""

    def end_one(self) -> None:
        """Let one of those that are stuck come to its end."""
        attempt, launch = self._waiting.popitem()
        self._running.pop(attempt).cancel()
        self._end(attempt, succeeded(dict.fromkeys(launch.output_parameters, "freed")))

    def running(self) -> list[AttemptId]:
        """Attempts that have not ended."""
        return list(self._running)


@dataclass
class Life:
    """One replica's connection to the world."""

    fate: Fate
    spared: int = 0  # appends that it makes before the one that it dies of
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    appends: int = 0
    away: bool = False  # the store does not answer
    frozen: asyncio.Event = field(default_factory=asyncio.Event)  # it has come to where it is held
    before: asyncio.Event | None = None  # the append waits for it before it is sent
    after: asyncio.Event | None = None  # the append waits for it after it was answered

    async def alive(self) -> None:
        """Returns at once; never, where this replica is dead."""
        if self.dead.is_set():
            await _for_ever()

    async def reach(self) -> None:
        """What a call of the store begins with."""
        await self.alive()
        if self.away:
            raise ServiceError(Reason.UNAVAILABLE, "the store does not answer")

    @property
    def doomed(self) -> bool:
        """Whether the next append is the one."""
        return self.appends >= self.spared

    async def die(self) -> None:
        self.dead.set()
        await _for_ever()


async def _for_ever() -> None:
    await asyncio.Event().wait()


class MortalStore:
    """A RunStore stub of a replica that may die."""

    def __init__(self, stub: Any, life: Life) -> None:
        self._stub, self._life = stub, life

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._stub, name)
        if name in ("LoadRuns", "WatchInbox"):
            return method
        return _gated(method, self._life.reach)

    async def Append(self, request: rs.AppendRequest) -> rs.AppendResponse:  # noqa: N802 - the rpc's name
        life = self._life
        await life.reach()
        late = life.appends > life.spared  # no command came after that append
        if life.fate is not Fate.NEVER and (late or (life.doomed and life.fate is Fate.BEFORE_APPEND)):
            await life.die()
        if life.before is not None and life.doomed:
            life.frozen.set()
            await life.before.wait()
        if life.doomed and life.fate is Fate.IN_APPEND:
            await self._cut(request)
        answer: rs.AppendResponse = await self._stub.Append(request)
        dies = life.doomed and life.fate is Fate.AFTER_APPEND
        life.appends += 1
        if life.after is not None and life.appends > life.spared:
            life.frozen.set()
            await life.after.wait()
        if dies:
            await life.die()
        return answer

    async def _cut(self, request: rs.AppendRequest) -> None:
        """The connection breaks while the request is on its way: stored or not, nobody here learns."""
        call = asyncio.ensure_future(self._stub.Append(request))
        await asyncio.wait([call], timeout=0.002)
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
        await self._life.die()


class MortalExecutor:
    """An executor as a replica that may die sees it: attempts go on without it."""

    def __init__(self, inner: Executor, life: Life) -> None:
        self._inner, self._life = inner, life

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def inventory(self) -> Sequence[Inventory]:
        return self._inner.inventory()

    def place(self, request: Request) -> Placement:
        return self._inner.place(request)

    async def launch(self, launch: Launch) -> None:
        await self._life.alive()
        await self._inner.launch(launch)
        if self._life.fate is Fate.AFTER_COMMAND and self._life.appends > self._life.spared:
            await self._life.die()

    async def cancel(self, attempt: AttemptId) -> None:
        await self._life.alive()
        await self._inner.cancel(attempt)

    async def facts(self) -> AsyncIterator[Sequence[ExecutorFact]]:
        async for batch in self._inner.facts():
            await self._life.alive()
            yield batch

    async def close(self) -> None:
        await self._life.alive()


def _gated(method: Callable[..., Awaitable[Any]], gate: Callable[[], Awaitable[None]]) -> Callable[..., Awaitable[Any]]:
    async def call(request: Any) -> Any:
        await gate()
        return await method(request)

    return call


class MortalCache:
    """A Cache stub of a replica that may die."""

    def __init__(self, stub: Any, life: Life) -> None:
        self._stub, self._life = stub, life

    def __getattr__(self, name: str) -> Any:
        return _gated(getattr(self._stub, name), self._life.alive)


@asynccontextmanager
async def alive(settings: SchedulerSettings, executor: Executor, life: Life) -> AsyncIterator[server.Assembled]:
    """A replica at work; at the end of the block it is dead, whatever it was about to do."""
    async with channel(settings.address_of("persistence")) as wire, channel(settings.address_of("cache")) as cache:
        store = MortalStore(run_store_pb2_grpc.RunStoreStub(wire), life)
        artifacts = server.make_stores(settings, {})
        stub = MortalCache(cache_pb2_grpc.CacheStub(cache), life)
        stubs = server.Stubs(store, run_query_pb2_grpc.RunQueryStub(wire), stub)
        parts = server.assemble(settings, stubs, MortalExecutor(executor, life), artifacts)
        await parts.replica.__aenter__()
        try:
            yield parts
        finally:
            life.dead.set()
            tasks = [*parts.replica._tasks, *parts.dispatcher.tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
