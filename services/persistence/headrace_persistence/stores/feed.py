"""The events of many runs in one order that readers can go on from: pages of the table `feed`, without a gap (ADR 0024).

Positions are taken while transactions run, so they become visible out of order: after 7 may come 9, and 8 later or, where its
transaction is rolled back, never. A reader that had gone on to 9 would not see 8 any more; so no page goes over a hole before it
is known that nobody can fill it. `Tail` keeps the newest pages for all readers; this class holds nothing but what is settled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from headrace_metrics.definitions import WATCH_HELD
from headrace_persistence.queries import SQL
from headrace_protos.v1 import events_pb2 as ev
from headrace_servicekit.postgres import Database, Row

SPAN: Final = 2048  # sequence numbers of one position: its events from 1 on; 0 is before them, the last after them
ROWS: Final = 500  # positions of a page
EVENTS: Final = 2000  # events of a page
BYTES: Final = 1 << 18  # of a page; one event more where it is larger
HELD: Final = 0.02  # seconds between two looks at transactions that may fill a hole


@dataclass(slots=True)
class Part:
    """Consecutive events of one run, with their sequence numbers."""

    run_id: str
    namespace: str
    events: list[ev.Event] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    size: int = 0  # bytes


@dataclass(frozen=True, slots=True)
class Page:
    """The parts after a sequence number up to SEQUENCE. MORE: there may be more at once; HELD: a hole is waited for."""

    parts: list[Part]
    sequence: int
    more: bool = False
    held: bool = False


class Feed:
    """Reads alone; any number of tasks may use one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._settled = 0  # what is not there up to this position never comes
        self._doubt: tuple[int, frozenset[str]] | None = None  # settled up to it, once these transactions have ended

    async def now(self) -> int:
        """The sequence number after all that can be seen, once nothing can come before it any more."""
        top = int((await self._database.read(SQL["feed_top"]))[0][0])
        while True:
            if await self._settle(top):
                return top * SPAN + SPAN - 1
            await asyncio.sleep(HELD)

    async def given(self, sequence: int) -> bool:
        """Whether a sequence number may have been given: none from the future, or of a database that was set back."""
        return sequence // SPAN <= int((await self._database.read(SQL["feed_last"]))[0][0])

    async def page(self, after: int) -> Page:
        """What comes after the sequence number AFTER, which this gave or which is 0."""
        position, place = divmod(after, SPAN)
        first = position + (place == SPAN - 1)
        while True:
            rows = await self._database.read(SQL["feed_rows"], {"position": first, "limit": ROWS})
            count = before_a_hole([row[0] for row in rows], position, self._settled)
            if count or not rows:
                break
            settled = self._settled
            if not await self._settle(rows[-1][0]) and self._settled == settled:
                WATCH_HELD.inc()
                return Page([], after, held=True)
        if not rows:
            return Page([], after)
        chosen = rows[: min(count, _few(rows))]
        parts, cut = await self._parts(chosen, after)
        end = chosen[-1][0] * SPAN + SPAN - 1
        return Page(parts, cut or max(end, after), more=bool(cut) or len(chosen) < len(rows) or len(rows) == ROWS)

    async def _parts(self, rows: Sequence[Row], after: int) -> tuple[list[Part], int]:
        """The events of ROWS after a sequence number; and where they end before the rows do, 0 where they do not."""
        there = [row for row in rows if row[4] is not None]  # the others' runs are deleted
        firsts = [row[2] + (after % SPAN if row[0] == after // SPAN else 0) for row in there]
        wanted = {
            "runs": [row[1] for row in there],
            "days": [row[6] for row in there],
            "firsts": firsts,
            "lasts": [row[3] for row in there],
            "bytes": BYTES,
        }
        parts: list[Part] = []
        last, size = 0, 0
        for place, seq, payload in await self._database.read(SQL["feed_events"], wanted) if there else ():
            position, _, first, _, run_id, namespace, _ = there[place - 1]
            if not parts or parts[-1].sequences[-1] // SPAN != position:
                parts.append(Part(run_id, namespace))
            last = position * SPAN + seq - first + 1
            parts[-1].events.append(ev.Event.FromString(payload))
            parts[-1].sequences.append(last)
            parts[-1].size += len(payload)
            size += len(payload)
        return parts, last if size >= BYTES else 0

    async def _settle(self, top: int) -> bool:
        """Whether nothing can come any more at or below TOP, a position that was seen.

        Positions grow: whoever holds a lower one took it before TOP could be seen, and still holds the lock, or has ended.
        """
        if top <= self._settled:
            return True
        writers = frozenset(str(row[0]) for row in await self._database.read(SQL["feed_writers"]))
        if self._doubt is not None:
            doubted, left = self._doubt[0], self._doubt[1] & writers
            self._doubt = (doubted, left) if left else None
            if not left:
                self._settled = max(self._settled, doubted)
        if not writers:
            self._settled = max(self._settled, top)
        elif self._doubt is None and top > self._settled:
            self._doubt = (top, writers)
        return top <= self._settled


def before_a_hole(positions: Sequence[int], start: int, settled: int) -> int:
    """How many of POSITIONS, which follow START, come before a hole that may still be filled. Pure."""
    known = max(start, settled)
    for count, position in enumerate(positions):
        if position - 1 > known:
            return count
        known = max(known, position)
    return len(positions)


def _few(rows: Sequence[Row]) -> int:
    """How many rows have about as many events as a page may."""
    total = 0
    for count, row in enumerate(rows, 1):
        total += row[3] - row[2] + 1
        if total >= EVENTS:
            return count
    return len(rows)
