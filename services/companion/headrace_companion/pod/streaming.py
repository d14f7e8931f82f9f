"""The task's log on its way to the store while the task runs: what the shim appends to LOG, as it comes."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path
from typing import Any, BinaryIO, Final

from headrace_companion.store import ArtifactStore, ObjectMissing, StoreError

logger = logging.getLogger(__name__)
CHUNK: Final = 1 << 20
LOOK_S: Final = 0.2


class LogStreaming:
    """One thread; `finish` returns when everything is stored."""

    def __init__(self, source: Path, store: ArtifactStore, key: str) -> None:
        self._source = source
        self._store = store
        self._key = key
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="headrace-log", daemon=True)
        self.problem = ""

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Nothing more is written to the source."""
        self._ended.set()

    def finish(self) -> None:
        self.end()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._copy()
        except (OSError, StoreError) as error:
            self.problem = f"the log could not be kept: {error}"
            logger.warning("%s", self.problem)

    def _copy(self) -> None:
        self._ask_ahead()
        source = self._opened()
        if source is None:
            return
        with source, self._store.open_log(self._key) as target:
            source.seek(self._stored())
            while True:
                ended = self._ended.is_set()
                piece = source.read(CHUNK)
                if piece:
                    target.write(piece)
                elif ended:
                    break
                else:
                    self._ended.wait(LOOK_S)
        self._store.settle(self._key)

    def _ask_ahead(self) -> None:
        """For the ways that publishing will need, while nobody waits for them: user code may be done in no time."""
        prepare: Any = getattr(self._store, "prepare", None)
        if prepare is not None:
            with contextlib.suppress(StoreError):  # asked again when the first one is needed
                prepare([self._store.uri(self._key)])

    def _opened(self) -> BinaryIO | None:
        """The log once it is there; None: there never was one."""
        while True:
            ended = self._ended.is_set()
            try:
                return open(os.open(self._source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0)
            except FileNotFoundError:
                if ended:
                    return None
            self._ended.wait(LOOK_S)

    def _stored(self) -> int:
        """What a companion that was restarted has stored before."""
        try:
            return self._store.size(self._key)
        except ObjectMissing:
            return 0
