"""KubernetesExecutors over a cluster in memory, with a companion that reports at once. Used by port and unit tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from builders.fake_cluster import FakeCluster
from headrace_companion.store import ArtifactStore
from headrace_protos.v1 import attempts_pb2, events_pb2
from headrace_scheduler.executors.kubernetes import names
from headrace_scheduler.executors.kubernetes.calling import Json
from headrace_scheduler.executors.kubernetes.executor import KubernetesExecutor, Limits
from headrace_scheduler.executors.kubernetes.options import PodOptions

OPTIONS = PodOptions("companion:1", "127.0.0.1:1", "test", "default")


@dataclass
class Companion:
    """What reports of each Pod: success at once, unless a test wants something else."""

    executor: KubernetesExecutor | None = None
    seen: list[str] = field(default_factory=list)

    async def report(self, pod: Json) -> int:
        attempt = names.attempt_of(pod["metadata"])
        assert attempt is not None, "every Pod of the executor's names its attempt"
        assert self.executor is not None, "a Pod is created by an executor"
        self.seen.append(attempt.path)
        self.executor.completed(attempt, attempts_pb2.AttemptResult(state=events_pb2.ATTEMPT_SUCCEEDED))
        return 0


async def no_runs(wanted: frozenset[str]) -> dict[str, bool]:
    """Nothing is known of any run."""
    return {}


def over_memory(store: ArtifactStore) -> KubernetesExecutor:
    """An executor whose cluster is in memory, and whose Pods succeed."""
    companion = Companion()
    executor = KubernetesExecutor(FakeCluster(companion.report), store, OPTIONS, no_runs, Limits())
    companion.executor = executor
    return executor
