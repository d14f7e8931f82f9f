"""What the loop that drives a run tells the thread that called: data and a queue. Put by `driving` and `following`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any


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
class Conversation:
    """What the loop tells the caller's thread: Line, Said, Progress, an attempt to run inline, or None at the end."""

    queue: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    over: threading.Event = field(default_factory=threading.Event)

    def say(self, sentence: str) -> None:
        self.queue.put(Said(sentence))
