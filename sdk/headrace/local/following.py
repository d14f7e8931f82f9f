"""The logs of a run's tasks while they run, put on the caller's queue line by line. Called by `driving`.

A log that lies on this machine is read where it lies: most tasks are short, and a call of the platform for each would cost them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from headrace.api.calls import Calls
from headrace.errors import NotFound, PlatformUnreachable
from headrace.local.results import local_path
from headrace.local.telling import Conversation, Line, Said
from headrace.models import Attempt, Progress

FOLLOWED: Final = 16  # logs of other stores that are followed at once; the others wait
PATIENCE: Final = 0.1  # seconds before a log is followed, and between two looks at one of this machine
AT_MOST: Final = 300  # tasks of one run whose logs are shown
LAST_LINES: Final = 5.0  # seconds that logs are waited for when the run has ended
CHUNK: Final = 1 << 20  # bytes of a log that are read at once
ATTEMPT_ENDED: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "LOST"})


class Following:
    """The logs of one run."""

    def __init__(self, calls: Calls, run_id: str, conversation: Conversation) -> None:
        self.calls = calls
        self._run_id = run_id
        self._conversation = conversation
        self._logs: dict[tuple[str, int], asyncio.Event] = {}  # set when the attempt has ended
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(FOLLOWED)

    def seen(self, progress: Progress) -> None:
        """Follow the attempts that run; those that have ended are read to their end."""
        for task in progress.changed:
            for attempt in task.attempts[-2:]:
                key = (task.path, attempt.number)
                if attempt.log_uri and key not in self._logs:
                    self._begin(task.path, attempt)
                if key in self._logs and (attempt.state in ATTEMPT_ENDED or task.ended):
                    self._logs[key].set()

    def _begin(self, path: str, attempt: Attempt) -> None:
        ended = self._logs[path, attempt.number] = asyncio.Event()
        if len(self._logs) == AT_MOST + 1:
            left_out = f"the logs of further tasks are not shown; all: headrace runs logs {self._run_id}"
            self._conversation.queue.put(Said(left_out))
        if len(self._logs) <= AT_MOST:
            following = asyncio.create_task(self._follow(path, attempt, ended))
            self._tasks.add(following)
            following.add_done_callback(self._tasks.discard)

    async def _follow(self, path: str, attempt: Attempt, ended: asyncio.Event) -> None:
        lines = Lines(path, self._conversation)
        await _happened(ended)
        if file := local_path(attempt.log_uri):
            while not ended.is_set():
                _read(file, lines)
                await _happened(ended)
            _read(file, lines)
        else:
            async with self._places:
                if not ended.is_set():
                    await self._while_it_runs(lines, attempt.number, ended)
                await self._copy(lines, attempt.number, follow=False)
        lines.close()

    async def _while_it_runs(self, lines: Lines, attempt: int, ended: asyncio.Event) -> None:
        copying = asyncio.create_task(self._copy(lines, attempt, follow=True))
        ending = asyncio.create_task(ended.wait())
        try:
            await asyncio.wait({copying, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            copying.cancel()
            ending.cancel()
            await asyncio.gather(copying, ending, return_exceptions=True)

    async def _copy(self, lines: Lines, attempt: int, *, follow: bool) -> None:
        # an attempt that never came to write, or a platform that went away, which others say
        with suppress(NotFound, PlatformUnreachable):
            asked = self.calls.logs(self._run_id, lines.path, attempt=attempt, offset=lines.offset, follow=follow)
            async for data in asked:
                lines.add(data)

    async def finish(self) -> None:
        """The last lines of the logs."""
        for ended in self._logs.values():
            ended.set()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=LAST_LINES)

    def stop(self) -> None:
        """Nobody reads them any more."""
        for task in self._tasks:
            task.cancel()


class Lines:
    """One log's bytes, put on the queue as whole lines; `offset` is how many have come."""

    def __init__(self, path: str, conversation: Conversation) -> None:
        self.path = path
        self.offset = 0
        self._conversation = conversation
        self._torn = b""

    def add(self, data: bytes) -> None:
        """Put the lines that DATA ends."""
        self.offset += len(data)
        *whole, self._torn = (self._torn + data).split(b"\n")
        for line in whole:
            self._put(line)

    def close(self) -> None:
        """Put the last line, which nothing ended."""
        if self._torn:
            self._put(self._torn)

    def _put(self, line: bytes) -> None:
        self._conversation.queue.put(Line(self.path, line.decode("utf-8", "replace").rstrip("\r")))


async def _happened(event: asyncio.Event) -> None:
    """After a moment, or when EVENT has happened."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await event.wait()


def _read(file: str, lines: Lines) -> None:
    """What has been written since the last look; nothing where the attempt never came to write."""
    with suppress(FileNotFoundError), open(file, "rb") as opened:
        opened.seek(lines.offset)
        while data := opened.read(CHUNK):
            lines.add(data)
