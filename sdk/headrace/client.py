"""`headrace.Client`: AsyncClient without `await`, by one runner thread. No logic of its own.

with headrace.Client() as client:
    run = client.wait(client.submit("pipeline.yaml", {"epochs": 3}).run_id)
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from headrace.async_client import AsyncClient, AsyncRuns

P = ParamSpec("P")
T = TypeVar("T")


class Runner:
    """A thread with an event loop, on which coroutines are run to their end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="headrace client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of WORK; an interruption cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


def _blocking(
    method: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Client, P], T]:
    def call(self: Client, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._runner.run(method(self._client, *args, **kwargs))

    return functools.update_wrapper(call, method)  # type: ignore[return-value]  # typed by the signature above


def _blocking_run(
    method: Callable[Concatenate[AsyncRuns, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Runs, P], T]:
    def call(self: Runs, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._runner.run(method(self._runs, *args, **kwargs))

    return functools.update_wrapper(call, method)  # type: ignore[return-value]  # typed by the signature above


def _iterating(
    method: Callable[Concatenate[AsyncClient, P], AsyncIterator[T]],
) -> Callable[Concatenate[Client, P], Iterator[T]]:
    def call(self: Client, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        stream = method(self._client, *args, **kwargs)
        try:
            while True:
                try:
                    yield self._runner.run(_next(stream))
                except StopAsyncIteration:
                    return
        finally:
            self._runner.run(_close(stream))

    return functools.update_wrapper(call, method)  # type: ignore[return-value]  # typed by the signature above


async def _next(stream: AsyncIterator[T]) -> T:
    return await anext(stream)


async def _close(stream: AsyncIterator[Any]) -> None:
    closing = getattr(stream, "aclose", None)
    if closing is not None:
        await closing()


class Runs:
    """`client.runs`."""

    def __init__(self, runs: AsyncRuns, runner: Runner) -> None:
        self._runs = runs
        self._runner = runner

    get = _blocking_run(AsyncRuns.get)
    list = _blocking_run(AsyncRuns.list)
    terminate = _blocking_run(AsyncRuns.terminate)
    retry = _blocking_run(AsyncRuns.retry)
    delete = _blocking_run(AsyncRuns.delete)


class Client:
    """One platform; see AsyncClient for what each method takes and answers."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._runner = Runner()
        self._client = AsyncClient(endpoint)
        self.runs = Runs(self._client.runs, self._runner)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection and the thread back."""
        self._runner.run(self._client.close())
        self._runner.close()

    submit = _blocking(AsyncClient.submit)
    resume = _blocking(AsyncClient.resume)
    validate = _blocking(AsyncClient.validate)
    wait = _blocking(AsyncClient.wait)
    tasks = _blocking(AsyncClient.tasks)
    artifacts = _blocking(AsyncClient.artifacts)
    trace = _blocking(AsyncClient.trace)
    value = _blocking(AsyncClient.value)
    outputs = _blocking(AsyncClient.outputs)
    logs = _iterating(AsyncClient.logs)
    watch = _iterating(AsyncClient.watch)
