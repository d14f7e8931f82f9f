"""Progress on standard error: a tree redrawn in place on a terminal, else a line for each change. The shell round tree.py."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import time
from datetime import UTC, datetime
from typing import TextIO

from headrace.cli.texts import Style, one_line
from headrace.cli.tree import describe, render
from headrace.models import Progress, Task

FRAME = 0.1  # seconds between two frames at least
HEARTBEAT = 1.0  # seconds between two frames where nothing happened: elapsed times go on


def style_of(stream: TextIO) -> Style:
    """Colours on a terminal unless NO_COLOR is set; plain marks where the encoding has no others."""
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
    return Style(colour=terminal and not os.environ.get("NO_COLOR"), unicode=encoding.startswith("utf"))


def say(sentence: str) -> None:
    """A sentence on standard error; nobody listening is no reason to fail."""
    with contextlib.suppress(BrokenPipeError, ValueError):
        print(sentence, file=sys.stderr, flush=True)


class Lines:
    """One line for each change of a task's state, of its attempt or of what it waits for."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def show(self, progress: Progress) -> None:
        """What the last events changed."""
        for task in progress.changed:
            line = change_line(task)
            if self._said.get(task.path) != line:
                self._said[task.path] = line
                say(line)

    async def draw(self) -> None:
        """Nothing is drawn again."""
        await asyncio.Event().wait()

    def close(self) -> None:
        """Nothing is on the screen that has to go."""


def change_line(task: Task) -> str:
    """`train  RUNNING  attempt 2`."""
    words = describe(task, task.created_at or datetime.now(UTC)) if task.ended or task.waiting_on else ""
    attempt = f"attempt {task.attempts[-1].number}" if len(task.attempts) > 1 and not task.ended else ""
    state = "" if words.startswith(task.state.lower()) else task.state.lower()
    return "  ".join(one_line(part) for part in (task.path, state, attempt, words) if part)


class Tree:
    """The live tree; it is erased at the end, when the caller prints the result."""

    def __init__(self, stream: TextIO, title: str) -> None:
        self._stream = stream
        self._title = title
        self._style = style_of(stream)
        self._progress: Progress | None = None
        self._changed = asyncio.Event()
        self._height = 0

    def show(self, progress: Progress) -> None:
        """Draw it with the next frame."""
        self._progress = progress
        self._changed.set()

    async def draw(self) -> None:
        """Draws until cancelled. A big tree is drawn less often: a frame costs at most a tenth of the time."""
        while True:
            begin = time.monotonic()
            self._frame()
            await asyncio.sleep(max(FRAME, 9 * (time.monotonic() - begin)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT):
                    await self._changed.wait()
            self._changed.clear()

    def close(self) -> None:
        """The last state stays on the screen."""
        self._frame()
        self._height = 0

    def _frame(self) -> None:
        if self._progress is None:
            return
        size = shutil.get_terminal_size()
        now = datetime.now(UTC)
        head = self._style.paint(one_line(f"{self._title}  {self._progress.state.lower()}")[: size.columns - 1], "bold")
        # the last column stays empty: some terminals wrap there
        body = render(self._progress.tasks.values(), now, size.columns - 1, max(size.lines - 2, 1), self._style)
        up = f"\x1b[{self._height}A" if self._height else ""
        text = "".join(f"\x1b[2K{line}\n" for line in (head, *body))
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._stream.write(f"{up}\r{text}\x1b[J")
            self._stream.flush()
        self._height = len(body) + 1


def progress_on(stream: TextIO, title: str) -> Lines | Tree:
    """The face for STREAM."""
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return Tree(stream, title)
    return Lines()
