"""Large values in and out of the artifact store, for the engine, which does no I/O: contents that a step made are stored before
its events are appended, and read again where a decision needs them. Called by driving.py and dispatching.py.

Blocking work runs in threads. What fails for now is tried again; what can never work is said in a sentence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from headrace_companion.store import ArtifactStore, ObjectMissing, StoreError, why
from headrace_ir.references import ValueRef
from headrace_ir.values import Value, recorded
from headrace_scheduler.engine.contents import Content, joined
from headrace_scheduler.engine.facts import Missing

logger = logging.getLogger(__name__)
AGAIN_S = 0.5
READ_TRIES = 20
PATIENCE_S = 600.0


class Unstorable(Exception):  # noqa: N818 - read as a statement
    """It can never be stored; the message says why, `reason` is a word of lifecycle.REASONS."""

    def __init__(self, message: str, reason: str = "InputResolution") -> None:
        super().__init__(message)
        self.reason = reason


class Contents:
    """The large values of all runs, in STORE. A store that cannot be written for PATIENCE_S seconds fails the run."""

    def __init__(self, store: ArtifactStore, patience_s: float = PATIENCE_S) -> None:
        self._store = store
        self._patience_s = patience_s

    async def put(self, contents: Mapping[str, Content]) -> None:
        """Return when all of it is stored. Raises Unstorable."""
        last = ""
        until = asyncio.get_running_loop().time() + self._patience_s
        while True:
            try:
                await asyncio.to_thread(self._put, contents)
            except ObjectMissing as missing:
                sentence = f"a list cannot be collected, because an element is gone: {missing}"
                raise Unstorable(sentence, "MissingInput") from missing
            except (StoreError, OSError) as failed:
                if asyncio.get_running_loop().time() >= until:
                    sentence = (
                        f"its values cannot be stored: {why(failed)}; retry the run once the store can be written"
                    )
                    raise Unstorable(sentence, "Internal") from failed
                if why(failed) != last:
                    last = why(failed)
                    logger.warning("cannot store the values of a run, trying again: %s", last)
                await asyncio.sleep(AGAIN_S)
            else:
                return

    def _put(self, contents: Mapping[str, Content]) -> None:
        for uri, content in contents.items():
            key = self._key(uri)
            if self._store.exists(key):
                continue  # named by its content: it is there already
            text = content if isinstance(content, str) else joined(content, self._text)
            self._store.put_bytes(key, text.encode())

    async def read(self, refs: Sequence[ValueRef]) -> dict[str, Value | Missing]:
        """The values by URI; Missing where one cannot be read."""
        return {ref.uri: await self._read(ref) for ref in refs}

    async def _read(self, ref: ValueRef) -> Value | Missing:
        last = ""
        for _ in range(READ_TRIES):
            try:
                return await asyncio.to_thread(lambda: recorded(self._text(ref.uri)))
            except (ObjectMissing, Unstorable):
                break
            except (StoreError, OSError, ValueError) as failed:
                last = f": {why(failed)}"
                await asyncio.sleep(AGAIN_S)
        last = last or ": nothing is stored there; run the task that makes it again"
        return Missing(f"a {ref.shown} that it needs cannot be read from {ref.uri}{last}")

    def _text(self, uri: str) -> str:
        return self._store.read(self._key(uri)).decode()

    def _key(self, uri: str) -> str:
        key = self._store.key(uri)
        if key is None:
            raise Unstorable(f"{uri} lies outside the artifact store {self._store.root}: give the run a root in it")
        return key
