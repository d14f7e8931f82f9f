"""Keeping what user code prints: from a pipe to a log in the artifact store while it runs, and reading it back live.

One thread pumps the pipes of all attempts, so that a chatty task costs the event loop nothing; a pipe (not the file
itself) is what user code gets, because `> /dev/stderr` in a shell would truncate a file. The first HEAD_BYTES are kept as
they come; beyond that a ring keeps the last TAIL_BYTES, written at the end behind a line that says how much was left out.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final

from headrace_companion.results import Failure, Reason
from headrace_companion.store import ArtifactStore, ObjectMissing

HEAD_BYTES: Final = 256 * 1024 * 1024
TAIL_BYTES: Final = 1024 * 1024
CHUNK: Final = 256 * 1024
SHOWN_LINES: Final = 20
SHOWN_BYTES: Final = 4096
FOLLOW_SECONDS: Final = 0.2


@dataclass(eq=False)
class LogStream:
    """One attempt's log while it grows. `finished` is set when every writer has closed the pipe."""

    file: BinaryIO
    head_bytes: int = HEAD_BYTES
    tail_bytes: int = TAIL_BYTES
    size: int = 0
    total: int = 0
    ring: bytes = b""
    problem: str = ""
    finished: threading.Event = field(default_factory=threading.Event)
    on_end: Callable[[], None] | None = None

    def take(self, chunk: bytes) -> None:
        """Keep a piece. A full disk loses the log, said in `problem`, and never blocks the task."""
        self.total += len(chunk)
        room = self.head_bytes - self.size
        if room > 0 and not self.problem:
            self._write(chunk[:room])
            chunk = chunk[room:]
        if chunk:
            self.ring = (self.ring + chunk)[-self.tail_bytes :]

    def close(self) -> None:
        left_out = self.total - self.size - len(self.ring)
        if self.ring and not self.problem:
            if left_out:
                self._write(f"\n… {left_out:,} bytes of this log were left out …\n".encode())
            self._write(self.ring)
        self.file.close()
        self.finished.set()
        if self.on_end is not None:
            self.on_end()

    def _write(self, piece: bytes) -> None:
        view = memoryview(piece)
        try:
            while view:
                written = self.file.write(view)
                self.size += written
                view = view[written:]
        except OSError as error:
            self.problem = f"the log could not be kept: {error.strerror}"


class LogPump:
    """Reads pipes until their writers are gone. `attach` may be called from any thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._new: list[tuple[int, LogStream]] = []
        self._dropped: list[LogStream] = []
        self._streams: dict[LogStream, int] = {}
        self._stopping = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._pump, name="headrace-logs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; streams that are still open are closed as they are."""
        self._stopping = True
        self._wake()
        self._thread.join()

    def attach(self, stream: LogStream) -> int:
        """A new pipe that feeds the stream; its write end, which the caller hands to the process and closes."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reading, False)
        with self._lock:
            self._new.append((reading, stream))
        self._wake()
        return writing

    def drop(self, stream: LogStream) -> None:
        """Stop reading now: what still holds the pipe open is not part of the attempt any more."""
        with self._lock:
            self._dropped.append(stream)
        self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:
            return  # a wake-up is on its way already

    def _pump(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select():
                if key.fd == self._wake_read:
                    os.read(self._wake_read, 4096)
                    self._adopt()
                else:
                    self._read(key.fd, key.data)
        for stream in list(self._streams):
            self._end(stream)
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _adopt(self) -> None:
        with self._lock:
            new, self._new = self._new, []
            dropped, self._dropped = self._dropped, []
        for reading, stream in new:
            self._streams[stream] = reading
            self._selector.register(reading, selectors.EVENT_READ, stream)
        for stream in dropped:
            while stream in self._streams and self._read(self._streams[stream], stream):
                continue
            self._end(stream)

    def _read(self, reading: int, stream: LogStream) -> bool:
        """Whether something was read."""
        try:
            chunk = os.read(reading, CHUNK)
        except BlockingIOError:
            return False
        if chunk:
            stream.take(chunk)
        else:
            self._end(stream)
        return bool(chunk)

    def _end(self, stream: LogStream) -> None:
        reading = self._streams.pop(stream, None)
        if reading is not None:
            self._selector.unregister(reading)
            os.close(reading)
            stream.close()


def last_lines(store: ArtifactStore, key: str, lines: int = SHOWN_LINES) -> str:
    """The end of a log for an error message."""
    try:
        size = store.size(key)
        piece = store.read(key, max(0, size - SHOWN_BYTES), SHOWN_BYTES)
    except ObjectMissing:
        return ""
    return shown_lines(piece, whole=size <= SHOWN_BYTES, lines=lines)


def shown_lines(piece: bytes, *, whole: bool, lines: int = SHOWN_LINES) -> str:
    """The last lines of a log's end; bytes that are not text are shown as escapes."""
    if not whole:
        piece = piece.partition(b"\n")[2] or piece
    shown = piece.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    return "\n".join(shown.rstrip().splitlines()[-lines:])


def with_tail(failure: Failure, tail: str) -> Failure:
    """The failure with the log's last lines; user code's own last word joins the message."""
    last = tail.rpartition("\n")[2].strip()
    if failure.reason is Reason.USER_ERROR and last:
        return replace(failure, log_tail=tail, message=f"{failure.message}: {last[:300]}")
    return replace(failure, log_tail=tail)


async def follow(
    store: ArtifactStore, key: str, ended: asyncio.Event, offset: int = 0, pause: float = FOLLOW_SECONDS
) -> AsyncIterator[bytes]:
    """A log from `offset` on, in pieces, until it is read to its end after `ended` was set."""
    while True:
        last_round = ended.is_set()
        piece = await asyncio.to_thread(_read_or_nothing, store, key, offset)
        offset += len(piece)
        if piece:
            yield piece
        elif last_round:
            return
        else:
            try:
                async with asyncio.timeout(pause):
                    await ended.wait()
            except TimeoutError:
                continue


def _read_or_nothing(store: ArtifactStore, key: str, offset: int) -> bytes:
    try:
        return store.read(key, offset, CHUNK)
    except ObjectMissing:
        return b""
