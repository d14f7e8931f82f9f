"""What the client answers: frozen values with plain types; no protobuf. Made by headrace.reading and headrace.folding.

States are names: a run's PENDING, RUNNING, CANCELING, SUCCEEDED, FAILED, CANCELED; a task's PENDING, READY, RUNNING, SUCCEEDED,
SKIPPED, FAILED, CANCELED. Times are aware datetimes in UTC, None = it did not happen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from headrace.errors import Problem

RUN_STATES = ("PENDING", "RUNNING", "CANCELING", "SUCCEEDED", "FAILED", "CANCELED")
RUN_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})
TASK_ENDED = frozenset({"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"})


@dataclass(frozen=True, slots=True)
class ValueReference:
    """A parameter above 32 KiB, as answers have it: how many bytes of JSON text lie where. `client.value` reads it."""

    uri: str
    size: int = 0
    digest: str = ""
    type: str = ""

    def __str__(self) -> str:
        return f"{self.type or 'value'} of {self.size} bytes at {self.uri}"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run, task or attempt failed."""

    reason: str
    message: str
    exit_code: int = 0
    log_tail: str = ""


@dataclass(frozen=True, slots=True)
class WaitingOn:
    """What a task that is not running waits for."""

    cause: str
    detail: str = ""
    tasks: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a task."""

    number: int
    state: str
    error: Failure | None = None
    warnings: tuple[str, ...] = ()
    log_uri: str = ""
    created_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that a task put out; `task` is that task's path, "" of what a run itself puts out. `index`: its place in an
    output that is a list.
    """

    task: str
    name: str
    type: str
    uri: str
    artifact_id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0
    digest: str = ""
    index: int = 0


@dataclass(frozen=True, slots=True)
class CacheAnswer:
    """Why a task took results from before (`outcome` hit), did not find any (miss), or was not looked up (off). `origin`:
    "run_id/path" of what was taken, or of the nearest. `ours` and `theirs`: the first field that differed.
    """

    outcome: str
    reason: str
    key: str = ""
    origin: str = ""
    origin_created_at: datetime | None = None
    first_difference: str = ""
    ours: str = ""
    theirs: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """One file of an artifact; `name` is its path in the folder, "" where the artifact is this one file."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Task:
    """A node of the run: user code, a group, a loop or one of its iterations. `path` is its identity. `linked_from` is the
    "run_id/path" that made its results, where the run resumes another one that has them.
    """

    path: str
    state: str
    parent: str = ""
    key: str = ""
    display_name: str = ""
    kind: str = "RUNTIME"
    iteration: int = -1
    cached: bool = False
    cached_from: str = ""
    linked_from: str = ""
    waiting_on: WaitingOn | None = None
    error: Failure | None = None
    skip_reason: str = ""
    attempts: tuple[Attempt, ...] = ()
    iteration_count: int = 0
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)
    input_artifacts: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.state in TASK_ENDED


@dataclass(frozen=True, slots=True)
class Run:
    """A run. `outputs`: parameters as JSON values (large ones as ValueReference), artifacts as their URI (a list of URIs for a
    list); `artifacts` has those outputs that are artifacts.
    """

    run_id: str
    state: str
    display_name: str = ""
    description: str = ""
    pipeline_name: str = ""
    pipeline_id: str = ""
    pipeline_version_id: str = ""
    experiment_id: str = ""
    archived: bool = False
    pinned: bool = False
    error: Failure | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)
    revision: int = 0  # the number of its last event
    tasks_total: int = 0
    task_counts: Mapping[str, int] = field(default_factory=dict)
    resumed_from: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def trace_id(self) -> str:
        return self.run_id.replace("-", "")

    @property
    def ended(self) -> bool:
        return self.state in RUN_ENDED


@dataclass(frozen=True, slots=True)
class Progress:
    """A run as its events have told it so far; `changed` are the tasks of the last events, in their order."""

    run_id: str
    state: str
    tasks: Mapping[str, Task]
    changed: tuple[Task, ...] = ()
    seq: int = 0


@dataclass(frozen=True, slots=True)
class SpanLink:
    """A span that explains another one, of the same run or of another; `kind`: retry, resumed, cached or linked."""

    trace_id: str
    span_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run. `sequence`: where a watch goes on after it; of one run's watch it is `seq`."""

    sequence: int
    run_id: str
    seq: int
    kind: str
    time: datetime | None
    path: str = ""
    attempt: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """One bar of the run's trace; one of the phase `folded` stands for tasks of its group that are not shown."""

    span_id: str
    parent_span_id: str
    name: str
    path: str
    attempt: int
    phase: str
    start: datetime
    end: datetime | None
    state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    links: tuple[SpanLink, ...] = ()


