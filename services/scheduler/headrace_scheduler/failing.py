"""The events that end a run which cannot go on, by a fault of ours or because of its values; used by driving.py alone."""

from __future__ import annotations

from typing import Any

from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.storing import Unstorable


def failed_run(state: Any, fault: BaseException, now_us: int) -> tuple[ev.Event, ...]:
    """Cancel every open task and end the run FAILED with the reason (CANCELED where it was being terminated)."""
    error = ev.Error(reason="Internal", message=f"a fault of Headrace ended this run: {type(fault).__name__}: {fault}")
    if isinstance(fault, Unstorable):
        error = ev.Error(reason=fault.reason, message=str(fault))
    events: list[ev.Event] = []
    for path, number, _ in state.in_flight():
        finished = ev.AttemptFinished(state=ev.ATTEMPT_CANCELED, error=error)
        events.append(ev.Event(path=path, attempt=number, attempt_finished=finished))
    for path in state.open_tasks():
        ended = ev.TaskFinished(state=ev.TASK_CANCELED, error=error)
        events.append(ev.Event(path=path, task_finished=ended))
    final = ev.RUN_CANCELED if state.state == ev.RUN_CANCELING else ev.RUN_FAILED
    run_finished = ev.RunFinished(state=final, error=error)
    events.append(ev.Event(run_finished=run_finished))
    for offset, event in enumerate(events, 1):
        event.seq = state.revision + offset
        event.time_us = now_us
    return tuple(events)
