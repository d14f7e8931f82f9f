"""The waterfall of a run's trace as lines: a tree of its tasks, each with a bar of what its time went on. Pure.

Where there are more rows than wanted, of each group some are shown (those on the critical path, that failed or go on, the
longest, the first ones) and the others counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from headrace.display.texts import STATE_COLOURS, Style, between, cells, counted, duration, fit, fit_end, one_line
from headrace.models import Span, Trace
from headrace_protos.lifecycle import parent_path

PHASES = {  # phase → what people read, glyph, plain glyph, colour
    "waiting": ("waiting", "░", ".", "dim"),
    "admitted": ("admitted", "▒", ":", "cyan"),
    "scheduled": ("scheduled", "▒", ":", "cyan"),
    "image": ("environment", "▓", "e", "yellow"),
    "staging": ("staging", "▁", "<", "yellow"),
    "running": ("running", "█", "#", "blue"),
    "publishing": ("publishing", "▔", ">", "green"),
}
GROUP, TAKEN = "group", "taken"  # phases of bars: a group's whole time, a result that was taken from elsewhere
ROWS = 60
OF_A_GROUP = (60, 24, 12, 6, 3)  # rows, the first number with which all fit
LONG_S = 1.0  # a wait that is worth a word


@dataclass(slots=True)
class Row:
    """A task: its last task span, its bars, and what is in it."""

    path: str
    start: datetime
    span: Span | None = None
    bars: list[Span] = field(default_factory=list)
    children: list[Row] = field(default_factory=list)
    hidden: Counter[str] = field(default_factory=Counter)  # of its group, by state
    attempts: int = 0
    critical: bool = False

    def end(self, now: datetime) -> datetime:
        return (
            self.span.end if self.span is not None else max((one.end or now for one in self.bars), default=now)
        ) or now


def waterfall(trace: Trace, now: datetime, width: int, style: Style, rows: int | None = ROWS) -> list[str]:
    """Lines of at most WIDTH columns; ROWS None = all that there are."""
    roots = _tree(trace)
    if not roots:
        return []
    _folded(roots, now, rows)
    flat = _flat(roots)
    begin = min(span.start for span in trace.spans)
    end = max([span.end or now for span in trace.spans] + [begin])
    names = [_name(row, depth, style) for depth, row in flat]
    tails = [_tail(row, now) for _, row in flat]
    room = min(max(cells(name) for name in names), max(width // 3, 8))
    bar = max(width - room - min(max(cells(tail) for tail in tails), max(2 * width // 5, 8)) - 6, 10)
    scale = _Scale(begin, max((end - begin).total_seconds(), 1e-6), bar, now)
    lines = []
    for (_, row), name, tail in zip(flat, names, tails, strict=True):
        text = fit(name, room, style.ellipsis) if row.span is None else fit_end(name, room, style.ellipsis)
        mark = style.paint(style.mark(row.span.state), STATE_COLOURS.get(row.span.state, "")) if row.span else " "
        path = (style.paint("▸", "bold") if style.unicode else ">") if row.critical else " "
        shown = fit(tail, max(width - room - bar - 6, 8), style.ellipsis)
        lines.append(f"{path}{mark} {text}{' ' * (room - cells(text))} {_drawn(row, scale, style)} {shown}".rstrip())
    lines.append(_legend(trace, flat, style))
    return lines


def taken_from(span: Span) -> str:
    """ "cached" for the span of a task that was taken from the cache, "linked" where another run has made it, else ""."""
    if span.phase != "task":
        return ""
    if span.attributes.get("headrace.linked_from"):
        return "linked"
    return "cached" if span.attributes.get("headrace.cached_from") else ""


# ---- the tree


def _tree(trace: Trace) -> list[Row]:
    """Rows by their start, of what is in the run; a task that was retried is one row with the bars of all its lives."""
    found: dict[str, Row] = {}
    critical = {step.path for step in trace.critical_path}
    for span in trace.spans:
        if not span.path or span.phase == "folded":
            continue
        row = found.setdefault(span.path, Row(span.path, span.start))
        if span.phase == "task":
            row.span, row.start = span, min(row.start, span.start)
        elif span.phase == "attempt":
            row.attempts = max(row.attempts, span.attempt)
        elif span.phase in PHASES:
            row.bars.append(span)
    roots: list[Row] = []
    for path, row in found.items():
        row.critical = path in critical
        above = found.get(parent_path(path))
        (roots if above is None else above.children).append(row)
    for span in trace.spans:
        group = found.get(span.path) if span.phase == "folded" else None
        if group is not None:
            group.children.append(_stand_in(span))
    for row in found.values():
        row.children.sort(key=lambda one: (one.span is None, one.start))
    return sorted(roots, key=lambda one: one.start)


def _stand_in(span: Span) -> Row:
    row = Row(span.path, span.start, bars=[span])
    for key, count in span.attributes.items():
        if key.startswith("headrace.folded.") and count.isdecimal():
            row.hidden[key.rpartition(".")[2].upper()] += int(count)
    return row


def _folded(roots: list[Row], now: datetime, rows: int | None) -> None:
    """Fold groups, until there are at most ROWS; the top is a group too."""
    if rows is None:
        return
    for most in OF_A_GROUP:
        if _count(roots) <= rows:
            return
        _fold(roots, now, most)


def _count(rows: Sequence[Row]) -> int:
    return sum(1 + _count(row.children) for row in rows)


def _fold(rows: list[Row], now: datetime, most: int) -> None:
    """At most MOST of ROWS, and of what is in them."""
    real = [row for row in rows if row.span is not None]
    if len(real) > most:
        kept = {id(row) for row in sorted(real, key=lambda row: _rank(row, now))[: most - 1]}
        hidden = [row for row in real if id(row) not in kept]
        stand_in = next((row for row in rows if row.span is None), None) or Row("", min(row.start for row in hidden))
        stand_in.start = min(stand_in.start, *(row.start for row in hidden))
        for row in hidden:
            stand_in.hidden[row.span.state if row.span is not None and row.span.state else "RUNNING"] += 1
            stand_in.bars += row.bars
        rows[:] = [*(row for row in real if id(row) in kept), stand_in]
    for row in rows:
        _fold(row.children, now, most)


def _rank(row: Row, now: datetime) -> tuple[int, float]:
    """What is worth a row comes first: the path, what failed, what goes on; then the longest."""
    state = row.span.state if row.span is not None else ""
    urgent = 0 if row.critical else 1 if state == "FAILED" else 2 if not state else 3
    return urgent, -(row.end(now) - row.start).total_seconds()


def _flat(rows: Sequence[Row], depth: int = 0) -> list[tuple[int, Row]]:
    return [one for row in rows for one in ((depth, row), *_flat(row.children, depth + 1))]


# ---- a row


@dataclass(frozen=True, slots=True)
class _Scale:
    begin: datetime
    seconds: float
    bar: int  # columns
    now: datetime

    def columns(self, start: datetime, end: datetime) -> range:
        first = int((start - self.begin).total_seconds() / self.seconds * self.bar)
        last = int((end - self.begin).total_seconds() / self.seconds * self.bar)
        first = min(max(first, 0), self.bar - 1)
        return range(first, max(min(last, self.bar), first + 1))


def _name(row: Row, depth: int, style: Style) -> str:
    indent = "  " * depth
    if row.span is None:
        return f"{indent}{style.ellipsis} {row.hidden.total():,} more"
    name = row.path[len(parent_path(row.path)) :].removeprefix("/")
    return f"{indent}{one_line(name)}"


def _tail(row: Row, now: datetime) -> str:
    """How long it took, and what is worth a word."""
    if row.span is None:
        return counted({("RUNNING" if state == "OPEN" else state): count for state, count in row.hidden.items()})
    if taken := taken_from(row.span):
        return taken
    words = [between(row.start, row.end(now))]
    if row.attempts > 1:
        words.append(f"{row.attempts} attempts")
    waits: Counter[str] = Counter()
    for span in row.bars:
        cause = span.attributes.get("headrace.waiting_on", "")
        if span.phase == "waiting" and cause not in ("upstream", "platform", ""):
            waits[cause] += int(((span.end or now) - span.start).total_seconds() * 1000)
    if waits and (most := waits.most_common(1)[0])[1] >= LONG_S * 1000:
        words.append(f"waited {duration(most[1] / 1000)}: {most[0]}")
    return ", ".join(words)


def _drawn(row: Row, scale: _Scale, style: Style) -> str:
    drawn, colours = [" "] * scale.bar, [""] * scale.bar
    bars = [(span, span.phase) for span in row.bars]
    if row.span is not None and row.children:
        bars.insert(0, (row.span, GROUP))
    elif row.span is not None and taken_from(row.span):
        bars.append((row.span, TAKEN))
    for span, phase in bars:
        glyph, plain, colour = _glyph(phase)
        for cell in scale.columns(span.start, span.end or scale.now):
            drawn[cell], colours[cell] = (glyph if style.unicode else plain), colour
    return _painted(drawn, colours, style)


def _glyph(phase: str) -> tuple[str, str, str]:
    if phase in PHASES:
        return PHASES[phase][1:]
    return {GROUP: ("─", "-", "dim"), TAKEN: ("=", "=", "green")}.get(phase, ("·", "+", "dim"))


def _painted(drawn: list[str], colours: list[str], style: Style) -> str:
    if not style.colour:
        return "".join(drawn)
    text, start = "", 0
    for index in range(1, len(drawn) + 1):
        if index == len(drawn) or colours[index] != colours[start]:
            text += style.paint("".join(drawn[start:index]), colours[start])
            start = index
    return text


def _legend(trace: Trace, flat: Sequence[tuple[int, Row]], style: Style) -> str:
    seen = {span.phase for _, row in flat for span in row.bars}
    words = [
        f"{style.paint(glyph if style.unicode else plain, colour)} {word}"
        for phase, (word, glyph, plain, colour) in PHASES.items()
        if phase in seen
    ]
    taken = {taken_from(row.span) for _, row in flat if row.span is not None} - {""}
    if taken:
        words.append(f"{style.paint('=', 'green')} {' or '.join(sorted(taken))}")
    if trace.critical_path:
        words.append(f"{'▸' if style.unicode else '>'} on the critical path")
    return "  ".join(words)
