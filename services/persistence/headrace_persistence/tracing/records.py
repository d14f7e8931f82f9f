"""What a trace is made of: spans, stretches of time with their cause, and what is known of each task. Plain values, no logic
but reading.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from headrace_protos.v1 import events_pb2 as ev

# Why time passes, as people and the API name it; `wait_cause` has those that tasks tell.
RUNNING: Final = "running"  # user code
UPSTREAM: Final = "upstream"  # tasks before it
PLATFORM: Final = "platform"  # nothing was told: deciding, storing, looking into the cache, starting
GROUPS: Final = frozenset({ev.DAG, ev.LOOP, ev.LOOP_ITERATION})


class Link(NamedTuple):
    """Another span that explains this one: what was retried, resumed, or where results are from."""

    trace_id: str
    span_id: str
    kind: str  # retry | resumed | cached | linked


class Stretch(NamedTuple):
    """Part of the time of a task."""

    cause: str
    attempt: int  # 0 = outside of attempts
    start_us: int
    end_us: int
    detail: str = ""


@dataclass(slots=True)
class Span:
    """One span; `number` is the attempt's for an attempt and what is in it, else how often the run was retried before."""

    span_id: str
    parent_id: str
    name: str
    path: str
    number: int
    phase: str
    start_us: int
    end_us: int = 0  # 0 = open
    state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()


@dataclass(slots=True)
class Spent:
    """Microseconds for one cause, of all tasks that spent any."""

    cause: str
    total_us: int = 0
    critical_us: int = 0
    tasks: int = 0
    most: str = ""  # the path of the task for which it was most
    most_us: int = 0

    def add(self, path: str, spent_us: int) -> None:
        self.total_us += spent_us
        self.tasks += 1
        if spent_us > self.most_us:
            self.most, self.most_us = path, spent_us


@dataclass(slots=True)
class Part:
    """A thousand iterations of a wide loop, of those that have ended."""

    first_us: int
    last_us: int
    ended: int = 0
    failed: int = 0


@dataclass(slots=True)
class Wide:
    """What is told of a wide loop in the place of its iterations: since it was created or last reset by a retry."""

    parts: dict[int, Part] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)  # iterations, by state
    spent: dict[str, Spent] = field(default_factory=dict)  # on all that is in it


@dataclass(slots=True)
class Waiting:
    """A wait that goes on."""

    cause: str
    start_us: int
    detail: str = ""


@dataclass(slots=True)
class Task:
    """A task since it was created or last reset by a retry; the run itself has the path ""."""

    path: str
    kind: int
    span: Span
    created_us: int
    upstream: tuple[str, ...] = ()  # paths
    order: int = 0  # of creation
    started_us: int = 0
    finished_us: int = 0
    freed_by: str = ""  # of an iteration that had to wait for room: the one that ended
    last_ended: str = ""  # of a loop: the iteration that ended last
    told_us: int = 0  # up to where it is told what time passed on
    waits: int = 0  # told so far: they number the spans
    waiting: Waiting | None = None
    attempt: Span | None = None  # in flight
    held: list[Stretch] = field(default_factory=list)  # the waits of the attempt that is in flight
    running_us: int = 0  # since when that attempt is on a node
    stretches: list[Stretch] = field(default_factory=list)
    iterations: int = 0  # of a loop; until it starts again after a retry, those that it had
    wide: Wide | None = None  # of a wide loop, since the first of its iterations ended

    @property
    def is_group(self) -> bool:
        return self.kind in GROUPS


def wait_cause(waiting: ev.WaitingOn) -> str:
    """One word for what a task says that it waits for: more exact than the kind of wait where that is told."""
    return waiting.resource or ev.WaitCause.Name(waiting.cause).lower().replace("cache_reservation", "cache")
