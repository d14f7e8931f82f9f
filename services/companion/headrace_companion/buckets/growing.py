"""Logs in an object store, which cannot append: pieces while a log grows, one object at its end.

What is written goes to a file of this machine first, so that who prints never waits for a store. A thread puts what is new
as the next piece, at most every PAUSES seconds; each MERGED pieces become one. The end puts the whole and drops the pieces.
A store that is down delays pieces and loses none of them. Called by granted_store.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from io import RawIOBase
from typing import Any, BinaryIO, Final, Protocol, cast

from headrace_companion.buckets.layout import piece_name, piece_numbers, pieces_key
from headrace_companion.store import StoreError

logger = logging.getLogger(__name__)
PAUSES: Final = ((20, 0.5), (100, 1.0))  # (pieces, seconds between them); LAST_PAUSE after that
LAST_PAUSE: Final = 2.0
MERGED: Final = 64
CHUNK: Final = 1 << 20
ENDERS: Final = 4


class Pieces(Protocol):
    """What a log needs of its store."""

    def earlier(self, key: str) -> tuple[list[str], Callable[[BinaryIO], None]] | None:
        """The pieces of a log that another process began (none where it is one object already), and how to copy them."""

    def put_part(self, key: str, descriptor: int, offset: int, length: int, digest: str = "") -> None:
        """Store a range of a file as an object."""

    def drop(self, keys: list[str]) -> None: ...


class GrowingLog(RawIOBase):
    """One log while this process writes it."""

    def __init__(self, key: str, logs: GrowingLogs) -> None:
        self.key = key
        self.lock = threading.Lock()
        self.storing = threading.Lock()  # one piece, or the end, at a time
        self._logs = logs
        self._spool = cast(BinaryIO, tempfile.TemporaryFile(buffering=0))  # noqa: SIM115 - closed by `release`
        self._size = 0
        self._sent = 0
        self._first = 0  # where the pieces begin that are not merged yet
        self._unmerged: list[int] = []
        self._count = 0
        self._pieces: list[str] = []
        self._adopted = False
        self.due = 0.0
        self.ended: Future[None] | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with self.lock:
            self._spool.seek(self._size)
            written = self._spool.write(data)
            self._size += written
        self._logs.wake(self)
        return written

    def close(self) -> None:
        """The end is stored by another thread; `GrowingLogs.settle` waits for it."""
        if not self.closed:
            super().close()
            self._logs.end(self)

    @property
    def size(self) -> int:
        self._known()
        with self.lock:
            return self._size

    def read_at(self, offset: int, length: int | None) -> bytes:
        self._known()
        with self.lock:
            left = max(0, self._size - offset)
            return os.pread(self._spool.fileno(), left if length is None else min(left, length), offset)

    def pause(self) -> float:
        return next((seconds for pieces, seconds in PAUSES if self._count < pieces), LAST_PAUSE)

    def flush_piece(self, store: Pieces) -> None:
        """Put what is new as the next piece. Raises StoreError; then it is tried again with what came meanwhile."""
        self._adopt(store)
        with self.lock:
            start, end = self._sent, self._size
        if start == end:
            return
        number = self._count + 1
        name = piece_name(number, number)
        store.put_part(f"{pieces_key(self.key)}/{name}", self._spool.fileno(), start, end - start)
        self._sent, self._count = end, number
        self._unmerged.append(number)
        self._pieces.append(name)
        if len(self._unmerged) >= MERGED:
            self._merge(store)

    def _merge(self, store: Pieces) -> None:
        name = piece_name(self._unmerged[0], self._unmerged[-1])
        folder = pieces_key(self.key)
        store.put_part(f"{folder}/{name}", self._spool.fileno(), self._first, self._sent - self._first)
        gone = [piece_name(number, number) for number in self._unmerged]
        store.drop([f"{folder}/{one}" for one in gone])
        self._pieces = [*(one for one in self._pieces if one not in gone), name]
        self._unmerged, self._first = [], self._sent

    def finish(self, store: Pieces) -> None:
        """The whole as one object, then no pieces any more."""
        self._adopt(store)
        store.put_part(self.key, self._spool.fileno(), 0, self._size)
        if self._pieces:
            store.drop([pieces_key(self.key)])

    def release(self) -> None:
        self._spool.close()

    def _known(self) -> None:
        if not self._adopted:
            with self.storing:
                self._adopt(self._logs.store)

    def _adopt(self, store: Pieces) -> None:
        """Begin with what another process wrote. Called with `storing` held; who writes does not wait for the store."""
        if self._adopted:
            return
        found = store.earlier(self.key)
        self._adopted = True
        if found is None:
            return
        names, copy = found
        whole = cast(BinaryIO, tempfile.TemporaryFile(buffering=0))  # noqa: SIM115 - it becomes the spool
        copy(whole)
        before = whole.tell()
        with self.lock:
            self._spool.seek(0)
            while chunk := self._spool.read(CHUNK):
                whole.write(chunk)
            self._spool.close()
            self._spool, self._size = whole, self._size + before
        self._sent = self._first = before
        self._pieces = names
        self._count = max((numbers[1] for name in names if (numbers := piece_numbers(name))), default=0)


class GrowingLogs:
    """All logs that this process writes to one store, and the thread that stores what is new in them."""

    def __init__(self, store: Pieces) -> None:
        self.store = store
        self._logs: dict[str, GrowingLog] = {}
        self._dirty: dict[str, GrowingLog] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._enders: ThreadPoolExecutor | None = None
        self._closing = False

    def open(self, key: str) -> GrowingLog:
        self.settle(key)
        log = GrowingLog(key, self)
        with self._changed:
            self._logs[key] = log
        return log

    def get(self, key: str) -> GrowingLog | None:
        """A log that is not stored as one object yet."""
        with self._changed:
            return self._logs.get(key)

    def wake(self, log: GrowingLog) -> None:
        with self._changed:
            if log.key in self._dirty:
                return
            log.due = time.monotonic() + log.pause()
            self._dirty[log.key] = log
            if self._thread is None:
                self._thread = threading.Thread(target=self._flush, name="headrace-log-pieces", daemon=True)
                self._thread.start()
            self._changed.notify()

    def end(self, log: GrowingLog) -> None:
        with self._changed:
            self._dirty.pop(log.key, None)
            if self._enders is None:
                self._enders = ThreadPoolExecutor(ENDERS, thread_name_prefix="headrace-log-ends")
            log.ended = self._enders.submit(self._end, log)

    def settle(self, key: str) -> None:
        """Return when a closed log is stored. Raises StoreError; what was not stored is given up then."""
        log = self.get(key)
        if log is not None and log.ended is not None:
            log.ended.result()

    def forget(self, key: str) -> None:
        """The logs at and beneath KEY are deleted: what they end with is not wanted."""
        with self._changed:
            doomed = [log for name, log in self._logs.items() if name == key or name.startswith(f"{key}/")]
        for log in doomed:
            if log.ended is None:
                log.close()
            with contextlib.suppress(StoreError):
                self.settle(log.key)

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
            logs = list(self._logs.values())
        for log in logs:
            with contextlib.suppress(StoreError):
                log.close()
                self.settle(log.key)
        if self._thread is not None:
            self._thread.join()
        if self._enders is not None:
            self._enders.shutdown()

    def _end(self, log: GrowingLog) -> None:
        try:
            with log.storing:
                log.finish(self.store)
        except StoreError as error:
            logger.warning("the end of the log %s is not stored: %s", log.key, error)
            raise
        finally:
            with self._changed:
                self._logs.pop(log.key, None)
            log.release()

    def _flush(self) -> None:
        while (log := self._next()) is not None:
            try:
                with log.storing:
                    if not log.closed:
                        log.flush_piece(self.store)
            except StoreError as error:
                logger.warning("a piece of the log %s is not stored yet: %s", log.key, error)
                if not log.closed:
                    self.wake(log)

    def _next(self) -> GrowingLog | None:
        with self._changed:
            while not self._closing:
                log = min(self._dirty.values(), key=lambda one: one.due, default=None)
                wait = None if log is None else log.due - time.monotonic()
                if log is not None and wait is not None and wait <= 0:
                    del self._dirty[log.key]
                    return log
                self._changed.wait(wait)
            return None
