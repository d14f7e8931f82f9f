"""What a component prints while it is called inline goes where this process prints, and into the attempt's log. By thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Tell = Callable[[str], None]

_tells: dict[int, list[Tell]] = {}
_lock = threading.Lock()


class Tee:
    """A stream that also tells what the threads write that are listened to; all else is the stream's own."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, and tell."""
        written: int = self._stream.write(text)
        told = _tells.get(threading.get_ident())
        if told:
            told[-1](text)
        return written

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def teed(tell: Tell) -> Iterator[None]:
    """TELL gets what this thread prints, until the end of the block."""
    me = threading.get_ident()
    with _lock:
        if not _tells:
            _install()
        _tells.setdefault(me, []).append(tell)
    try:
        yield
    finally:
        with _lock:
            _tells[me].pop()
            if not _tells[me]:
                del _tells[me]
            if not _tells:
                _remove()


def _install() -> None:
    sys.stdout, sys.stderr = Tee(sys.stdout), Tee(sys.stderr)


def _remove() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, Tee):
            setattr(sys, name, stream._stream)
