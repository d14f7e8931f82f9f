"""One run from its submission to its end, on the loop of the session; what happens is put on a queue for the caller's thread.

Called by `calling`. A run whose caller goes away is terminated.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Final

from headrace.api.calls import Calls
from headrace.compiler.package import Package
from headrace.errors import HeadraceError, NotFound, PlatformUnreachable
from headrace.local.platforms import Opened, Session
from headrace.models import Progress, Run

FOLLOWED: Final = 16  # logs that are followed at once; the others wait
PATIENCE: Final = 0.1  # seconds before a log is followed
ATTEMPT_ENDED: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "LOST"})
AT_MOST: Final = 300  # tasks of one run whose logs are shown
LAST_LINES: Final = 5.0  # seconds that logs are waited for when the run has ended


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a task's log."""

    task: str
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of ours."""

    sentence: str
    level: str = "info"


@dataclass(slots=True)
class Order:
    """What is to run. `pipeline_root` "": the platform's own; `floats`: outputs that are numbers with a fraction."""

    package: Package
    name: str
    parameters: Mapping[str, Any]
    artifacts: Mapping[str, str]
    pipeline_root: str
    enable_cache: bool | None
    logs: bool
    floats: frozenset[str] = frozenset()


@dataclass(slots=True)
class Conversation:
    """What the loop tells the caller's thread: Line, Said, Progress, an attempt to run inline, or None at the end."""

    queue: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    over: threading.Event = field(default_factory=threading.Event)

    def say(self, sentence: str) -> None:
        self.queue.put(Said(sentence))


async def drive(session: Session, order: Order, conversation: Conversation) -> tuple[Run, Opened]:
    """The run when it has ended. Cancelled, it terminates the run."""
    try:
        return await _drive(session, order, conversation)
    finally:
        conversation.over.set()
        conversation.queue.put(None)


async def _drive(session: Session, order: Order, conversation: Conversation) -> tuple[Run, Opened]:
    opened = await session.platform(conversation.say)
    created = await opened.calls.submit(
        order.package,
        order.parameters,
        root_artifacts=order.artifacts,
        pipeline_root=order.pipeline_root,
        enable_cache=order.enable_cache,
        display_name=order.name,
    )
    conversation.queue.put(Said(f"run {created.run_id}  {_page(opened, created)}", "debug"))
    following = Following(opened.calls, created.run_id, conversation) if order.logs else None
    try:
        ended = await _ended(opened, created, conversation, following)
        if following is not None:
            await following.finish()
        return ended, opened
    except asyncio.CancelledError:
        await asyncio.shield(_terminate(opened.calls, created.run_id))
        raise
    finally:
        if following is not None:
            following.stop()


def _page(opened: Opened, run: Run) -> str:
    return f"{opened.local.address.http}/#/runs/details/{run.run_id}"


async def _ended(opened: Opened, created: Run, conversation: Conversation, following: Following | None) -> Run:
    def show(progress: Progress) -> None:
        conversation.queue.put(progress)
        if following is not None:
            following.seen(progress)

    waiting = asyncio.create_task(opened.calls.wait(created.run_id, progress=show))
    dying = asyncio.create_task(opened.local.died())
    try:
        await asyncio.wait({waiting, dying}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise PlatformUnreachable(
                f"the embedded platform ended while run {created.run_id} was going on; its log is platform.log in the folder "
                "logs of HEADRACE_HOME. The run goes on when a platform is up again: headrace up"
            )
        return waiting.result()
    finally:
        for task in (waiting, dying):
            task.cancel()
        await asyncio.gather(waiting, dying, return_exceptions=True)


async def _terminate(calls: Calls, run_id: str) -> None:
    with suppress(HeadraceError):  # it has ended, or its platform has
        await calls.runs.terminate(run_id)


class Following:
    """The logs of a run's tasks while they run."""

    def __init__(self, calls: Calls, run_id: str, conversation: Conversation) -> None:
        self._calls = calls
        self._run_id = run_id
        self._conversation = conversation
        self._logs: dict[tuple[str, int], asyncio.Event] = {}  # set when the attempt has ended
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(FOLLOWED)

    def seen(self, progress: Progress) -> None:
        """Follow the attempts that have begun; those that have ended are read to their end."""
        for task in progress.changed:
            for attempt in task.attempts[-2:]:
                key = (task.path, attempt.number)
                if key not in self._logs:
                    self._begin(key)
                if attempt.state in ATTEMPT_ENDED or task.ended:
                    self._logs[key].set()

    def _begin(self, key: tuple[str, int]) -> None:
        ended = self._logs[key] = asyncio.Event()
        if len(self._logs) == AT_MOST + 1:
            left_out = f"the logs of further tasks are not shown; all: headrace runs logs {self._run_id}"
            self._conversation.queue.put(Said(left_out))
        if len(self._logs) <= AT_MOST:
            following = asyncio.create_task(self._follow(*key, ended))
            self._tasks.add(following)
            following.add_done_callback(self._tasks.discard)

    async def _follow(self, path: str, attempt: int, ended: asyncio.Event) -> None:
        """What is written in its first moments is asked for once: most tasks are short, and a stream for each would cost them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await ended.wait()
        lines = Lines(path, self._conversation)
        async with self._places:
            if not ended.is_set():
                await self._while_it_runs(lines, attempt, ended)
            await self._copy(lines, attempt, follow=False)
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
            asked = self._calls.logs(self._run_id, lines.path, attempt=attempt, offset=lines.offset, follow=follow)
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
