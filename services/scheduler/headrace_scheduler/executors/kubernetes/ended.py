"""The results that this executor makes itself, where no companion reports one. Pure."""

from __future__ import annotations

from typing import Final

from headrace_protos.v1 import attempts_pb2
from headrace_protos.v1 import events_pb2 as ev

AttemptResult = attempts_pb2.AttemptResult


def canceled() -> AttemptResult:
    """It was ended because somebody asked for that."""
    return AttemptResult(state=ev.ATTEMPT_CANCELED, error=ev.Error(reason="Canceled", message="canceled"))


def lost(message: str) -> AttemptResult:
    """It vanished, through no fault of the user's."""
    error = ev.Error(reason="Lost", message=message, failure_class=ev.PREEMPTED)
    return AttemptResult(state=ev.ATTEMPT_LOST, error=error)


def refused(message: str, reason: str = "Launch") -> AttemptResult:
    """The cluster will not have its Pod, whoever asks: only the user or an operator can change that."""
    error = ev.Error(reason=reason, message=message, failure_class=ev.USER)
    return AttemptResult(state=ev.ATTEMPT_FAILED, error=error)


def broken(message: str) -> AttemptResult:
    """A fault of the platform or the cluster."""
    error = ev.Error(reason="Launch", message=message, failure_class=ev.INFRASTRUCTURE)
    return AttemptResult(state=ev.ATTEMPT_FAILED, error=error)


NO_REPORT: Final = "its Pod ended without a report"


def with_times(result: AttemptResult, admitted_us: int, scheduled_us: int, image_ready_us: int) -> AttemptResult:
    """The result with the times that only whoever watches the Pod knows, as far as they agree with the others."""
    full = AttemptResult()
    full.CopyFrom(result)
    times = full.times
    latest = times.started_us or times.ended_us or times.published_us
    times.admitted_us = times.admitted_us or (min(admitted_us, latest) if latest else admitted_us)
    times.scheduled_us = times.scheduled_us or (min(scheduled_us, latest) if latest else scheduled_us)
    times.image_ready_us = times.image_ready_us or (min(image_ready_us, latest) if latest else image_ready_us)
    return full
