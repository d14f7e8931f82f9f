"""The waterfall of a run's trace, and its longest chain, as lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from headrace.cli.chain import longest_chain
from headrace.display.texts import Style, between, cells, duration, fit, fit_end, one_line
from headrace.models import Span

PHASES = {  # phase → what people read, glyph, plain glyph, colour
    "waiting": ("waiting", "░", ".", "dim"),
    "admitted": ("admitted", "▒", ":", "cyan"),
    "scheduled": ("scheduled", "▒", ":", "cyan"),
    "image": ("environment", "▓", "e", "yellow"),
    "staging": ("staging", "▁", "<", "yellow"),
    "running": ("running", "█", "#", "blue"),
    "publishing": ("publishing", "▔", ">", "green"),
}
ROWS = 60


def waterfall(spans: Sequence[Span], now: datetime, width: int, style: Style) -> list[str]:
    """A row for each task that ran user code or came from the cache, in the order of their start; then the longest chain."""
    if not spans:
        return []
    begin = min(span.start for span in spans)
    end = max([span.end or now for span in spans] + [begin])
    total = max((end - begin).total_seconds(), 1e-6)
    rows = _rows(spans)
    if not rows:
        return []
    names = {path: one_line(path) for path in rows}
    room = min(max(cells(name) for name in names.values()), max(width // 3, 8))
    bar = max(width - room - 12, 10)
    lines = [
        _row(fit_end(names[path], room, style.ellipsis), room, parts, (begin, total, bar, now), style)
        for path, parts in list(rows.items())[:ROWS]
    ]
    if len(rows) > ROWS:
        lines.append(f"{style.ellipsis} and {len(rows) - ROWS} more tasks")
    lines.append(_legend(rows, style))
    chain = longest_chain(spans, now)
    if len(chain) > 1:
        busy = sum(((span.end or now) - span.start).total_seconds() for span in chain)
        way = (" → " if style.unicode else " -> ").join(one_line(span.path) for span in chain)
        lines.append(fit(f"longest chain {duration(busy)} of {duration(total)}: {way}", width * 2, style.ellipsis))
    return lines


def _rows(spans: Sequence[Span]) -> dict[str, list[Span]]:
    """Path → its phase spans; a cached or linked task has its task span alone. Groups are left out."""
    groups = {span.path.rpartition("/")[0] for span in spans if "/" in span.path}
    groups |= {span.path[: span.path.rindex("[")] for span in spans if span.path.endswith("]")}
    rows: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda one: one.start):
        if not span.path or span.path in groups:
            continue
        row = rows.setdefault(span.path, [])
        if span.phase in PHASES or taken_from(span):
            row.append(span)
    return {path: row for path, row in rows.items() if row}


def taken_from(span: Span) -> str:
    """ "cached" for the span of a task that was taken from the cache, "linked" where another run has made it, else ""."""
    if span.phase != "task":
        return ""
    if span.attributes.get("headrace.linked_from"):
        return "linked"
    marked = any("cache" in key and value not in ("", "false") for key, value in span.attributes.items())
    return "cached" if marked or span.state == "CACHED" else ""


def _row(name: str, room: int, parts: list[Span], scale: tuple[datetime, float, int, datetime], style: Style) -> str:
    begin, total, bar, now = scale
    drawn, colours = [" "] * bar, [""] * bar
    for span in parts:
        first = int((span.start - begin).total_seconds() / total * bar)
        last = int(((span.end or now) - begin).total_seconds() / total * bar)
        first = min(max(first, 0), bar - 1)
        _, glyph, plain, colour = PHASES.get(span.phase, ("cached", "=", "=", "green"))
        for cell in range(first, max(min(last, bar), first + 1)):
            drawn[cell], colours[cell] = (glyph if style.unicode else plain), colour
    taken = next((word for span in parts if (word := taken_from(span))), "")
    last_end = None if any(span.end is None for span in parts) else max(span.end for span in parts if span.end)
    took = taken or between(parts[0].start, last_end or now)
    padded = name + " " * (room - cells(name))
    return f"{padded}  {_painted(drawn, colours, style)}  {took}".rstrip()


def _painted(drawn: list[str], colours: list[str], style: Style) -> str:
    if not style.colour:
        return "".join(drawn)
    text, start = "", 0
    for index in range(1, len(drawn) + 1):
        if index == len(drawn) or colours[index] != colours[start]:
            text += style.paint("".join(drawn[start:index]), colours[start])
            start = index
    return text


def _legend(rows: dict[str, list[Span]], style: Style) -> str:
    seen = {span.phase for row in rows.values() for span in row}
    words = [
        f"{style.paint(glyph if style.unicode else plain, colour)} {word}"
        for phase, (word, glyph, plain, colour) in PHASES.items()
        if phase in seen
    ]
    taken = {taken_from(span) for row in rows.values() for span in row} - {""}
    if taken:
        words.append(f"{style.paint('=', 'green')} {' or '.join(sorted(taken))}")
    return "  ".join(words)
