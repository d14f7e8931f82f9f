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

from headrace_ir.references import ValueRef
from headrace_ir.values import Value

ATTEMPT_FILE: Final = "attempt.json"
LOG_FILE: Final = "executor-logs"
PARTIAL: Final = "partial"
VALUES: Final = "parameter-values"  # the folder of large output parameters
RESERVED: Final = frozenset({ATTEMPT_FILE, LOG_FILE, PARTIAL, VALUES})
FORMAT: Final = 1


class Reason(StrEnum):
    """The words of `lifecycle.REASONS` that an attempt can end with."""

    USER_ERROR = "UserError"
    OUT_OF_MEMORY = "OutOfMemory"
    TIMED_OUT = "TimedOut"
    MISSING_OUTPUT = "MissingOutput"
    WRONG_OUTPUT = "WrongOutput"
    OUTPUT_PATH = "OutputPath"
    MISSING_INPUT = "MissingInput"
    INPUT_RESOLUTION = "InputResolution"
    ENVIRONMENT = "Environment"
    LAUNCH = "Launch"
    RESOURCES = "Resources"
    LOST = "Lost"
    CANCELED = "Canceled"
    INTERNAL = "Internal"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed: a sentence for the user and the last lines of its log."""

    reason: Reason
    message: str
    log_tail: str = ""
    temporary: bool = False  # the same attempt may well succeed later, without a change by the user


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds since the epoch; 0 where it was not reached."""

    admitted: float = 0.0
    environment_ready: float = 0.0
    staged: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    published: float = 0.0


@dataclass(frozen=True, slots=True)
class PublishedArtifact:
    """One registered artifact; `digest` and `size` are None where user code wrote no file for it."""

    name: str
    uri: str
    type: Mapping[str, Value]
    metadata: Mapping[str, Value]
    size: int | None = None
    digest: str | None = None
    artifact_id: str = ""  # of an artifact that the task only passed on


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The end of one attempt. `parameters` are canonical JSON texts, `references` the large ones, stored with the outputs."""

    attempt: str
    exit_code: int | None
    signal: int | None
    failure: Failure | None
    parameters: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, ValueRef] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[PublishedArtifact, ...]] = field(default_factory=dict)
    partial: tuple[PublishedArtifact, ...] = ()
    warnings: tuple[str, ...] = ()
    log_uri: str = ""
    times: Times = field(default_factory=Times)
    fetched: Mapping[str, str] = field(default_factory=dict)  # remote inputs: URI → digest of what the task read

    @property
    def succeeded(self) -> bool:
        return self.failure is None

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, document: str | bytes) -> AttemptResult:
        held: dict[str, Any] = json.loads(document)
        if held.pop("format") != FORMAT:
            raise ValueError(f"{ATTEMPT_FILE} was written by another version of Headrace")
        failure = held.pop("failure")
        artifacts = held.pop("artifacts")
        partial = held.pop("partial")
        references = held.pop("references", {})  # absent in what an older release wrote
        return cls(
            failure=Failure(Reason(failure.pop("reason")), **failure) if failure else None,
            artifacts={name: tuple(PublishedArtifact(**one) for one in many) for name, many in artifacts.items()},
            references={name: ValueRef(**one) for name, one in references.items()},
            partial=tuple(PublishedArtifact(**one) for one in partial),
            times=Times(**held.pop("times")),
            warnings=tuple(held.pop("warnings")),
            **held,
        )
