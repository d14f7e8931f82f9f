"""The life cycle of runs, tasks and attempts as data: states, finals, transitions, and their KFP and MLMD twins.

The scheduler decides by this table, persistence guards every update in SQL with it, and
`tools/gen_state_diagram.py` draws docs/state-machine.md from it. Also the vocabulary that ids are made from (paths),
so that all parts make the same ones.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from enum import IntEnum
from typing import Final, NamedTuple

from headrace_protos.v1 import events_pb2 as ev


class Transition(NamedTuple):
    """One allowed change: from a state, by an event kind (a field name of `Event`), to a state."""

    source: int
    event: str
    target: int


TASK_FINAL: Final = frozenset({ev.TASK_SUCCEEDED, ev.TASK_SKIPPED, ev.TASK_FAILED, ev.TASK_CANCELED})
RUN_FINAL: Final = frozenset({ev.RUN_SUCCEEDED, ev.RUN_FAILED, ev.RUN_CANCELED})
ATTEMPT_FINAL: Final = frozenset({ev.ATTEMPT_SUCCEEDED, ev.ATTEMPT_FAILED, ev.ATTEMPT_LOST, ev.ATTEMPT_CANCELED})

_TASK_OPEN: Final = (ev.TASK_PENDING, ev.TASK_READY, ev.TASK_RUNNING)

TASK_TRANSITIONS: Final = frozenset(
    {
        Transition(ev.TASK_STATE_UNSPECIFIED, "task_created", ev.TASK_PENDING),
        Transition(ev.TASK_PENDING, "task_waiting", ev.TASK_READY),
        Transition(ev.TASK_READY, "task_waiting", ev.TASK_READY),
        Transition(ev.TASK_PENDING, "task_started", ev.TASK_RUNNING),
        Transition(ev.TASK_READY, "task_started", ev.TASK_RUNNING),
        # between attempts a task stays RUNNING, as KFP's clients expect; waiting_on says BACKOFF or SLOTS
        Transition(ev.TASK_RUNNING, "task_waiting", ev.TASK_RUNNING),
        *(Transition(s, "task_finished", t) for s in _TASK_OPEN for t in sorted(TASK_FINAL)),
        # retry of the run
        *(Transition(s, "task_reset", ev.TASK_PENDING) for s in sorted(TASK_FINAL)),
        *(Transition(s, "task_reset", ev.TASK_RUNNING) for s in sorted(TASK_FINAL)),
    }
)

RUN_TRANSITIONS: Final = frozenset(
    {
        Transition(ev.RUN_STATE_UNSPECIFIED, "run_created", ev.RUN_PENDING),
        Transition(ev.RUN_PENDING, "run_started", ev.RUN_RUNNING),
        Transition(ev.RUN_PENDING, "run_terminating", ev.RUN_CANCELING),
        Transition(ev.RUN_RUNNING, "run_terminating", ev.RUN_CANCELING),
        Transition(ev.RUN_CANCELING, "run_terminating", ev.RUN_CANCELING),  # now without its exit tasks
        *(Transition(ev.RUN_PENDING, "run_finished", t) for t in sorted(RUN_FINAL)),
        *(Transition(ev.RUN_RUNNING, "run_finished", t) for t in (ev.RUN_SUCCEEDED, ev.RUN_FAILED)),
        Transition(ev.RUN_CANCELING, "run_finished", ev.RUN_CANCELED),
        Transition(ev.RUN_FAILED, "run_retried", ev.RUN_RUNNING),
        Transition(ev.RUN_CANCELED, "run_retried", ev.RUN_RUNNING),
        Transition(ev.RUN_RUNNING, "run_retried", ev.RUN_RUNNING),  # the end of a retry of more than one append
    }
)

ATTEMPT_TRANSITIONS: Final = frozenset(
    {
        Transition(ev.ATTEMPT_STATE_UNSPECIFIED, "attempt_started", ev.ATTEMPT_STARTING),
        Transition(ev.ATTEMPT_STARTING, "attempt_launched", ev.ATTEMPT_RUNNING),
        # a Pod exists first, and runs on a node later
        Transition(ev.ATTEMPT_RUNNING, "attempt_launched", ev.ATTEMPT_RUNNING),
        *(
            Transition(s, "attempt_finished", t)
            for s in (ev.ATTEMPT_STARTING, ev.ATTEMPT_RUNNING)
            for t in sorted(ATTEMPT_FINAL)
        ),
    }
)


class Budget(IntEnum):
    """What a failed attempt is paid from."""

    NOTHING = 0  # it did not fail
    USER = 1  # the task's retry policy: user code, out of memory, time-out
    PREEMPTION = 2
    INFRASTRUCTURE = 3


def budget_of(state: int, failure_class: int) -> Budget:
    """Which budget pays for an attempt that ended so: one table for the engine that decides and the rows that count."""
    if state not in (ev.ATTEMPT_FAILED, ev.ATTEMPT_LOST, ev.ATTEMPT_CANCELED):
        return Budget.NOTHING
    if failure_class == ev.PREEMPTED:
        return Budget.PREEMPTION
    if failure_class == ev.INFRASTRUCTURE or state != ev.ATTEMPT_FAILED:
        return Budget.INFRASTRUCTURE
    return Budget.USER


NO_ACCELERATOR: Final = "none"  # AttemptLaunched.accelerator of an attempt that asked for some and had to do without

# Task state → what KFP's API calls it (RuntimeState) and what ML Metadata calls it (Execution.State); a cached task
# is SUCCEEDED there and CACHED here.
KFP_TASK_STATE: Final = {
    ev.TASK_PENDING: "PENDING",
    ev.TASK_READY: "PENDING",
    ev.TASK_RUNNING: "RUNNING",
    ev.TASK_SUCCEEDED: "SUCCEEDED",
    ev.TASK_SKIPPED: "SKIPPED",
    ev.TASK_FAILED: "FAILED",
    ev.TASK_CANCELED: "CANCELED",
}
MLMD_TASK_STATE: Final = {
    ev.TASK_PENDING: "NEW",
    ev.TASK_READY: "NEW",
    ev.TASK_RUNNING: "RUNNING",
    ev.TASK_SUCCEEDED: "COMPLETE",
    ev.TASK_SKIPPED: "CANCELED",
    ev.TASK_FAILED: "FAILED",
    ev.TASK_CANCELED: "CANCELED",
}
KFP_RUN_STATE: Final = {
    ev.RUN_PENDING: "PENDING",
    ev.RUN_RUNNING: "RUNNING",
    ev.RUN_CANCELING: "CANCELING",
    ev.RUN_SUCCEEDED: "SUCCEEDED",
    ev.RUN_FAILED: "FAILED",
    ev.RUN_CANCELED: "CANCELED",
}
# What a task with a final-status input is told about its upstream task (kfp-semantics 2.8 R).
FINAL_STATUS: Final = {
    ev.TASK_SUCCEEDED: "SUCCEEDED",
    ev.TASK_SKIPPED: "SKIPPED",
    ev.TASK_FAILED: "FAILED",
    ev.TASK_CANCELED: "CANCELLED",
}

# Error.reason of tasks and runs: what clients may branch on.
REASONS: Final = frozenset(
    {
        "UserError",  # exit code other than 0
        "OutOfMemory",
        "TimedOut",
        "MissingOutput",  # exit code 0, but a declared output was not written
        "WrongOutput",  # an output of the wrong type, or a value that cannot be stored
        "OutputPath",  # an output that leaves its folder, is a link to elsewhere or not a plain file
        "InputResolution",  # an input could not be resolved or has the wrong type
        "ConditionFailed",  # the condition is no boolean or could not be evaluated
        "MissingInput",  # an input artifact is not in the store
        "Environment",  # the image or environment could not be made
        "Launch",  # the executor could not start the attempt
        "Resources",  # asks for more than there can be
        "Lost",  # the attempt vanished
        "Import",  # an importer failed
        "TaskFailed",  # of a group or run: a task in it failed
        "Canceled",
        "DeadlineExceeded",  # of a run
        "Internal",
    }
)


# Iterations that one trace takes: a loop of more (which has twice as many tasks at least) has a trace for each so many.
WIDE_LOOP: Final = 1_000


def child_path(parent: str, key: str) -> str:
    """Path of the task `key` in the DAG execution `parent` ("" = root)."""
    return f"{parent}/{key}" if parent else key


def iteration_path(loop: str, index: int) -> str:
    """Path of a loop's iteration."""
    return f"{loop}[{index}]"


