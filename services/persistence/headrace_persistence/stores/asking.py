"""What may be asked of a run: terminate, retry and resume, against its state and what was asked before and is not applied yet.

Pure. Called by delivering.py while the run's row is locked, so that two requests at once have one order and one answer each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs

ENDED_BADLY = frozenset({ev.RUN_FAILED, ev.RUN_CANCELED})


@dataclass(frozen=True, slots=True)
class Standing:
    """A run as it will be once everything that was delivered is applied."""

    state: int
    exit_tasks: bool = False  # it is being terminated, and its exit tasks still run
    retrying: bool = False  # by a retry that is not applied yet

    def after(self, request: rs.DeliverRequest) -> Standing:
        """Once REQUEST is applied, too; as the engine will apply it."""
        kind = request.WhichOneof("item")
        if kind == "retry" and self.state in ENDED_BADLY:
            return Standing(ev.RUN_RUNNING, retrying=True)
        if kind == "terminate" and self.state in (ev.RUN_PENDING, ev.RUN_RUNNING):
            return Standing(ev.RUN_CANCELING, exit_tasks=request.terminate.run_exit_tasks)
        if kind == "terminate" and self.state == ev.RUN_CANCELING and not request.terminate.run_exit_tasks:
            return Standing(ev.RUN_CANCELING)
        return self


def standing(state: int, exit_tasks: bool, waiting: Iterable[bytes]) -> Standing:
    """By the row's STATE and the requests in the inbox that WAIT, oldest first."""
    found = Standing(state, exit_tasks and state == ev.RUN_CANCELING)
    for request in waiting:
        found = found.after(rs.DeliverRequest.FromString(request))
    return found


def refusal(request: rs.DeliverRequest, run_id: str, now: Standing) -> str:
    """Why a terminate or retry is refused; "" where it is not."""
    if request.WhichOneof("item") == "terminate":
        return _terminate(run_id, now, request.terminate.run_exit_tasks)
    return _retry(run_id, now) if request.WhichOneof("item") == "retry" else ""


def resume_refusal(run_id: str, state: int) -> str:
    """Why a run in STATE is no origin to resume from; "" where it is one."""
    if state in lifecycle.RUN_FINAL:
        return ""
    return f"Run {run_id} has not ended ({_name(state)}): wait for its end or terminate it, then resume it"


def _terminate(run_id: str, now: Standing, exit_tasks: bool) -> str:
    if now.state in lifecycle.RUN_FINAL:
        return f"Run {run_id} has ended ({_name(now.state)}): nothing to terminate"
    if now.state != ev.RUN_CANCELING:
        return ""
    if not now.exit_tasks:
        return f"Run {run_id} is being terminated already (CANCELING): wait for its end"
    if exit_tasks:
        return (
            f"Run {run_id} is being terminated already (CANCELING) and its exit tasks run: wait for its end, "
            "or terminate it without its exit tasks"
        )
    return ""


def _retry(run_id: str, now: Standing) -> str:
    if now.retrying and now.state == ev.RUN_RUNNING:
        return f"Run {run_id} is being retried already: wait for its end"
    if now.state == ev.RUN_CANCELING:
        return f"Run {run_id} is being terminated (CANCELING): wait for its end, then retry it"
    if now.state not in lifecycle.RUN_FINAL:
        return f"Run {run_id} has not ended ({_name(now.state)}): only a run that FAILED or was CANCELED can be retried"
    if now.state == ev.RUN_SUCCEEDED:
        return f"Run {run_id} SUCCEEDED: there is nothing to retry"
    return ""


def _name(state: int) -> str:
    return ev.RunState.Name(state).removeprefix("RUN_")  # type: ignore[arg-type]  # an enum's number
