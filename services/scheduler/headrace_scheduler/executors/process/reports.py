"""The message that drives a run, from what a companion in this process says. Pure; called by attempts."""

from __future__ import annotations

from headrace_companion import reporting
from headrace_companion.results import AttemptResult
from headrace_protos.v1 import attempts_pb2
from headrace_scheduler.executors import port


def report(attempt: port.AttemptId, result: AttemptResult) -> attempts_pb2.AttemptResult:
    """The message of an attempt's result."""
    return reporting.report(attempt, result)
