"""The executor port: how the scheduler starts and ends attempts, whatever runs them.

Lives here: what goes over the seam, as immutable values. Implementations: process/, simulated/, kubernetes/; each
passes tests/ports. Called by driving.py. Admission (slots, limits) is the scheduler's: `launch` is called only for what
fits `inventory()`; which accelerator a task gets is the executor's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from headrace_ir.references import ValueRef
from headrace_protos.v1 import attempts_pb2, events_pb2
from headrace_scheduler.executors.task_settings import TaskSettings


@dataclass(frozen=True, slots=True)
class AttemptId:
    """What names an attempt everywhere: run (UUID text), task path, number from 1."""

    run_id: str
    path: str
    number: int


@dataclass(frozen=True, slots=True)
class Request:
    """Resources that an attempt asks for: cores, bytes, accelerators. 0 = nothing asked. What the accelerators are to be is
    text (product, memory, MIG profile or resource name), which executors/accelerators.py reads.
    """

    cpu: float = 0.0
    memory: int = 0
    accelerators: int = 0
    accelerator_type: str = ""


@dataclass(frozen=True, slots=True)
class OutputArtifact:
    """A declared output artifact: schema and metadata as in the component's definition (metadata is JSON text)."""

    name: str
    schema_title: str = "system.Artifact"
    schema_version: str = ""
    instance_schema: str = ""
    is_list: bool = False
    metadata_json: str = ""
    schema_uri: str = ""


# One argv element or env value: parts that the companion joins (headrace_companion.templates). A str is literal text.
Template = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that one attempt needs. JSON-serialisable by construction; no credentials in it.

    `parameters` are canonical JSON texts with component defaults applied, `references` those that lie in the store, and
    `late_parameters` the same texts as templates where they name a place of the attempt; `inputs`
    are artifacts by input name;
    `task_root` is the URI under which this attempt publishes: `<run root>/<path>/<attempt>`.
    """

    attempt: AttemptId
    namespace: str
    pipeline_name: str
    run_name: str
    task_key: str
    image: str
    command: Sequence[Template]
    args: Sequence[Template]
    env: Mapping[str, Template]
    parameters: Mapping[str, str]
    inputs: Mapping[str, events_pb2.ArtifactList]
    output_parameters: Mapping[str, int]  # name → ParameterType
    output_artifacts: Sequence[OutputArtifact]
    optional_outputs: frozenset[str]
    task_root: str
    request: Request = field(default_factory=Request)
    timeout_s: float = 0.0  # 0 = none
    traceparent: str = ""
    optional_inputs: frozenset[str] = frozenset()  # artifacts
    settings: TaskSettings = field(default_factory=TaskSettings)
    references: Mapping[str, ValueRef] = field(default_factory=dict)
    late_parameters: Mapping[str, Template] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Launched:
    """The attempt exists: `handle` finds it again after a crash (pid and start time; Pod name and UID).

    Where it exists before it runs, this is told twice: without a node, and again, with everything, once it runs on one.
    Between the two it may be Held. Telling either again has no effect.
    """

    attempt: AttemptId
    handle: str
    node: str = ""
    warnings: tuple[str, ...] = ()
    log_uri: str = ""  # grows while the attempt runs
    accelerator: str = (
        ""  # the product that it got, where it asked for accelerators and that is known, or NO_ACCELERATOR
    )
    image_digest: str = ""  # sha256:… of the image that runs, where that is known


@dataclass(frozen=True, slots=True)
class Held:
    """The attempt cannot run yet, and why (quota, no node, image, environment, volume): a sentence with numbers. Before the
    attempt is Launched on a node; after that it has no effect."""

    attempt: AttemptId
    detail: str
    resource: str = ""  # a word of WaitingOn.resource, for accounts of waiting


@dataclass(frozen=True, slots=True)
class Finished:
    """The attempt has ended; told once it is certain, possibly more than once."""

    attempt: AttemptId
    result: attempts_pb2.AttemptResult


@dataclass(frozen=True, slots=True)
class Ran:
    """Which image an attempt ran, where that becomes known after its end only."""

    attempt: AttemptId
    image_digest: str  # sha256:…


ExecutorFact = Launched | Held | Finished | Ran


@dataclass(frozen=True, slots=True)
class Placement:
    """What becomes of a request here: `granted` is what is accounted; `problem` = it can never run, and why."""

    granted: Request
    warnings: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What there is for attempts; None = unlimited (simulated)."""

    node: str
    cpu: float | None = None
    memory: int | None = None
    accelerators: int | None = None
    accelerator_product: str = ""


