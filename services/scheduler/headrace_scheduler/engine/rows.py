"""Rows: one execution of a run's state each, and the run's own header. Plain mutable slots; who may change them is
state.py's business (only copies in an unsettled overlay are ever changed).

The first block of fields is what the database's rows say too; the second is counted from rows; the third is volatile:
made again after a load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

from headrace_ir.references import ValueRef
from headrace_ir.values import Value
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1.run_store_pb2 import TaskSnapshot
from headrace_scheduler.engine.agenda import Agenda
from headrace_scheduler.engine.bags import EMPTY, Bag
from headrace_scheduler.engine.facts import Missing
from headrace_scheduler.engine.indexing import TaskSpec
from headrace_scheduler.engine.origins import Origin

NO_ERROR = ev.Error()
GROUPS = frozenset({ev.DAG, ev.LOOP, ev.LOOP_ITERATION})


class Stage(IntEnum):
    """What an execution waits for from outside; never stored."""

    IDLE = 0
    CACHE = 1  # the cache's answer
    HELD = 2  # an identical task, elsewhere
    ADMISSION = 3
    IMPORT = 4
    LAUNCH = 5  # the attempt is durable, its launch is asked for
    FLIGHT = 6  # launched
    BACKOFF = 7
    CANCEL = 8  # its cancellation is asked for
    SETTLE = 9  # ended; the cache is told
    VALUES = 10  # contents of large values


@dataclass(slots=True)
class Row:
    """One execution: a task, a group, a loop or an iteration. Path "" is the run's root DAG."""

    path: str
    parent: str
    spec: TaskSpec | None  # None: the root
    kind: int
    dag: int  # its children's template; -1: none
    iteration: int = -1
    state: int = ev.TASK_PENDING
    inputs: Bag = EMPTY
    outputs: Bag = EMPTY
    iteration_count: int = 0
    attempts: int = 0
    user_failures: int = 0
    infrastructure_failures: int = 0
    preemptions: int = 0
    attempt_state: int = 0
    handle: str = ""
    node: str = ""  # of the last attempt; "": it does not run yet
    retry_at_us: int = 0
    waiting_on: ev.WaitingOn | None = None
    error: ev.Error = field(default_factory=lambda: NO_ERROR)
    cached: bool = False
    linked: bool = False  # its results were taken from the run that this one resumes
    cache_key: str = ""
    cache_token: str = ""
    started_at_us: int = 0
    finished_at_us: int = 0

    unmet: int = 0  # dependencies that have not ended
    created: int = 0  # children that exist
    open: int = 0  # children that have not ended
    failed: int = 0
    canceled: int = 0
    skipped: int = 0
    failed_at_us: int = 0  # when the first of its descendants failed; 0: none has

    stage: Stage = Stage.IDLE
    prepared: Any = None  # launching.Prepared
    items: tuple[Value, ...] | ev.ArtifactList | None = None
    wanted: tuple[ValueRef, ...] = ()  # contents that it waits for
    fetched: dict[str, Value | Missing] | None = None  # by URI; only until it has begun
    image_digest: str = ""  # what its last attempt runs, where its executor has told this replica

    def clone(self) -> Row:
        """A copy to change; written out because it is made for every row that a step touches."""
        new: Row = object.__new__(Row)
        new.path = self.path
        new.parent = self.parent
        new.spec = self.spec
        new.kind = self.kind
        new.dag = self.dag
        new.iteration = self.iteration
        new.state = self.state
        new.inputs = self.inputs
        new.outputs = self.outputs
        new.iteration_count = self.iteration_count
        new.attempts = self.attempts
        new.user_failures = self.user_failures
        new.infrastructure_failures = self.infrastructure_failures
        new.preemptions = self.preemptions
        new.attempt_state = self.attempt_state
        new.handle = self.handle
        new.node = self.node
        new.retry_at_us = self.retry_at_us
        new.waiting_on = self.waiting_on
        new.error = self.error
        new.cached = self.cached
        new.linked = self.linked
        new.cache_key = self.cache_key
        new.cache_token = self.cache_token
        new.started_at_us = self.started_at_us
        new.finished_at_us = self.finished_at_us
        new.unmet = self.unmet
        new.created = self.created
        new.open = self.open
        new.failed = self.failed
        new.canceled = self.canceled
        new.skipped = self.skipped
        new.failed_at_us = self.failed_at_us
        new.stage = self.stage
        new.prepared = self.prepared
        new.items = self.items
        new.wanted = self.wanted
        new.fetched = self.fetched
        new.image_digest = self.image_digest
        return new

    @property
    def task(self) -> TaskSpec:
        """Its task in the plan; the root has none."""
        assert self.spec is not None, "the root is no task"
        return self.spec

    @property
    def is_open_group(self) -> bool:
        """Whether it is a group that has been opened."""
        return self.state == ev.TASK_RUNNING and self.kind in GROUPS

    @property
    def in_flight(self) -> bool:
        """Whether an attempt of it has not ended."""
        return self.attempt_state in (ev.ATTEMPT_STARTING, ev.ATTEMPT_RUNNING)


Reset: TypeAlias = tuple[str, bool, TaskSnapshot | None]  # path, reopen, and what is known of it where it has no row


@dataclass(slots=True)
class Header:
    """What the run itself says."""

    run_id: str
    namespace: str
    name: str
    pipeline_root: str
    enable_cache: bool | None
    created_at_us: int
    scheduled_at_us: int
    given: Bag
    revision: int = 0
    state: int = ev.RUN_STATE_UNSPECIFIED
    started_at_us: int = 0
    retried_at_us: int = 0
    origin: Origin | None = None  # the run that this one resumes
    refresh: frozenset[str] = frozenset()  # tasks and groups that run whatever the cache has
    cache_max_age_s: float = 0.0  # of entries that tasks take which say nothing; 0: not said
    exit_tasks: bool = False  # it is being terminated, and exit tasks of open groups run before its end
    resetting: bool = False  # a retry of which not all resets are there: nothing else happens until they are
    resets: list[Reset] | None = None  # what is left of them, once that is known; volatile
    inside: Mapping[str, Sequence[TaskSnapshot]] = field(default_factory=dict)  # by group that ended well; for a retry
    clock_us: int = 0
    expired: bool = False  # the run's deadline is over; volatile, the clock says it again
    next_timer_us: int = 0  # 0: none
    agenda: Agenda = field(default_factory=Agenda)  # this and the next two are volatile
    expanding: Agenda = field(default_factory=Agenda)  # groups of which not all children exist yet
    later: Agenda = field(default_factory=Agenda)  # iterations to begin once there is nothing else to do
    turns: dict[str, int] = field(default_factory=dict)  # of loops above their limit: the last iteration that may go on
