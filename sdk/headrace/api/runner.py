"""The thread on which the blocking face runs the asyncio one; one for the whole process, while a client is open.

It has an event loop of its own, so that the blocking client works where another loop is running, as in notebooks. One for all
clients: gRPC's asyncio shares its wake-ups over all loops of a process, and fewer of them is quieter.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from headrace.errors import HeadraceError

T = TypeVar("T")


class LoopThread:
    """An event loop that runs on a thread of its own, in the process that made it."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="headrace client", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """End the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class Runner:
    """One client's use of the thread: runs coroutines to their end for threads that wait, until the client is closed."""

    def __init__(self, on: LoopThread) -> None:
        self.on = on
        self.closed = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of WORK; an interruption cancels it."""
        future = self.begin(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """WORK, begun; its result is waited for elsewhere."""
        if wrong := self._unusable():
            work.close()
            raise HeadraceError(wrong)
        return asyncio.run_coroutine_threadsafe(work, self.on.loop)

    def fetch(self, later: Awaitable[T]) -> T:
        """What is asked for when it is awaited."""
        return self.run(_awaited(later))

    def iterate(self, stream: AsyncIterator[T]) -> Iterator[T]:
        """What STREAM gives, one after the other; leaving the loop ends it."""
        try:
            while True:
                try:
                    yield self.run(_next(stream))
                except StopAsyncIteration:
                    return
        finally:
            if not self._unusable():  # closing the client has ended its streams
                self.run(_close(stream))

    def _unusable(self) -> str:
        if os.getpid() != self.on.pid:
            return "this client was made before the process forked; make another one after the fork"
        if self.closed:
            return "this client is closed; make another one"
        if threading.current_thread() is self.on.thread:
            return "the blocking client cannot be used in what it calls itself (progress); do that after wait() has returned"
        return ""


class Shared:
    """The process's thread: there while any client is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._users = 0

    def take(self) -> Runner:
        """One more client."""
        with self._lock:
            if self._thread is None or self._thread.pid != os.getpid():  # threads do not live on in a fork
                self._thread, self._users = LoopThread(), 0
            self._users += 1
            return Runner(self._thread)

    def give_back(self, runner: Runner) -> None:
        """One less: what was its own is refused from now on, also while others are open."""
        with self._lock:
            if runner.closed or runner.on is not self._thread or runner.on.pid != os.getpid():
                return
            runner.closed = True
            self._users -= 1
            if self._users == 0:
                self._thread = None
                runner.on.stop()


SHARED = Shared()


async def _awaited(later: Awaitable[T]) -> T:
    return await later


async def _next(stream: AsyncIterator[T]) -> T:
    return await anext(stream)


async def _close(stream: AsyncIterator[Any]) -> None:
    closing = getattr(stream, "aclose", None)
    if closing is not None:
        await closing()
