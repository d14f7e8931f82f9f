"""What one attempt came to: the closed set of failures and the report that `attempt.json` holds. Data only.

`attempt.json` is the last object an attempt publishes. An executor that finds it needs nothing else to make its report,
so a report that was lost with the platform is recovered from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from headrace_companion.values import Json

ATTEMPT_FILE: Final = "attempt.json"
LOG_FILE: Final = "executor-logs"
PARTIAL: Final = "partial"
RESERVED: Final = frozenset({ATTEMPT_FILE, LOG_FILE, PARTIAL})
FORMAT: Final = 1


class FailureKind(StrEnum):
    """Who has to do something about a failure; each kind has its own retry budget."""

    USER_CODE = "USER_CODE"
    BAD_OUTPUT = "BAD_OUTPUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    TIMED_OUT = "TIMED_OUT"
    CANCELED = "CANCELED"
    INPUT_MISSING = "INPUT_MISSING"
    ENVIRONMENT = "ENVIRONMENT"
    RESOURCES = "RESOURCES"
    INFRASTRUCTURE = "INFRASTRUCTURE"
    LOST = "LOST"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed: a sentence for the user and the last lines of its log."""

    kind: FailureKind
    message: str
    log_tail: str = ""


@dataclass(frozen=True, slots=True)
class PublishedArtifact:
    """One registered artifact; `digest` and `size` are None where user code wrote no file for it."""

    name: str
    uri: str
    type: Mapping[str, Json]
    metadata: Mapping[str, Json]
    size: int | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The end of one attempt. `parameters` are canonical JSON texts. Times are seconds since the epoch."""

    attempt: str
    exit_code: int | None
    signal: int | None
    failure: Failure | None
    parameters: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[PublishedArtifact, ...]] = field(default_factory=dict)
    partial: tuple[PublishedArtifact, ...] = ()
    warnings: tuple[str, ...] = ()
    log_uri: str = ""
    log_size: int = 0
    started_at: float = 0.0
    ended_at: float = 0.0
    published_at: float = 0.0

    @property
    def succeeded(self) -> bool:
        return self.failure is None

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":"), default=dict)

    @classmethod
    def from_json(cls, document: str | bytes) -> AttemptResult:
        held: dict[str, Any] = json.loads(document)
        if held.pop("format") != FORMAT:
            raise ValueError(f"{ATTEMPT_FILE} was written by another version of Headrace")
        failure = held.pop("failure")
        artifacts = held.pop("artifacts")
        partial = held.pop("partial")
        return cls(
            failure=Failure(FailureKind(failure.pop("kind")), **failure) if failure else None,
            artifacts={name: tuple(PublishedArtifact(**one) for one in many) for name, many in artifacts.items()},
            partial=tuple(PublishedArtifact(**one) for one in partial),
            warnings=tuple(held.pop("warnings")),
            **held,
        )
