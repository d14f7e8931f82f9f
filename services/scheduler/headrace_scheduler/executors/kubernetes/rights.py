"""What the scheduler must be allowed to do in the cluster, asked once at its start, so that a missing right is a sentence then
and not a task that hangs later.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final

from headrace_scheduler.executors.kubernetes.calling import ApiError, Json, KubernetesApi
from headrace_servicekit.errors import Reason, ServiceError

REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Right:
    """One kind of object and what is done with it."""

    resource: str
    verbs: tuple[str, ...]


IN_NAMESPACE: Final = (
    Right("pods", ("create", "delete", "get", "list", "watch")),
    Right("persistentvolumeclaims", ("create", "delete", "get", "list")),
    Right("events", ("list",)),
)


def review(right: Right, verb: str, namespace: str) -> Json:
    """The question whether this scheduler may."""
    attributes = {"namespace": namespace, "verb": verb, "resource": right.resource, "group": ""}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }


async def missing(api: KubernetesApi, namespace: str) -> list[str]:
    """What it may not do in the namespace, each as `verb resource`."""
    wanted = [(right, verb) for right in IN_NAMESPACE for verb in right.verbs]

    async def may(right: Right, verb: str) -> bool:
        try:
            answer = json.loads(await api.create(REVIEWS, review(right, verb, namespace)))
        except ApiError:
            return True  # the cluster does not say: the calls themselves will
        return bool((answer.get("status") or {}).get("allowed"))

    allowed = await asyncio.gather(*(may(right, verb) for right, verb in wanted))
    return [f"{verb} {right.resource}" for (right, verb), yes in zip(wanted, allowed, strict=True) if not yes]


async def check(api: KubernetesApi, namespace: str) -> None:
    """ServiceError with what to grant."""
    lacking = await missing(api, namespace)
    if lacking:
        raise ServiceError(
            Reason.FORBIDDEN,
            f"the scheduler may not do this in the Kubernetes namespace '{namespace}': {', '.join(lacking)}; "
            "bind a Role that allows it to the scheduler's account (deploy/kustomize/base has one)",
        )
