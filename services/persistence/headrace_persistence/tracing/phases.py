"""Where an attempt's time went, by its times and by what it said that it waited for. Pure; for spans.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from headrace_persistence.tracing.records import PLATFORM, RUNNING, Stretch
from headrace_protos.v1 import events_pb2 as ev

# Each phase of an attempt ends at one of its times; it begins where the one before ended. An executor may stage before it has
# the image or the environment, so their order is that of their ends.
PHASES: Final = (
    ("admitted", "admitted_us"),
    ("scheduled", "scheduled_us"),
    ("image", "image_ready_us"),
    ("staging", "staged_us"),
    (RUNNING, "ended_us"),
    ("publishing", "published_us"),
)
CAUSES: Final = {"admitted": PLATFORM, "scheduled": "scheduling"}  # where the phase's own name is not the cause


def phases(start_us: int, times: ev.AttemptTimes) -> Iterator[tuple[str, int, int]]:
    """Phase, start, end: one that did not happen or is not known is left out."""
    start = start_us
    ends = [(phase, getattr(times, ended)) for phase, ended in PHASES]
    for phase, end_us in sorted(
        ends, key=lambda one: one[1]
    ):  # stable: of two that ended at once, in their order above
        if phase == RUNNING and times.started_us:
            start = max(start, times.started_us)  # clocks of two machines may differ
        if not end_us or end_us < start:
            continue
        yield phase, start, end_us
        start = end_us


def stretches(
    number: int, start_us: int, end_us: int, times: ev.AttemptTimes, held: Sequence[Stretch], running_us: int
) -> list[Stretch]:
    """The whole attempt from start to end without gaps. What it said that it waited for explains the time until user code runs
    better than the phase does. RUNNING_US: since when it was on a node, for one that could not tell its times (0 = it never
    was).
    """
    made: list[Stretch] = []
    at = start_us
    known = list(phases(start_us, times))
    if running_us and not times.ended_us:
        known.append((RUNNING, max(running_us, start_us), end_us))
    for phase, began, ended in known:
        start, end = min(max(began, at), end_us), min(max(ended, at), end_us)
        if start > at:
            made.append(Stretch(PLATFORM, number, at, start))
        if end > start:
            made.append(Stretch(CAUSES.get(phase, phase), number, start, end))
        at = end
    if end_us > at:
        made.append(Stretch(PLATFORM, number, at, end_us))
    until = next((one.start_us for one in made if one.cause == RUNNING), end_us)
    return overlaid(made, [one._replace(end_us=min(one.end_us, until)) for one in held])


def overlaid(under: Iterable[Stretch], over: Sequence[Stretch]) -> list[Stretch]:
    """UNDER, with OVER's stretches (in order, none overlapping another) in their places; never beyond UNDER's own."""
    made: list[Stretch] = []
    for one in under:
        at = one.start_us
        for better in over:
            start, end = max(better.start_us, at), min(better.end_us, one.end_us)
            if start >= end:
                continue
            if start > at:
                made.append(one._replace(start_us=at, end_us=start))
            made.append(better._replace(start_us=start, end_us=end))
            at = end
        if at < one.end_us:
            made.append(one._replace(start_us=at))
    return joined(made)


def joined(parts: Iterable[Stretch]) -> list[Stretch]:
    """Stretches of one cause that follow each other, as one."""
    made: list[Stretch] = []
    for one in parts:
        last = made[-1] if made else None
        if last and (last.cause, last.attempt, last.detail, last.end_us) == (
            one.cause,
            one.attempt,
            one.detail,
            one.start_us,
        ):
            made[-1] = last._replace(end_us=one.end_us)
        else:
            made.append(one)
    return made