@dataclass(frozen=True, slots=True)
class Accelerators:
    """Accelerators of one kind on a node; `memory` bytes on each, 0 = not known."""

    resource: str
    product: str
    memory: int = 0
    mig: str = ""  # the profile of a slice
    count: int = 0
    used: int = 0  # by this installation


@dataclass(frozen=True, slots=True)
class Node:
    """One node, for people: what there is, what this installation holds of it, and why it takes nothing ("ready" = it does)."""

    name: str
    cpu: float = 0.0
    memory: int = 0
    cpu_used: float = 0.0
    memory_used: int = 0
    accelerators: tuple[Accelerators, ...] = ()
    status: str = "ready"
    taints: tuple[str, ...] = ()


class Executor(Protocol):
    """Starts and ends attempts. All calls are idempotent by attempt; none raises for a user's mistake: that is a fact.

    `workspaces`: the folder in which each run's workspace is one named by the run's id, as user code sees it; "" where every
    task finds its run's at /kfp-workspace.
    """

    workspaces: str

    async def start(self, known: Sequence[tuple[AttemptId, str]]) -> None:
        """Begin; `known` = attempts that the rows say are in flight, with handles. Survivors that are not among them are
        ended before this returns; of those that are, each is followed, recovered from what it published, or told as LOST."""

    async def adopt(self, known: Sequence[tuple[AttemptId, str]]) -> None:
        """The same for attempts of shards that were taken over later, or of a run that is loaded again: what is known of
        those that this executor started is told again, because facts for a run that is not loaded have no effect."""

    def inventory(self) -> Sequence[Inventory]:
        """What there is, for admission."""

    def nodes(self) -> Sequence[Node]:
        """The nodes as far as they are known, for people. Empty: `inventory` and admission say all that there is to say."""

    def place(self, request: Request) -> Placement:
        """Pure: how a request would be met on this executor."""

    async def launch(self, launch: Launch) -> None:
        """Start it; facts follow. A second call for the same attempt has no effect."""

    async def cancel(self, attempt: AttemptId) -> None:
        """End it, with everything that it started; Finished(CANCELED) follows. Unknown attempts: Finished(CANCELED) too."""

    def facts(self) -> AsyncIterator[Sequence[ExecutorFact]]:
        """What happened, in batches, as soon as it did. One reader."""

    def completed(self, attempt: AttemptId, result: attempts_pb2.AttemptResult) -> attempts_pb2.AttemptResult | None:
        """What a companion reports of an attempt, with the times that only its executor knows; Finished follows. None: the
        attempt is not followed here, and nothing follows."""

    async def image_digest(self, image: str, namespace: str, secrets: Sequence[str], ran: str = "") -> str:
        """What the image's name stands for now, `sha256:…`; "" where nobody knows. SECRETS: for pulling it. RAN: what a node says
        that it ran by this name; given back where the name stands for something else by now. Answers soon.
        """

    async def image_ran(self, attempt: AttemptId) -> str:
        """The digest of the image that an attempt which has ended ran; "" where nobody knows. May wait for its node to say so."""

    async def shards(self, held: frozenset[int]) -> None:
        """The shards whose runs are driven here from now on, all their attempts adopted. Others' are another replica's: what
        outlives a replica is not ended by one that has left it, nor by a late `cancel`."""

    async def end_run(self, run_id: str, namespace: str) -> None:
        """The run, of NAMESPACE, succeeded or is deleted: what its tasks shared (its workspace) goes."""

    async def close(self) -> None:
        """Free everything, within 5 s. What cannot outlive the platform (processes) is ended; Pods go on."""
