"""What `wait` shows while a run goes on: a tree on a terminal, a page that is redrawn in a notebook. Used by runs."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

from headrace.models import Progress

# None: on a terminal and in a notebook; True: everywhere; False: nowhere; a function: called with each change.
Progressing: TypeAlias = bool | Callable[[Progress], None] | None
EVERY: Final = 0.5  # seconds between two pictures in a notebook


@asynccontextmanager
async def showing(progress: Progressing, title: str) -> AsyncIterator[Callable[[Progress], None] | None]:
    """What is to be called with each change while the block runs."""
    if callable(progress):
        yield progress
        return
    notebook = None if progress is False else notebook_display()
    if notebook is not None:
        page = Page(notebook, title)
        yield page.show
        page.close()
        return
    if progress is False or not (progress or (sys.stdout.isatty() and sys.stderr.isatty())):
        yield None
        return
    from headrace.display.screen import progress_on

    face = progress_on(sys.stderr, title)
    drawing = asyncio.create_task(face.draw())
    try:
        yield face.show
    finally:
        drawing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await drawing
        face.close()


def notebook_display() -> Any:
    """IPython's `display` where we run in a kernel that can show HTML, else None. IPython is never imported for it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return sys.modules["IPython.display"].display if "IPython.display" in sys.modules else None


class Page:
    """The run's tasks in a notebook's cell, drawn again in place."""

    def __init__(self, display: Any, title: str) -> None:
        self._display = display
        self._title = title
        self._handle: Any = None
        self._last: Progress | None = None
        self._drawn = 0.0

    def show(self, progress: Progress) -> None:
        """Draw it, if the last time was long enough ago."""
        self._last = progress
        if time.monotonic() - self._drawn >= EVERY:
            self._draw()

    def close(self) -> None:
        """The last state stays."""
        self._draw()

    def _draw(self) -> None:
        if self._last is None:
            return
        from headrace.api import html

        data = {"text/html": html.progress(self._last, self._title), "text/plain": f"{self._title} {self._last.state}"}
        if self._handle is None:
            self._handle = self._display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)
        self._drawn = time.monotonic()
