"""The platform document: Kubernetes settings of executors, and the pipeline's own settings.

Field names and shapes of the Kubernetes settings are kept here as data, because their messages are in no package that
this one depends on. What the settings do is decided where Pods are built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headrace_ir.checks.quantities import quantity_problem
from headrace_ir.model import Spec
from headrace_ir.problems import Problem, hint
from headrace_ir.schema import describe

_LIST, _OBJECT, _TEXT, _NUMBER = "a list of objects", "an object", "text", "a whole number"
_FIELDS = {
    "secretAsVolume": _LIST,
    "secretAsEnv": _LIST,
    "configMapAsVolume": _LIST,
    "configMapAsEnv": _LIST,
    "pvcMount": _LIST,
    "genericEphemeralVolume": _LIST,
    "emptyDirMounts": _LIST,
    "fieldPathAsEnv": _LIST,
    "enabledSharedMemory": _OBJECT,
    "nodeSelector": _OBJECT,
    "tolerations": _LIST,
    "nodeAffinity": _LIST,
    "podAffinity": _LIST,
    "imagePullPolicy": _TEXT,
    "imagePullSecret": _LIST,
    "activeDeadlineSeconds": _NUMBER,
    "podMetadata": _OBJECT,
    "securityContext": _OBJECT,
    "initContainers": _LIST,
}
_PULL_POLICIES = ("Always", "Never", "IfNotPresent")
_CLAIM_PATCH = ("accessModes", "storageClassName")


def check(spec: Spec) -> Iterator[Problem]:
    place = "platforms.kubernetes.deploymentSpec.executors"
    for label, settings in spec.kubernetes.items():
        if label not in spec.executors:
            yield Problem(
                f"{place}.{label}", f"unknown executor '{label}'; {hint(label, spec.executors, kind='executors')}"
            )
        yield from _settings(settings, f"{place}.{label}")
    yield from _pipeline_config(spec.pipeline_config, "platforms.kubernetes.pipelineConfig")


def _settings(settings: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for key, value in settings.items():
        name = _camel(key)
        if name not in _FIELDS:
            yield Problem(f"{path}.{key}", f"unknown field '{key}'; {hint(name, _FIELDS, kind='fields')}")
        elif value is not None and not _fits(_FIELDS[name], value):
            yield Problem(f"{path}.{key}", f"expected {_FIELDS[name]}, got {describe(value)}")
        elif name == "imagePullPolicy" and value not in _PULL_POLICIES:
            yield Problem(f"{path}.{key}", f"expected one of {', '.join(_PULL_POLICIES)}, got {describe(value)}")
        elif name == "securityContext" and value is not None:
            yield from _security_context(value, f"{path}.{key}")


def _security_context(context: Mapping[str, Any], path: str) -> Iterator[Problem]:
    given = {_camel(key): value for key, value in context.items()}
    if given.get("runAsNonRoot") is True and given.get("runAsUser") in (0, "0"):
        yield Problem(path, "runAsUser is 0 (root) and runAsNonRoot is true; only one of them can hold")


def _pipeline_config(config: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for field in (
        "resource_ttl_on_completion",
        "resource_ttl_on_success",
        "resource_ttl_on_failure",
        "active_deadline_seconds",
    ):
        if config.get(field, 0) < 0:
            yield Problem(f"{path}.{_camel(field)}", f"must be 0 or more, got {config[field]}")
    workspace = config.get("workspace")
    if workspace is None:
        return
    size = workspace.get("size", "")
    problem = quantity_problem(size) if size else "required: the size of the workspace, such as '10Gi'"
    if problem:
        yield Problem(f"{path}.workspace.size", problem)
    patch = workspace.get("kubernetes", {}).get("pvc_spec_patch", {})
    for key, value in patch.items():
        place = f"{path}.workspace.kubernetes.pvcSpecPatch.{key}"
        if key not in _CLAIM_PATCH:
            yield Problem(place, f"unknown field '{key}'; {hint(key, _CLAIM_PATCH, kind='fields')}")
        elif key == "accessModes" and (not isinstance(value, list) or not value):
            yield Problem(place, f"expected a list with at least one access mode, got {describe(value)}")
        elif key == "storageClassName" and (not isinstance(value, str) or not value):
            yield Problem(place, f"expected the name of a storage class, got {describe(value)}")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _fits(kind: str, value: Any) -> bool:
    if kind == _LIST:
        return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
    if kind == _OBJECT:
        return isinstance(value, dict)
    if kind == _TEXT:
        return isinstance(value, str)
    digits = value.isdigit() if isinstance(value, str) else False
    return (
        digits
        or (isinstance(value, int) and not isinstance(value, bool))
        or (isinstance(value, float) and value.is_integer())
    )
