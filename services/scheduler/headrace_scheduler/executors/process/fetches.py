"""Fetches of remote inputs on behalf of attempts: in threads of their own, one for all attempts that want the same URI now.

A fetch that nobody waits for any more is stopped; what it waits for is said while it lasts. Called by attempts.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from headrace_companion.folder_store import folder_of_uri
from headrace_companion.remote.fetching import Fetcher, file_name
from headrace_companion.remote.kept import Kept
from headrace_companion.remote.sources import MIB, FetchFailed, NothingThere, shown
from headrace_companion.staging import Elsewhere
from headrace_companion.store import ArtifactStore
from headrace_protos.v1.events_pb2 import ArtifactList

THREADS: Final = 4
SAY_EVERY_S: Final = 1.0
Hold = Callable[[str], None]


class _Fetch:
    """One URI on its way."""

    def __init__(self, uri: str) -> None:
        self.stop = threading.Event()
        self.waiting = 0
        self.done = 0
        self.total: int | None = None
        self._uri = shown(uri)

    def progress(self, done: int, total: int | None) -> None:
        """Called by the thread."""
        self.done, self.total = done, total

    def sentence(self) -> str:
        whole = "" if self.total is None else f" of {self.total / MIB:.1f}"
        return f"fetching {self._uri}: {self.done / MIB:.1f}{whole} MiB"


class Fetches:
    """All fetches of one executor. Their threads are daemons: no silent server keeps a platform from ending."""

    def __init__(self, fetcher: Fetcher) -> None:
        self.fetcher = fetcher
        self._slots = asyncio.Semaphore(THREADS)
        self._running: dict[str, tuple[_Fetch, asyncio.Task[Kept]]] = {}

    async def get(self, uri: str, hold: Hold) -> Kept:
        """The content, to be released by the caller. Raises FetchFailed, NothingThere."""
        if uri not in self._running:
            fetch = _Fetch(uri)
            self._running[uri] = fetch, asyncio.create_task(self._fetch(uri, fetch), name=f"import {shown(uri)}")
        fetch, task = self._running[uri]
        fetch.waiting += 1
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=SAY_EVERY_S)
                if not task.done():
                    hold(fetch.sentence())
            return self.fetcher.share(task.result())
        finally:
            fetch.waiting -= 1
            if not fetch.waiting:
                self._leave(uri, fetch, task)

    def _leave(self, uri: str, fetch: _Fetch, task: asyncio.Task[Kept]) -> None:
        """Nobody waits: give the fetch's own hold on the content back as soon as it has one."""
        fetch.stop.set()
        if self._running.get(uri, (None,))[0] is fetch:
            del self._running[uri]
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[Kept]) -> None:
        if not task.cancelled() and task.exception() is None:
            self.let_go(task.result())

    def let_go(self, kept: Kept) -> None:
        """Give content back; in a thread, because making room for other content may take a while."""
        asyncio.get_running_loop().run_in_executor(None, self.fetcher.release, kept)

    async def _fetch(self, uri: str, fetch: _Fetch) -> Kept:
        try:
            async with self._slots:
                return await _in_daemon(partial(self.fetcher.fetch, uri, fetch.stop, fetch.progress))
        finally:
            if self._running.get(uri, (None,))[0] is fetch:
                del self._running[uri]  # whoever comes later asks whether it has changed

    def inputs(self, inputs: Mapping[str, ArtifactList], store: ArtifactStore) -> Inputs:
        """What one attempt needs of what its store has not got."""
        return Inputs(self, inputs, store)

    def close(self) -> None:
        """End what is on its way."""
        for fetch, task in list(self._running.values()):
            fetch.stop.set()
            task.cancel()


async def _in_daemon(work: Callable[[], Kept]) -> Kept:
    """WORK's result, from a thread that nobody waits for when the process ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Kept] = loop.create_future()

    def tell(result: Kept | None, error: BaseException | None) -> None:
        if not done.done():
            done.set_exception(error) if error is not None else done.set_result(result)  # type: ignore[arg-type]  # one of them

    def run() -> None:
        try:
            said: tuple[Kept | None, BaseException | None] = (work(), None)
        except BaseException as error:  # noqa: BLE001  # whoever awaits it gets it
            said = (None, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, *said)

    threading.Thread(target=run, name="headrace-import", daemon=True).start()
    return await done


class Inputs:
    """The remote inputs of one attempt: fetched by `all`, held until `release`."""

    def __init__(self, fetches: Fetches, inputs: Mapping[str, ArtifactList], store: ArtifactStore) -> None:
        self._fetches = fetches
        self._uris = {
            one.uri: name for name, held in inputs.items() for one in held.artifacts if store.key(one.uri) is None
        }
        self._held: list[Kept] = []
        self.digests: dict[str, str] = {}  # by URI, without what in it may be a secret

    async def all(self, hold: Hold) -> dict[str, Elsewhere]:
        """Where each lies on this disk. Raises FetchFailed."""
        found: dict[str, Elsewhere] = {}
        for uri, name in self._uris.items():
            place = await self._one(uri, name, hold)
            if place is not None:
                found[uri] = place
        return found

    async def _one(self, uri: str, name: str, hold: Hold) -> Elsewhere | None:
        fetcher = self._fetches.fetcher
        location = fetcher.location(uri)
        folder = folder_of_uri(location)
        if folder is not None:
            return Elsewhere(folder, folder.name)
        if not fetcher.can_fetch(uri):
            return None
        try:
            kept = await self._fetches.get(uri, hold)
        except NothingThere as nothing:
            return Elsewhere(None, file_name(location), str(nothing))
        except FetchFailed as failed:
            raise FetchFailed(f"input artifact '{name}': {failed}") from failed
        self._held.append(kept)
        self.digests[shown(uri)] = kept.stored.digest
        return Elsewhere(kept.path, file_name(location))

    def release(self) -> None:
        """They were copied, or are not needed."""
        for kept in self._held:
            self._fetches.let_go(kept)
        self._held.clear()
