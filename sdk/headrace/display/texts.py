"""Small pieces of what is shown of runs: glyphs, colours, durations, cutting to cells, cleaning. Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime

COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "dim": "2", "bold": "1", "cyan": "36"}
STATE_COLOURS = {
    "SUCCEEDED": "green",
    "FAILED": "red",
    "RUNNING": "blue",
    "CANCELING": "yellow",
    "CANCELED": "yellow",
    "READY": "cyan",
    "PENDING": "dim",
    "SKIPPED": "dim",
}


@dataclass(frozen=True, slots=True)
class Style:
    """How a terminal can be written to."""

    colour: bool = False
    unicode: bool = True

    def paint(self, text: str, colour: str) -> str:
        if not self.colour or not colour or not text:
            return text
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m"

    def mark(self, state: str) -> str:
        """One cell for a task's state."""
        marks = {"SUCCEEDED": "✓", "FAILED": "✗", "RUNNING": "●", "READY": "○", "SKIPPED": "−", "CANCELED": "⊘"}
        plain = {"SUCCEEDED": "+", "FAILED": "x", "RUNNING": "*", "READY": "o", "SKIPPED": "-", "CANCELED": "/"}
        return (marks if self.unicode else plain).get(state, "·" if self.unicode else ".")

    @property
    def ellipsis(self) -> str:
        return "…" if self.unicode else "~"


def clean(text: str) -> str:
    """TEXT without what a terminal would obey: a user's message must not move the cursor."""
    return "".join(c if c == "\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else "�" for c in text)


def one_line(text: str) -> str:
    return clean(" ".join(text.split()))


def cells(text: str) -> int:
    """How many columns TEXT takes."""
    return sum(_cell(c) for c in text)


def _cell(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def fit(text: str, width: int, ellipsis: str = "…") -> str:
    """TEXT in at most WIDTH columns."""
    if cells(text) <= width:
        return text
    kept, room = [], max(width - 1, 0)
    for char in text:
        room -= _cell(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept) + ellipsis[:width]


def fit_end(text: str, width: int, ellipsis: str = "…") -> str:
    """The end of TEXT in at most WIDTH columns: of a path, the task's own name."""
    return fit(text[::-1], width, ellipsis)[::-1]


def duration(seconds: float) -> str:
    """340ms, 12.3s, 4m05s, 2h07m."""
    seconds = max(seconds, 0.0)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"


def between(start: datetime | None, end: datetime | None) -> str:
    return duration((end - start).total_seconds()) if start and end else ""


def many(number: int, what: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def counted(counts: dict[str, int]) -> str:
    """`2 failed, 1 running, 37 succeeded`, what needs attention first."""
    order = ("FAILED", "RUNNING", "READY", "PENDING", "SUCCEEDED", "SKIPPED", "CANCELED")
    return ", ".join(f"{counts[state]} {state.lower()}" for state in order if counts.get(state))
