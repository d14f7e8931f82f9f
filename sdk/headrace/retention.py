"""How long things are kept, what goes, and what was erased, as the client answers it: frozen values, no protobuf."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

KINDS: Final = ("runs", "archived", "artifacts", "logs", "cache", "traces", "packages")


@dataclass(frozen=True, slots=True)
class Policy:
    """What goes: what is older than `max_age`, and of each pipeline what is beyond the newest `max_count`. Without either all
    of it is kept. Of a pipeline, a namespace, or ("" both) everywhere. `declared`: by the platform's settings; calls do not
    change it.
    """

    kind: str
    namespace: str = ""
    pipeline: str = ""
    max_age: timedelta | None = None
    max_count: int | None = None
    version: int = 0
    declared: bool = False
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Going:
    """Something that a policy takes. `name`: a run's id, a URI, the key of a cached result; `size`: bytes, 0 = not known."""

    kind: str
    name: str
    namespace: str
    pipeline: str
    why: str
    size: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that a policy would take and somebody uses."""

    kind: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What goes, or went, in this order; what stays and why; `more`: one pass does not do all of it."""

    going: tuple[Going, ...] = ()
    kept: tuple[Kept, ...] = ()
    problems: tuple[str, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Erased:
    """An artifact of an erasure. Its URI is told by the erasure itself alone, and not kept."""

    number: int
    artifact_id: str
    type: str
    uri: str = ""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Who erased what and when. `number` 0: nothing was, it was asked what would be. `finished_at` None: the platform goes on."""

    number: int
    artifact_id: str
    derived: bool
    asked_by: str
    reason: str
    asked_at: datetime | None = None
    finished_at: datetime | None = None
    artifacts: tuple[Erased, ...] = ()
    objects: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    not_erased: tuple[str, ...] = ()
