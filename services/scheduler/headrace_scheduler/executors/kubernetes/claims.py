"""Volume claims as bodies: what KFP's CreatePVC and DeletePVC tasks ask for, and the workspace of a run. Pure.

The executor makes the calls. A claim that a task makes stays until a task deletes it; a run's workspace goes with its run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from headrace_companion import pod_layout
from headrace_companion.results import Reason
from headrace_ir.values import Value, decode, describe, encode
from headrace_protos.lifecycle import task_id
from headrace_protos.v1 import attempts_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.quantities import quantity
from headrace_scheduler.executors.kubernetes.names import path_label
from headrace_scheduler.executors.kubernetes.options import PodOptions
from headrace_scheduler.executors.kubernetes.problems import Refused
from headrace_scheduler.executors.kubernetes.reserved import refuse_claim
from headrace_scheduler.executors.port import Launch

ACCESS_MODES: Final = frozenset({"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"})
MANAGED: Final = {"app.kubernetes.io/managed-by": "headrace"}
WORKSPACE_LABEL: Final = "headrace.io/workspace"


def new_claim(launch: Launch, options: PodOptions) -> dict[str, Any]:
    """The claim that a CreatePVC task makes. The same for all attempts of the task, so that it is made once. Raises Refused."""
    given = _given(launch)
    spec: dict[str, Any] = {
        "accessModes": _access_modes(given.get("access_modes")),
        "resources": {"requests": {"storage": _size(given.get("size"))}},
    }
    storage_class = _text(given, "storage_class_name")
    if storage_class is not None:  # "": none, for a volume that exists already
        spec["storageClassName"] = storage_class
    if volume := _text(given, "volume_name"):
        spec["volumeName"] = volume
    if source := _texts(given, "data_source"):
        spec["dataSource"] = source
    metadata = {
        "name": _claim_name(launch, given),
        "namespace": options.namespace,
        "labels": _labels(launch, options),
        "annotations": _texts(given, "annotations"),
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def claim_to_delete(launch: Launch) -> str:
    """The name of the claim that a DeletePVC task deletes. Raises Refused."""
    name = _text(_given(launch), "pvc_name")
    if not name:
        raise _refused("pvc_name is missing: give the claim's name")
    refuse_claim(name)
    return name


def made(name: str) -> attempts_pb2.AttemptResult:
    """The result of a CreatePVC task."""
    result = attempts_pb2.AttemptResult(state=ev.ATTEMPT_SUCCEEDED)
    result.outputs.parameters["name"].json = encode(name)
    return result


def deleted() -> attempts_pb2.AttemptResult:
    """The result of a DeletePVC task."""
    return attempts_pb2.AttemptResult(state=ev.ATTEMPT_SUCCEEDED)


def is_of_task(claim: Mapping[str, Any], launch: Launch, options: PodOptions) -> bool:
    """Whether a claim that is there already was made by this task."""
    return _labels(launch, options).items() <= (claim["metadata"].get("labels") or {}).items()


def no_such_claim(name: str, namespace: str) -> str:
    """What to say where the claim to delete is not there."""
    return f"the claim '{name}' is not in namespace '{namespace}', so it cannot be deleted"


def foreign_claim(name: str, namespace: str) -> str:
    """What to say where another claim has the name."""
    return f"a claim '{name}' is in namespace '{namespace}' already: give another pvc_name, or mount that one"


def workspace(launch: Launch, options: PodOptions) -> dict[str, Any]:
    """The claim behind the workspace of a run, made before the first of its tasks that uses it. Raises Refused."""
    settings = launch.settings
    if not settings.workspace_spec:
        raise _refused(
            "the task uses the run's workspace, but the pipeline has none: give the pipeline one with its size "
            "(PipelineConfig(workspace=WorkspaceConfig(size='10Gi')))"
        )
    metadata = {
        "name": settings.workspace_claim,
        "namespace": options.namespace,
        "labels": workspace_labels(launch.attempt.run_id, options.installation),
    }
    spec = {"accessModes": ["ReadWriteOnce"], **options.defaults.workspace, **settings.workspace_spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def workspace_labels(run_id: str, installation: str) -> dict[str, str]:
    """The labels by which a run's workspace is found, to be deleted with it."""
    return {
        **MANAGED,
        pod_layout.LABEL_INSTALLATION: installation,
        pod_layout.LABEL_RUN: run_id,
        WORKSPACE_LABEL: "true",
    }


def _labels(launch: Launch, options: PodOptions) -> dict[str, str]:
    return {
        **MANAGED,
        pod_layout.LABEL_INSTALLATION: options.installation,
        pod_layout.LABEL_RUN: launch.attempt.run_id,
        pod_layout.LABEL_PATH: path_label(launch.attempt.path),
    }


def _claim_name(launch: Launch, given: Mapping[str, Value]) -> str:
    name, suffix = _text(given, "pvc_name"), _text(given, "pvc_name_suffix")
    if name and suffix:
        raise _refused("give pvc_name or pvc_name_suffix, not both")
    return name or f"{task_id(launch.attempt.run_id, launch.attempt.path)}{suffix or ''}"


def _given(launch: Launch) -> dict[str, Value]:
    for name in launch.references:
        raise _refused(f"{name} is larger than a setting of a claim can be")
    return {name: decode(text) for name, text in launch.parameters.items()}


def _access_modes(value: Value) -> list[str]:
    if not isinstance(value, list) or not value or not all(one in ACCESS_MODES for one in value):
        known = ", ".join(sorted(ACCESS_MODES))
        raise _refused(f"access_modes must be a list of some of {known}, it is {describe(value)}")
    return [str(one) for one in value]


def _size(value: Value) -> str:
    try:
        if isinstance(value, str) and quantity(value) > 0:
            return f"{value.strip()[:-1]}k" if value.strip().endswith("K") else value.strip()
    except ValueError:
        pass
    raise _refused(f"size must be how much storage to claim, such as '10Gi', it is {describe(value)}")


def _text(given: Mapping[str, Value], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise _refused(f"{name} must be a text, it is {describe(value)}")
    return value


def _texts(given: Mapping[str, Value], name: str) -> dict[str, str]:
    value = given.get(name) or {}
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise _refused(f"{name} must be an object whose values are texts, it is {describe(value)}")
    return {key: str(one) for key, one in value.items()}


def _refused(sentence: str) -> Refused:
    return Refused(sentence, Reason.USER_ERROR)