def parent_path(path: str) -> str:
    """Path of the execution that holds this one: `a/b[2]/c` → `a/b[2]` → `a/b` → `a` → ""."""
    if path.endswith("]"):
        return path[: path.rindex("[")]
    return path.rpartition("/")[0]


def attempt_path(path: str, number: int) -> str:
    """Path of an attempt: `train#2`."""
    return f"{path}#{number}"


def part_of(path: str, iterations: Callable[[str], int]) -> tuple[str, int] | None:
    """The innermost wide loop that PATH is in, and in which part of it: a thousand iterations each. None: it is in no such
    loop. ITERATIONS says of a loop how many it has.
    """
    while path:
        group = parent_path(path)
        if path.endswith("]") and iterations(group) > WIDE_LOOP:
            return group, int(path[len(group) + 1 : -1]) // WIDE_LOOP
        path = group
    return None


def trace_id(run_id: str, part: tuple[str, int] | None = None) -> str:
    """A run's OpenTelemetry trace id: its UUID's 32 hex digits; or that of a part of a wide loop of it."""
    if part is None:
        return run_id.replace("-", "")
    return hashlib.sha256(f"{run_id}/{part[0]}/{part[1]}".encode()).hexdigest()[:32]


def task_id(run_id: str, path: str) -> str:
    """A task's UUID: a function of its run and path ("" = the run's root)."""
    return str(uuid.uuid5(uuid.UUID(run_id), path))


def shard_of(run_id: str, shards: int) -> int:
    """The shard that drives a run: by the last 16 bits of its UUID, which are random in a UUIDv7."""
    return int(run_id[-4:], 16) % shards


def span_id(run_id: str, path: str, attempt: int, phase: str) -> str:
    """The 16 hex digits of a span made from events: the same whoever makes it, and however often.

    `attempt` is 0 for the spans of a task or run; `phase` is a word of `Span.phase` in run_query.proto.
    """
    return hashlib.sha256(f"{run_id}/{path}#{attempt}/{phase}".encode()).hexdigest()[:16]
