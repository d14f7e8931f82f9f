"""How a task's Pod is named, labelled and annotated, and how an attempt is read back from it. Pure.

The name is a function of the attempt, so that a create call that is made twice makes one Pod.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from headrace_companion import pod_layout
from headrace_protos.lifecycle import shard_of
from headrace_scheduler.executors.kubernetes.options import SHARDS, PodOptions
from headrace_scheduler.executors.port import AttemptId, Launch

LONGEST: Final = 63  # of a name that is a host name too, and of a label's value
DIGITS: Final = 16
PATH_DIGITS: Final = 40
RUN_NAME: Final = "headrace.io/run-name"
# What KFP puts on the Pods of its tasks, so that selectors which people have go on working.
KFP_TASK: Final = "pipelines.kubeflow.org/v2_component"
KFP_RUN: Final = "pipeline/runid"
# A mesh's proxy ends no Pod and may take the first seconds of its network; whoever wants one says so in the task's metadata.
NO_MESH: Final = {"linkerd.io/inject": "disabled", "consul.hashicorp.com/connect-inject": "false"}
NO_MESH_LABELS: Final = {"sidecar.istio.io/inject": "false", "kuma.io/sidecar-injection": "disabled"}
# Work that is moved is work done twice.
STAY: Final = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}
OURS: Final = "headrace.io/"


def pod_name(attempt: AttemptId, task_key: str) -> str:
    """A DNS label: the task's key for people, then what no other task of any run has, then the attempt's number."""
    end = _end(attempt)
    key = re.sub("[^a-z0-9]+", "-", task_key.lower()).strip("-")[: LONGEST - len(end)].strip("-")
    return f"{key or 'task'}{end}"


def _end(attempt: AttemptId) -> str:
    mark = hashlib.sha256(f"{attempt.run_id}/{attempt.path}".encode()).hexdigest()[:DIGITS]
    return f"-{mark}-{attempt.number}"


def path_label(path: str) -> str:
    """A task's path as the value of a label."""
    return hashlib.sha256(path.encode()).hexdigest()[:PATH_DIGITS]


def identity(attempt: AttemptId, installation: str) -> dict[str, str]:
    """The labels by which a Pod is known to be an attempt's."""
    return {
        pod_layout.LABEL_INSTALLATION: installation,
        pod_layout.LABEL_RUN: attempt.run_id,
        pod_layout.LABEL_ATTEMPT: str(attempt.number),
    }


def attempt_of(metadata: Mapping[str, Any]) -> AttemptId | None:
    """The attempt that a Pod was made for; None: its labels and its path do not say so, or not the same as its name."""
    labels = metadata.get("labels") or {}
    path = (metadata.get("annotations") or {}).get(pod_layout.ANNOTATION_PATH, "")
    run, number = labels.get(pod_layout.LABEL_RUN, ""), labels.get(pod_layout.LABEL_ATTEMPT, "")
    if not (run and path and number.isdecimal()):
        return None
    attempt = AttemptId(run, path, int(number))
    return attempt if metadata["name"].endswith(_end(attempt)) else None


def pod_labels(launch: Launch, options: PodOptions) -> dict[str, str]:
    """A Pod's labels: what finds it again cannot be changed by a task."""
    # Annotations are the older way to ask a mesh; its label would win over one.
    asked = {**options.defaults.annotations, **launch.settings.annotations}
    return {
        **{name: value for name, value in NO_MESH_LABELS.items() if name not in asked},
        **options.defaults.labels,
        **{name: value for name, value in launch.settings.labels.items() if not name.startswith(OURS)},
        KFP_TASK: "true",
        KFP_RUN: launch.attempt.run_id,
        pod_layout.LABEL_SHARD: str(shard_of(launch.attempt.run_id, SHARDS)),
        **identity(launch.attempt, options.installation),
    }


def pod_annotations(launch: Launch, options: PodOptions) -> dict[str, str]:
    """A Pod's annotations."""
    return {
        **NO_MESH,
        **STAY,
        **options.defaults.annotations,
        **launch.settings.annotations,
        pod_layout.ANNOTATION_PATH: launch.attempt.path,
        RUN_NAME: launch.run_name,
    }


def reserved(launch: Launch) -> list[str]:
    """The task's own labels and annotations that are ours to set, and so have no effect."""
    taken = [name for name in launch.settings.labels if name.startswith(OURS) or name in (KFP_TASK, KFP_RUN)]
    return taken + [name for name in launch.settings.annotations if name in (pod_layout.ANNOTATION_PATH, RUN_NAME)]
