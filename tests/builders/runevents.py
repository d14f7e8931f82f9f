"""Makers of run events and deliveries for tests: short, with times that grow."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Iterable
from typing import Any

from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import plan_pb2
from headrace_protos.v1 import run_store_pb2 as rs

_clock = itertools.count(1_700_000_000_000_000, 1000)


def new_run_id() -> str:
    """A UUIDv7, as the apiserver makes them."""
    raw = (time.time_ns() // 1_000_000) << 80 | (uuid.uuid4().int & ((1 << 80) - 1))
    raw = raw & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=raw & ~(0x3 << 62) | 0x2 << 62))


def event(path: str = "", attempt: int = 0, time_us: int = 0, **kind: Any) -> ev.Event:
    """One event without its seq: event("train", task_started=ev.TaskStarted())."""
    return ev.Event(path=path, attempt=attempt, time_us=time_us or next(_clock), **kind)


def numbered(events: Iterable[ev.Event], after: int) -> list[ev.Event]:
    """The events with their seqs, after AFTER."""
    made = list(events)
    for seq, one in enumerate(made, after + 1):
        one.seq = seq
    return made


def created(
    path: str, kind: ev.TaskKind.ValueType = ev.RUNTIME, upstream: Iterable[str] = (), iteration: int = -1
) -> ev.Event:
    """A task comes to be."""
    return event(path, task_created=ev.TaskCreated(kind=kind, iteration=iteration, upstream=list(upstream)))


def started(path: str, **fields: Any) -> ev.Event:
    """A task starts."""
    return event(path, task_started=ev.TaskStarted(**fields))


def finished(path: str, state: ev.TaskState.ValueType = ev.TASK_SUCCEEDED, **fields: Any) -> ev.Event:
    """A task ends."""
    return event(path, task_finished=ev.TaskFinished(state=state, **fields))


def task_life(path: str) -> list[ev.Event]:
    """A simple task from start to end, in five events after its creation."""
    return [
        started(path, inputs=values(x="1")),
        event(path, 1, attempt_started=ev.AttemptStarted(executor="simulated")),
        event(path, 1, attempt_launched=ev.AttemptLaunched(handle="1@2")),
        event(path, 1, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_SUCCEEDED)),
        finished(path, outputs=values(y="2")),
    ]


def values(**parameters: str) -> ev.Values:
    """Parameters as canonical JSON text."""
    return ev.Values(parameters={name: ev.Value(json=text) for name, text in parameters.items()})


def create(run_id: str, **fields: Any) -> rs.DeliverRequest:
    """A delivery that creates a run."""
    fields.setdefault("display_name", "a run")
    fields.setdefault("experiment_id", "default")
    plan = plan_pb2.Plan(version=1, pipeline_name="demo").SerializeToString()
    return rs.DeliverRequest(
        key=f"create {run_id}", create=rs.NewRun(run_id=run_id, spec_json="{}", plan=plan, **fields)
    )
