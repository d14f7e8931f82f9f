"""Progress on standard error: a tree redrawn in place on a terminal, else lines. The shell round tree.py and lines.py."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import time
from datetime import UTC, datetime
from typing import TextIO

from headrace.display.lines import Digest
from headrace.display.texts import Style, one_line
from headrace.display.tree import render
from headrace.models import Progress

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
    """Lines for the changes of the run, one after the other."""

    def __init__(self) -> None:
        self._digest = Digest()

    def show(self, progress: Progress) -> None:
        """What the last events changed."""
        for line in self._digest.lines(progress):
            say(line)

    async def draw(self) -> None:
        """Nothing is drawn again."""
        await asyncio.Event().wait()

    def close(self) -> None:
        """Nothing is on the screen that has to go."""


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
