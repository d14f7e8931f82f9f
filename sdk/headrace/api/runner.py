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


class Runner:
    """Runs coroutines to their end for threads that wait."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="headrace client", daemon=True)
        self._thread.start()

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
        return asyncio.run_coroutine_threadsafe(work, self._loop)

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
            self.run(_close(stream))

    def _unusable(self) -> str:
        if os.getpid() != self._pid:
            return "this client was made before the process forked; make another one after the fork"
        if self._loop.is_closed():
            return "this client is closed; make another one"
        if threading.current_thread() is self._thread:
            return "the blocking client cannot be used in what it calls itself (progress); do that after wait() has returned"
        return ""

    def stop(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Shared:
    """The process's runner, counted: the last client to close ends it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runner: Runner | None = None
        self._pid = 0
        self._users = 0

    def take(self) -> Runner:
        """One more client."""
        with self._lock:
            if self._runner is None or self._pid != os.getpid():  # threads do not live on in a fork
                self._runner, self._pid, self._users = Runner(), os.getpid(), 0
            self._users += 1
            return self._runner

    def give_back(self, runner: Runner) -> None:
        """One less."""
        with self._lock:
            if runner is not self._runner or self._pid != os.getpid():
                return
            self._users -= 1
            if self._users == 0:
                self._runner = None
                runner.stop()


SHARED = Shared()


async def _awaited(later: Awaitable[T]) -> T:
    return await later


async def _next(stream: AsyncIterator[T]) -> T:
    return await anext(stream)


async def _close(stream: AsyncIterator[Any]) -> None:
    closing = getattr(stream, "aclose", None)
    if closing is not None:
        await closing()
