"""The Kubernetes executor from settings: where its Pods run, what they look like, whom it asks about runs. For server.py."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from headrace_companion.store import ArtifactStore
from headrace_protos.lifecycle import RUN_FINAL
from headrace_protos.v1 import run_query_pb2
from headrace_scheduler.executors.kubernetes.calling import KubernetesApi
from headrace_scheduler.executors.kubernetes.defaults import read_defaults
from headrace_scheduler.executors.kubernetes.executor import KubernetesExecutor, Limits
from headrace_scheduler.executors.kubernetes.images import registries
from headrace_scheduler.executors.kubernetes.options import PodOptions
from headrace_scheduler.executors.kubernetes.reaping import Runs
from headrace_scheduler.settings import SchedulerSettings
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.settings import ACCOUNT

NOT_INSTALLED: Final = (
    "HEADRACE_EXECUTOR=kubernetes needs the package 'kubernetes': pip install 'headrace-server[kubernetes]'"
)
NO_WAY_BACK: Final = (
    "HEADRACE_POD_SCHEDULER_ADDRESS is not set: it is the address at which Pods reach the scheduler, as host:port "
    "(HEADRACE_SCHEDULER_ADDRESS is a unix socket, which no Pod can reach)"
)


def make(
    settings: SchedulerSettings, artifacts: ArtifactStore, query: Any, environ: Mapping[str, str]
) -> KubernetesExecutor:
    """QUERY is a RunQuery stub. Raises ServiceError with what is wrong with the settings."""
    return KubernetesExecutor(
        cluster(environ),
        artifacts,
        pod_options(settings),
        runs_of(query),
        limits(settings),
    )


def limits(settings: SchedulerSettings) -> Limits:
    """What an operator decides of the executor itself."""
    try:
        instead = registries(settings.registries)
    except ValueError as wrong:
        raise ServiceError(Reason.INVALID_INPUT, f"HEADRACE_REGISTRIES: {wrong}") from None
    return Limits(
        settings.max_pods, settings.keep_pods_s, settings.unstartable_after_s, settings.cluster_fixed, instead
    )


def cluster(environ: Mapping[str, str]) -> KubernetesApi:
    """The cluster that KUBECONFIG names, else the one this runs in."""
    try:
        from headrace_scheduler.executors.kubernetes.api import ClusterApi
    except ModuleNotFoundError as missing:
        raise ServiceError(Reason.INVALID_INPUT, NOT_INSTALLED) from missing
    return ClusterApi(environ.get("KUBECONFIG", ""))


def pod_options(settings: SchedulerSettings) -> PodOptions:
    """What every Pod of this installation gets."""
    back = settings.pod_scheduler_address or settings.scheduler_address or ""
    if not back or back.startswith("unix:"):
        raise ServiceError(Reason.INVALID_INPUT, NO_WAY_BACK)
    return PodOptions(
        companion_image=settings.companion_image,
        scheduler_address=back,
        installation=settings.installation,
        namespace=settings.pod_namespace or own_namespace(),
        defaults=read_defaults(settings.pod_defaults),
        grace_s=math.ceil(settings.grace_s),
    )


def own_namespace(account: Path = Path(ACCOUNT)) -> str:
    """The namespace of the Pod that this runs in; outside a cluster, the one that clusters have for everybody."""
    try:
        return (account / "namespace").read_text().strip() or "default"
    except OSError:
        return "default"


def runs_of(query: Any) -> Runs:
    """Which of some runs the platform knows, and whether they have ended."""

    async def runs(wanted: frozenset[str]) -> dict[str, bool]:
        known: dict[str, bool] = {}
        for run_id in wanted:
            try:
                run = await query.GetRun(run_query_pb2.GetRunRequest(run_id=run_id))
            except ServiceError as refused:
                if refused.reason not in (Reason.NOT_FOUND, Reason.INVALID_INPUT):
                    raise
                continue
            known[run_id] = run.state in RUN_FINAL
        return known

    return runs
