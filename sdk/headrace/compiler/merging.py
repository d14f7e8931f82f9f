"""A pipeline that is used as a component of another: its components and executors are taken over under free names. Pure.

The package that is merged is left as it is: it may be used many times. Called by `compiling`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.compiler.package import Package
from headrace.dsl.naming import Taken

Json = dict[str, Any]


def merged(package: Package, components: Taken, executors: Taken) -> tuple[Json, Json, Json, Json]:
    """The root of PACKAGE as a component, its other components, its executors, and its executors' settings by platform, all under
    names that were free.
    """
    own: Mapping[str, Any] = package.spec.get("components") or {}
    own_executors: Mapping[str, Any] = (package.spec.get("deploymentSpec") or {}).get("executors") or {}
    component_names = {name: components.take(name) for name in own}
    executor_names = {label: executors.take(label) for label in own_executors}
    root = _renamed(package.spec["root"], component_names, executor_names)
    others = {component_names[name]: _renamed(one, component_names, executor_names) for name, one in own.items()}
    containers = {executor_names[label]: one for label, one in own_executors.items()}
    platforms = {
        platform: {executor_names.get(label, label): one for label, one in settings.items()}
        for platform, settings in executor_settings(package.platform).items()
    }
    return root, others, containers, platforms


def executor_settings(platform: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    """The settings of the executors in the document PLATFORM, by platform and executor."""
    platforms = (platform or {}).get("platforms") or {}
    return {name: (one.get("deploymentSpec") or {}).get("executors") or {} for name, one in platforms.items()}


def _renamed(component: Mapping[str, Any], components: Mapping[str, str], executors: Mapping[str, str]) -> Json:
    spec = dict(component)
    if label := spec.get("executorLabel"):
        spec["executorLabel"] = executors.get(label, label)
    if dag := spec.get("dag"):
        tasks = {}
        for name, task in (dag.get("tasks") or {}).items():
            used = task["componentRef"]["name"]
            tasks[name] = (
                task if components.get(used, used) == used else {**task, "componentRef": {"name": components[used]}}
            )
        spec["dag"] = {**dag, "tasks": tasks}
    return spec