@dataclass(frozen=True, slots=True)
class CriticalStep:
    """A part of a run's critical path; the next one begins where it ends. `path` "" = the run itself."""

    path: str
    attempt: int  # 0 = outside of attempts
    cause: str
    start: datetime
    end: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TimeSpent:
    """Seconds for one cause: of all tasks together, on the critical path, and of the task for which it was most."""

    cause: str
    total: float
    critical: float
    tasks: int
    most_path: str = ""
    most: float = 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """A run's spans, in the order of their start; its critical path in the order of time, and its time by cause, what lies on the
    path first. `folded`: tasks that are not shown one by one; `partial`: made of the run's first events alone."""

    trace_id: str
    spans: tuple[Span, ...]
    critical_path: tuple[CriticalStep, ...] = ()
    times: tuple[TimeSpent, ...] = ()
    now: datetime | None = None  # up to when what goes on was counted
    folded: int = 0
    partial: bool = False


@dataclass(frozen=True, slots=True)
class AcceleratorTime:
    """Accelerators × seconds: asked for from admission until the attempt ended, used while user code ran. `accelerator`: the
    product that was given, where that is known, else what was asked for.
    """

    accelerator: str
    attempts: int
    asked_s: float
    used_s: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Accelerator time of a run, by product and by task; tasks that held none (cached ones too) are left out."""

    total: tuple[AcceleratorTime, ...] = ()
    tasks: Mapping[str, tuple[AcceleratorTime, ...]] = field(default_factory=dict)  # by path


@dataclass(frozen=True, slots=True)
class DayUsage:
    """Accelerator time of a namespace's attempts that ended on one day (UTC)."""

    namespace: str
    day: str
    times: tuple[AcceleratorTime, ...]


@dataclass(frozen=True, slots=True)
class NamespaceUsage:
    """Accelerator time of namespaces, also of runs that are deleted."""

    total: tuple[AcceleratorTime, ...] = ()
    days: tuple[DayUsage, ...] = ()


@dataclass(frozen=True, slots=True)
class Accelerators:
    """Accelerators of one kind on a node; `memory` bytes on each, 0 = not known; `mig` the profile of a slice."""

    resource: str
    product: str
    count: int
    used: int = 0
    memory: int = 0
    mig: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A node, and what tasks of this platform hold of it."""

    name: str
    status: str
    cpu: float = 0.0
    cpu_used: float = 0.0
    memory: int = 0
    memory_used: int = 0
    accelerators: tuple[Accelerators, ...] = ()
    taints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Validation:
    """What the platform says of a pipeline that is only checked; no problems = valid."""

    problems: tuple[Problem, ...]
    warnings: tuple[str, ...] = ()
    pipeline_name: str = ""
    tasks: int = 0


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named group of runs."""

    experiment_id: str
    name: str
    description: str = ""
    archived: bool = False
    created_at: datetime | None = None
    last_run_created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A stored pipeline; its versions have the specs."""

    pipeline_id: str
    name: str
    display_name: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PipelineVersion:
    """One version of a stored pipeline."""

    pipeline_version_id: str
    pipeline_id: str
    name: str
    display_name: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    code_source_url: str = ""
    created_at: datetime | None = None
