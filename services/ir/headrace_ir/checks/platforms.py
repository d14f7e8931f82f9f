"""The platform document: which executors it sets, and the pipeline's own settings.

The settings of one executor are judged in `kubernetes`; what both do is decided where Pods are built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from headrace_ir.checks.kubernetes import access_mode_problems, check_settings
from headrace_ir.checks.names import name_problem
from headrace_ir.checks.quantities import quantity_problem
from headrace_ir.checks.scopes import Scope, platform_inputs, platform_outputs, platform_settings, scopes
from headrace_ir.checks.tasks import output_type, unknown_output
from headrace_ir.kubernetes_fields import camel
from headrace_ir.model import Spec, Task
from headrace_ir.problems import Problem, hint
from headrace_ir.schema import describe

WORKSPACE: Final = "/kfp-workspace"
_CLAIM_PATCH: Final = ("accessModes", "storageClassName")
_JSON_TYPES: Final = frozenset({"", "STRUCT", "LIST"})
_SECONDS: Final = (
    "resource_ttl_on_completion",
    "resource_ttl_on_success",
    "resource_ttl_on_failure",
    "active_deadline_seconds",
)


def check(spec: Spec) -> Iterator[Problem]:
    place = "platforms.kubernetes.deploymentSpec.executors"
    for label, settings in spec.kubernetes.items():
        if label not in spec.executors:
            yield Problem(
                f"{place}.{label}", f"unknown executor '{label}'; {hint(label, spec.executors, kind='executors')}"
            )
        yield from check_settings(settings, f"{place}.{label}")
    yield from _pipeline_config(spec.pipeline_config, "platforms.kubernetes.pipelineConfig")
    yield from _workspace_users(spec)
    for scope in scopes(spec):
        for task in scope.dag.tasks.values():
            yield from _references(scope, task)


def _references(scope: Scope, task: Task) -> Iterator[Problem]:
    """Settings see what the task's inputs see: the DAG around it and its siblings. Most must give a name."""
    settings = platform_settings(scope.spec, task)
    if not settings:
        return
    base = f"platforms.kubernetes.deploymentSpec.executors.{scope.spec.components[task.component].executor}"
    for place, producer, key, whole in platform_outputs(settings):
        places = (f"{base}{place}.producerTask", f"{base}{place}.outputParameterKey")
        problems = list(unknown_output(scope, producer, key, *places))
        yield from problems
        if whole and not problems:
            yield from _mistyped(f"{base}{place}", key, output_type(scope, producer, key))
    known = scope.component.inputs
    for place, name, whole in platform_inputs(settings):
        if name in known:
            yield from _mistyped(f"{base}{place}", name, known[name].type if whole else "")
        else:
            end = hint(name, known, kind="input parameters")
            yield Problem(f"{base}{place}", f"unknown input '{name}' of the DAG around the task '{task.name}'; {end}")


def _mistyped(path: str, name: str, kind: str) -> Iterator[Problem]:
    if "Json." in path or "_json." in path:
        if kind not in _JSON_TYPES:
            yield Problem(path, f"'{name}' is {kind}; expected a STRUCT, or a LIST of tolerations")
    elif kind not in ("", "STRING"):
        yield Problem(path, f"'{name}' is {kind}; a name here must be a STRING")


def _pipeline_config(config: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for field in _SECONDS:
        if config.get(field, 0) < 0:
            yield Problem(f"{path}.{camel(field)}", f"must be 0 or more, got {config[field]}")
    workspace = config.get("workspace")
    if workspace is None:
        return
    size = workspace.get("size", "")
    problem = quantity_problem(size, positive=True) if size else "required: the size of the workspace, such as '10Gi'"
    if problem:
        yield Problem(f"{path}.workspace.size", problem)
    patch = workspace.get("kubernetes", {}).get("pvc_spec_patch", {})
    for key, value in patch.items():
        place = f"{path}.workspace.kubernetes.pvcSpecPatch.{key}"
        if key not in _CLAIM_PATCH:
            yield Problem(place, f"unknown field '{key}'; {hint(key, _CLAIM_PATCH, kind='fields')}")
        elif key == "accessModes":
            yield from access_mode_problems(value, place)
        elif not isinstance(value, str) or not value:
            yield Problem(place, f"expected the name of a storage class, got {describe(value)}")
        elif wrong := name_problem(value, "the name of a storage class"):
            yield Problem(place, wrong)


def _workspace_users(spec: Spec) -> Iterator[Problem]:
    """An importer that downloads to the workspace needs one; where there is one, nothing else is mounted in its place."""
    if spec.pipeline_config.get("workspace") is not None:
        yield from _workspace_clashes(spec)
        return
    for executor in spec.executors.values():
        if executor.importer is not None and executor.importer.to_workspace:
            message = "needs a workspace: give 'pipelineConfig.workspace.size' in the platform document"
            yield Problem(f"{executor.path}.importer.downloadToWorkspace", message)


def _workspace_clashes(spec: Spec) -> Iterator[Problem]:
    for label, settings in spec.kubernetes.items():
        for field, entries in settings.items():
            for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                path = entry.get("mountPath", entry.get("mount_path", "")) if isinstance(entry, dict) else ""
                if isinstance(path, str) and f"{path.rstrip('/')}/".startswith(f"{WORKSPACE}/"):
                    place = f"platforms.kubernetes.deploymentSpec.executors.{label}.{field}[{index}].mountPath"
                    yield Problem(place, f"'{path}' is where the pipeline's workspace is mounted")
