"""The public exceptions of the SDK. Pure; calls are mapped to them by headrace.api.channels. Others are defined where they are
raised: dsl.mistakes.DefinitionError is a BadInput, local.RunFailed a RunFailed with the run, local.NoServer a HeadraceError.

HeadraceError                  everything that this package raises on purpose
├── BadInput                   what was given is wrong; `problems` has each one with its place
│   ├── InvalidSpec            the pipeline itself
│   └── InvalidParameters      missing, unknown or wrongly typed parameters or root artifacts
├── NotFound                   no such run, task or experiment
├── AlreadyExists
├── WrongState                 the state of the thing forbids the call: terminating a run that has ended
├── NotAllowed                 no credentials, wrong ones, or not permitted
├── NotImplementedHere         the platform knows the call, but has not built it
├── PlatformFull               its disk or database is full
├── PlatformUnreachable        nothing answers, or not in time; try again later
│   └── NoPlatform             none is up on this machine and none was named
├── WaitTimeout                the run went on longer than the caller wanted to wait
├── RunFailed                  wait(check=True): the run did not end as SUCCEEDED
└── PlatformFault              a fault of the platform; its log says more
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where: a path in the IR such as `root.dag.tasks.train`, or ""."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class HeadraceError(Exception):
    """A call that could not be done; the text says what is wrong and what to do next."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadInput(HeadraceError):  # noqa: N818  # the names are what people read; all are errors
    """What was given is wrong."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class InvalidSpec(BadInput):
    """The pipeline is wrong; `problems` has every problem with its place in the IR."""


class InvalidParameters(BadInput):
    """Run parameters or root artifacts are missing, unknown or of the wrong type."""


class NotFound(HeadraceError):  # noqa: N818
    """The thing named does not exist."""


class AlreadyExists(HeadraceError):  # noqa: N818
    """A thing of that name exists."""


class WrongState(HeadraceError):  # noqa: N818
    """The state of the thing forbids the call."""


class NotAllowed(HeadraceError):  # noqa: N818
    """The caller may not do this, or did not say who it is."""


class NotImplementedHere(HeadraceError):  # noqa: N818
    """Known to the API, not built yet."""


class PlatformFull(HeadraceError):  # noqa: N818
    """The platform's disk or database is full."""


class PlatformUnreachable(HeadraceError):  # noqa: N818
    """Nothing answers at the address, or not in time."""


class NoPlatform(PlatformUnreachable):
    """No address was given and no platform is up on this machine."""


class WaitTimeout(HeadraceError):  # noqa: N818
    """The run has not ended within the time given; it goes on."""


class RunFailed(HeadraceError):  # noqa: N818
    """The run ended FAILED or CANCELED, and that was to be an error."""


class PlatformFault(HeadraceError):  # noqa: N818
    """Something broke in the platform."""


# headrace.v1 ErrorReason → what is raised; a reason that this release does not know goes by its gRPC code.
BY_REASON: dict[str, type[HeadraceError]] = {
    "INVALID_INPUT": BadInput,
    "INVALID_SPEC": InvalidSpec,
    "INVALID_PARAMETERS": InvalidParameters,
    "TOO_LARGE": BadInput,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": AlreadyExists,
    "WRONG_STATE": WrongState,
    "ATTEMPT_SUPERSEDED": WrongState,
    "SESSION_LOST": PlatformUnreachable,
    "REVISION_CONFLICT": PlatformUnreachable,
    "FORBIDDEN": NotAllowed,
    "UNAUTHENTICATED": NotAllowed,
    "DEADLINE": PlatformUnreachable,
    "UNAVAILABLE": PlatformUnreachable,
    "NOT_IMPLEMENTED": NotImplementedHere,
    "STORAGE_FULL": PlatformFull,
    "INTERNAL": PlatformFault,
    "OUT_OF_RANGE": BadInput,
}
BY_CODE: dict[str, type[HeadraceError]] = {
    "INVALID_ARGUMENT": BadInput,
    "OUT_OF_RANGE": BadInput,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": AlreadyExists,
    "FAILED_PRECONDITION": WrongState,
    "PERMISSION_DENIED": NotAllowed,
    "UNAUTHENTICATED": NotAllowed,
    "RESOURCE_EXHAUSTED": BadInput,
    "DEADLINE_EXCEEDED": PlatformUnreachable,
    "UNAVAILABLE": PlatformUnreachable,
    "CANCELLED": PlatformUnreachable,
    "UNIMPLEMENTED": NotImplementedHere,
}


def make_error(reason: str, code: str, message: str, problems: Sequence[Problem] = ()) -> HeadraceError:
    """The exception for a call that ended with REASON (ours, or "") and a gRPC CODE."""
    kind = BY_REASON.get(reason) or BY_CODE.get(code, PlatformFault)
    if issubclass(kind, BadInput):
        return kind(message, problems)
    return kind(message)
