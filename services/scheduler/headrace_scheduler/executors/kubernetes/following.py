"""What the executor knows of an attempt in flight, and what follows from what is seen of its Pod. No I/O, no clock.

Pod phases decide nothing about success: an attempt SUCCEEDED when its report says so. What is judged here is when there is
nothing to wait for any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from headrace_protos.v1 import attempts_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.kubernetes.seen import Main, SeenPod
from headrace_scheduler.executors.kubernetes.waits import Wait

EXPLAINED_S: Final = 10.0  # that a Pod which was told to end may say why, after its companion's report
REPORT_S: Final = 5.0  # that a report may be on its way after user code's container has ended


@dataclass(frozen=True, slots=True)
class Handle:
    """Where an attempt's Pod is, and where it publishes: what is left of it when the Pod has gone."""

    namespace: str
    name: str
    uid: str
    root: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}/{self.uid}/{self.root}"

    @classmethod
    def parse(cls, text: str) -> Handle | None:
        """None: another executor wrote it."""
        parts = text.split("/", 3)
        return cls(*parts) if len(parts) == 4 and all(parts) else None


@dataclass(slots=True)
class Following:
    """One attempt in flight. `launch` is kept until its Pod is there, and no longer."""

    attempt: port.AttemptId
    namespace: str
    launch: port.Launch | None = None
    name: str = ""
    uid: str = ""
    root: str = ""
    pod: SeenPod | None = None
    gone: bool = False
    canceled: bool = False
    running: bool = False  # told
    settling: bool = False
    held: str = ""  # told last
    held_for: str = ""  # the same in a word of WaitingOn.resource
    since: float = 0.0  # monotonic: it has been waiting since then
    wait: Wait | None = None  # why, as far as that is known
    placed: bool = False  # a node has taken it
    explained: float = 0.0  # monotonic: when it was last asked why
    stuck_since: float = 0.0  # monotonic: it cannot start without somebody's help since then
    ended_at: float = 0.0  # monotonic: its main was first seen ended then
    created_us: int = 0  # when the cluster had taken its Pod
    scheduled_us: int = 0  # as this replica saw it: Kubernetes tells whole seconds
    image_ready_us: int = 0
    warnings: tuple[str, ...] = ()
    log_uri: str = ""
    accelerator: str = ""  # the product that it got
    launched: port.Launched | None = None  # told last
    end: attempts_pb2.AttemptResult | None = None  # what its Pod's end means, where no report comes
    taken_away: str = ""  # why the cluster takes its Pod away
    by_node: attempts_pb2.AttemptResult | None = None  # why its node has ended its Pod
    told_at: float = 0.0  # monotonic: its companion first said then that its task was told to end
    out_of_memory: str = ""  # that the kernel ended its main for its memory

    @property
    def handle(self) -> Handle:
        return Handle(self.namespace, self.name, self.uid, self.root)


def unexplained(of: Following, now: float) -> bool:
    """Whether a report that its task was told to end comes before its Pod says why: a node says so when all has ended."""
    deleted = of.canceled or (of.pod is not None and of.pod.deleting)
    if deleted or of.taken_away or of.by_node is not None:
        return False
    return now - of.told_at < EXPLAINED_S


class Judgement(Enum):
    """What follows from what is seen of an attempt's Pod."""

    NOTHING = "nothing"
    WAITS = "waits"  # say why
    RUNS = "runs"  # say that it runs
    REPORT_DUE = "report due"  # its report has REPORT_S to come
    OVER = "over"  # no report will come


def judge(of: Following, now: float) -> Judgement:
    """NOW is monotonic."""
    if not of.uid:
        return Judgement.NOTHING  # the create call is still under way
    pod = of.pod
    if of.gone or (pod is not None and pod.over and pod.exit_code != 0):
        return Judgement.OVER
    if pod is None:
        return Judgement.WAITS
    if pod.main is Main.ENDED:
        if pod.deleting and not pod.over:
            return Judgement.NOTHING  # it will be over or gone; until then its companion may publish
        return Judgement.OVER if of.ended_at and now - of.ended_at >= REPORT_S else Judgement.REPORT_DUE
    if pod.main is Main.RUNNING:
        return Judgement.NOTHING if of.running else Judgement.RUNS
    return Judgement.WAITS
