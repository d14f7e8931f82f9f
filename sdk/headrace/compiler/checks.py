"""What shows to be wrong only when a pipeline is compiled: settings that nothing would apply, a missing workspace. Pure.

Called by `compiling` and by `Compiler`. What one call or setter shows is checked where it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headrace.compiler.package import Package
from headrace.compiler.uses import RESOURCES
from headrace.dsl.components import ContainerImplementation
from headrace.dsl.definition import PipelineDefinition
from headrace.dsl.mistakes import mistake
from headrace.dsl.tasks import PipelineTask

# what is passed through → the settings of KubernetesExecutorConfig that are part of it
_KUBERNETES: Final = {
    "KUBERNETES_TOLERATIONS": ("tolerations",),
    "KUBERNETES_NODE_SELECTOR": ("nodeSelector",),
    "KUBERNETES_AFFINITY": ("nodeAffinity", "podAffinity"),
    "KUBERNETES_VOLUMES": ("pvcMount", "secretAsVolume", "configMapAsVolume"),
}
_WORKSPACE: Final = "pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size='1Gi'))"


def check(definition: PipelineDefinition) -> None:
    """A mistake for the first thing that is wrong with DEFINITION."""
    for task in definition.tasks.values():
        _check_passthroughs(task)


def check_workspace(package: Package) -> None:
    """A mistake where an importer of PACKAGE, at any depth, downloads to a workspace that the pipeline does not have."""
    platforms = (package.platform or {}).get("platforms", {})
    if any("workspace" in one.get("pipelineConfig", {}) for one in platforms.values()):
        return
    for label, executor in package.spec.get("deploymentSpec", {}).get("executors", {}).items():
        if executor.get("importer", {}).get("downloadToWorkspace"):
            raise mistake(
                f"{label.removeprefix('exec-')!r} downloads to the workspace, but {package.name!r} has none; give the pipeline "
                f"{_WORKSPACE}."
            )


def _check_passthroughs(task: PipelineTask) -> None:
    implementation = task.component.implementation
    if not isinstance(implementation, ContainerImplementation) or not implementation.task_config_passthroughs:
        return
    passed = {str(one["field"]) for one in implementation.task_config_passthroughs}
    for field in _set(task):
        if field not in passed:
            raise mistake(
                f"{task.name!r} has settings of the kind {field}, which its component neither applies nor passes on; add {field} "
                f"to the task_config_passthroughs of {task.component.name!r}, or remove the settings.",
                task.where,
            )


def _set(task: PipelineTask) -> Iterator[str]:
    """The kinds of settings that TASK has."""
    settings = task.settings
    if any(getattr(settings, name) is not None for name in RESOURCES):
        yield "RESOURCES"
    if settings.env:
        yield "ENV"
    kubernetes = task.platform_config.get("kubernetes", {})
    for field, names in _KUBERNETES.items():
        if any(kubernetes.get(name) for name in names):
            yield field
