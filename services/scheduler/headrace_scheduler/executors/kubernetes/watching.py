"""Objects of one selector, listed once and watched from there on: through dropped connections, API servers that restart and
versions that have expired. Called by namespaces.py and nodes.py.

A list says what there is; whatever was there before and is not in it has gone, also where nobody saw it go.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final, Protocol

from headrace_scheduler.executors.kubernetes.calling import ApiError, Expired, Json, KubernetesApi, Query, Unreachable

logger = logging.getLogger(__name__)
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 10.0


class Sink(Protocol):
    """Who is told."""

    def present(self) -> set[str]:
        """UIDs of the objects that should be there now."""

    def changed(self, found: Json) -> None:
        """It is there, like this."""

    def gone(self, uid: str, last: Json | None) -> None:
        """It is not there any more; LAST: as it was in the end, where that was seen."""


class Watcher:
    """`run` goes on for ever; `synced` is set once everything that was there has been told."""

    def __init__(self, api: KubernetesApi, path: str, query: Callable[[], Query], sink: Sink) -> None:
        self._api = api
        self._path = path
        self._query = query
        self._sink = sink
        self._version = ""
        self._pause = FIRST_PAUSE_S
        self._said = ""
        self._asked: Query = {}
        self.synced = asyncio.Event()

    async def run(self) -> None:
        while True:
            try:
                if not self._version or self._asked != self._query():
                    await self._list()
                await self._watch()
                continue  # the server ended it, as it does every few minutes
            except Expired:
                self._version = ""
            except Unreachable as away:
                self._say(str(away))
            except ApiError as refused:
                self._version = ""
                self._say(str(refused))
            await asyncio.sleep(self._pause * random.uniform(0.7, 1.3))  # noqa: S311 - not all replicas at once
            self._pause = min(self._pause * 2, LONGEST_PAUSE_S)

    def _say(self, what: str) -> None:
        """Once, not each time."""
        if what != self._said:
            logger.warning("watching %s: %s; trying again", self._path, what)
            self._said = what

    async def _list(self) -> None:
        self._asked = self._query()
        before, there, version = self._sink.present(), set(), ""
        async for page in self._api.pages(self._path, self._asked):
            for one in page.items:
                there.add(one["metadata"]["uid"])
                self._sink.changed(one)
            version = page.version
            await asyncio.sleep(0)  # a page takes long to read: others first
        for uid in before - there:
            self._sink.gone(uid, None)
        self._version = version
        self._well()
        self.synced.set()

    async def _watch(self) -> None:
        async for change in self._api.watch(self._path, self._asked, self._version):
            self._version = change.version
            self._well()
            if change.kind == "DELETED":
                self._sink.gone(change.object["metadata"]["uid"], change.object)
            elif change.kind != "BOOKMARK":
                self._sink.changed(change.object)

    def _well(self) -> None:
        self._pause, self._said = FIRST_PAUSE_S, ""
