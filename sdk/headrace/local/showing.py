"""What a call shows meanwhile: the tasks' logs, each line with its task before it, and on a terminal how far the run is.

Everything is printed by the thread of the caller, so that a notebook shows it in the cell that called. Called by `calling`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from typing import Final

from headrace.local.settings import LocalSettings
from headrace.models import Progress

FRAME: Final = 0.1  # seconds between two states of the line at the bottom
ERASE: Final = "\r\x1b[2K"
SPINNER: Final = "|/-\\"


class Screen:
    """Standard output for logs, standard error for the rest."""

    def __init__(self, settings: LocalSettings, title: str) -> None:
        self._settings = settings
        self._title = title
        self._begin = time.monotonic()
        self._live = settings.shows("info") and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._done, self._total, self._running = 0, 0, ""
        self._drawn = False

    @property
    def frame(self) -> float | None:
        """Seconds after which the line at the bottom is due again; None where there is none."""
        return FRAME if self._live else None

    def line(self, task: str, text: str) -> None:
        """One line of a task's log."""
        self._print(f"[{task}] {text}", sys.stdout)

    def say(self, sentence: str, level: str = "info") -> None:
        """A sentence of ours."""
        if self._settings.shows(level):
            self._print(sentence, sys.stderr)

    def seen(self, progress: Progress) -> None:
        """How far the run is."""
        leaves = [task for task in progress.tasks.values() if task.kind in ("RUNTIME", "IMPORTER")]
        self._done, self._total = sum(task.ended for task in leaves), len(leaves)
        self._running = ", ".join(task.path for task in leaves if task.state == "RUNNING")

    def tick(self) -> None:
        """Draw the line at the bottom."""
        if not self._live:
            return
        spent = time.monotonic() - self._begin
        mark = SPINNER[int(spent / FRAME) % len(SPINNER)]
        text = f"{mark} {self._title}  {self._done}/{self._total} tasks  {spent:.1f} s  {self._running}"
        self._write(ERASE + text[: shutil.get_terminal_size().columns - 1])
        self._drawn = True

    def close(self) -> None:
        """Nothing stays at the bottom."""
        self._erase()

    def _print(self, text: str, stream: object) -> None:
        self._erase()
        with contextlib.suppress(BrokenPipeError, ValueError):
            print(text, file=stream, flush=True)  # type: ignore[call-overload]  # a stream of ours

    def _erase(self) -> None:
        if self._drawn:
            self._write(ERASE)
            self._drawn = False

    def _write(self, text: str) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()
