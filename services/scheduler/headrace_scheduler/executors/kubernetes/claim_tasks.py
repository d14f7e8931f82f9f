"""The claims that tasks make and delete, and the workspace of a run, by calls to the API and without a Pod."""

from __future__ import annotations

from headrace_protos.v1 import attempts_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.kubernetes import ended
from headrace_scheduler.executors.kubernetes.calling import KubernetesApi


async def carry_out(api: KubernetesApi, launch: port.Launch, namespace: str) -> attempts_pb2.AttemptResult:
    """The result of a task that makes or deletes a claim."""
    return ended.refused("tasks that make or delete volume claims do not run on Kubernetes yet")
