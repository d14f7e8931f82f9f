"""Commands: what the engine wants done, derived from the state and never stored; asked for again after every takeover.

`step` returns those of the tasks that it touched, `pending` all of them (after a load). Carried out by driving.py, after
the events that they follow from are durable. All are idempotent: the answer comes back as a fact, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headrace_ir.references import ValueRef
from headrace_protos.v1 import cache_pb2, events_pb2
from headrace_scheduler.executors.port import Launch, Request


@dataclass(frozen=True, slots=True)
class AskCache:
    """Look the task up and, if it is a miss, reserve the key. Answer: CacheAnswered. `unmeasured`: URIs of inputs whose content
    is part of the key and not known to the engine; `secrets` are for asking about the image. `max_age_s` 0: as the cache says.
    """

    path: str
    ingredients: cache_pb2.Ingredients
    unmeasured: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    max_age_s: float = 0.0
    refresh: bool = False  # whatever there is: it runs


@dataclass(frozen=True, slots=True)
class Admit:
    """Find slots for the task. Answer: Admitted, Queued or Unplaceable. `request` has quantities parsed."""

    path: str
    request: Request


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """Launch it (idempotent by attempt). Answer: AttemptLaunched, AttemptHeld, AttemptEnded."""

    path: str
    number: int
    launch: Launch


@dataclass(frozen=True, slots=True)
class CancelAttempt:
    """End it. Answer: AttemptEnded."""

    path: str
    number: int


@dataclass(frozen=True, slots=True)
class CommitCache:
    """Store a finished task's outputs under its key; the reservation's token is spent."""

    path: str
    key: str
    token: str
    outputs: events_pb2.Values
    ingredients: cache_pb2.Ingredients
    unmeasured: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    image_ran: str = ""  # its digest, where that is known
    number: int = 0  # of the attempt that made them


@dataclass(frozen=True, slots=True)
class ReleaseCache:
    """Give a reservation back: the task failed, was cancelled or is not going to run."""

    path: str
    key: str
    token: str


@dataclass(frozen=True, slots=True)
class Import:
    """Resolve an importer: check the scheme, find or make the artifact. Answer: Imported. Without `reimport` an artifact of
    this namespace and pipeline is looked for first.
    """

    path: str
    uri: str
    schema: Mapping[str, str]
    metadata_json: str
    reimport: bool
    namespace: str = ""
    pipeline_name: str = ""
    output: str = "artifact"
    number: int = 1  # of the try


@dataclass(frozen=True, slots=True)
class ReadValues:
    """Read large values that a decision needs. Answer: ValuesRead."""

    path: str
    refs: tuple[ValueRef, ...]


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Step this run again at that time (microseconds since the epoch), with a Clock and nothing else."""

    at_us: int


Command = AskCache | Admit | StartAttempt | CancelAttempt | CommitCache | ReleaseCache | Import | ReadValues | WakeAt
