"""Facts: what the world said, as immutable values; the only input of `step` besides plan and state.

Made by driving.py from the inbox, the executor, the cache and the clock; read by the engine's modules. Every fact may
come twice, late, or in another order; one that does not apply any more has no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headrace_ir.values import Value
from headrace_protos.v1 import attempts_pb2, events_pb2


@dataclass(frozen=True, slots=True)
class Clock:
    """Now, in microseconds since the epoch. Every step gets exactly one, first; timers are derived from it."""

    now_us: int


@dataclass(frozen=True, slots=True)
class TerminateRequested:
    """A user ends the run; exit tasks of the groups that are open run first where that is wanted."""

    run_exit_tasks: bool = False


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """A user retries a terminal run: what failed or was cancelled runs again."""


@dataclass(frozen=True, slots=True)
class CacheAnswered:
    """The cache's answer for a task: a hit has outputs and origin; a miss has the key alone.

    `held_by` != "": an identical task is in flight elsewhere; ask again later. `unavailable`: treat as a miss, uncached.
    """

    path: str
    key: str
    found: bool = False
    outputs: events_pb2.Values | None = None
    origin: str = ""
    token: str = ""
    held_by: str = ""
    unavailable: bool = False


@dataclass(frozen=True, slots=True)
class CacheSettled:
    """The identical task that this one waits for has ended, and the cache knows its end: ask the cache again now."""

    path: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """The task may start now: it has its slots."""

    path: str


@dataclass(frozen=True, slots=True)
class Queued:
    """The task has to wait for admission; `detail` has the numbers, `resource` is what is short (as in WaitingOn)."""

    path: str
    detail: str
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Unplaceable:
    """The task's request can never be met here."""

    path: str
    detail: str


@dataclass(frozen=True, slots=True)
class AttemptLaunched:
    """The executor has started the attempt: as port.Launched."""

    path: str
    number: int
    handle: str
    node: str = ""
    warnings: tuple[str, ...] = ()
    log_uri: str = ""
    accelerator: str = ""
    image_digest: str = ""


@dataclass(frozen=True, slots=True)
class AttemptHeld:
    """The attempt cannot run yet."""

    path: str
    number: int
    detail: str
    resource: str = ""


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """The attempt's result."""

    path: str
    number: int
    result: attempts_pb2.AttemptResult


@dataclass(frozen=True, slots=True)
class Imported:
    """An importer's outcome: the artifact, or what went wrong. `number`: of which of its tries, as the command said."""

    path: str
    artifact: events_pb2.Artifact | None = None
    problem: str = ""
    number: int = 1


@dataclass(frozen=True, slots=True)
class Missing:
    """A large value that cannot be read any more, and why."""

    sentence: str


@dataclass(frozen=True, slots=True)
class ValuesRead:
    """The contents that an execution waits for, by URI."""

    path: str
    values: Mapping[str, Value | Missing]


Fact = (
    Clock
    | TerminateRequested
    | RetryRequested
    | CacheAnswered
    | CacheSettled
    | Admitted
    | Queued
    | Unplaceable
    | AttemptLaunched
    | AttemptHeld
    | AttemptEnded
    | Imported
    | ValuesRead
)
