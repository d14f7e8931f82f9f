"""Waiting for a file of CONTROL: by inotify where the system has room for another watch, and by looking."""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import Final

IN_CREATE: Final = 0x100
IN_MOVED_TO: Final = 0x80
LOOK_S: Final = 1.0  # also with a watch: an event may be lost where file systems are stacked
POLL_S: Final = 0.02


class Watch:
    """`wait` returns when something may have come into the folder, or when it is time to look."""

    def __init__(self, folder: Path, signals: int) -> None:
        """`signals` becomes readable when one comes: a signal alone ends no wait that is just about to begin."""
        self._watch = _open(folder)
        self._signals = signals

    def wait(self) -> None:
        waits = [self._signals] if self._watch < 0 else [self._signals, self._watch]
        ready, _, _ = select.select(waits, [], [], POLL_S if self._watch < 0 else LOOK_S)
        for descriptor in ready:
            os.read(descriptor, 4096)

    def until(self, true: Callable[[], bool]) -> None:
        """Until it is true."""
        while not true():
            self.wait()


def _open(folder: Path) -> int:
    """A descriptor of inotify, or -1 where there is none to be had."""
    try:
        system = ctypes.CDLL(None, use_errno=True)
        descriptor: int = system.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if descriptor >= 0 and system.inotify_add_watch(descriptor, os.fsencode(folder), IN_MOVED_TO | IN_CREATE) < 0:
            os.close(descriptor)
            return -1
    except (OSError, AttributeError):
        return -1
    return descriptor
