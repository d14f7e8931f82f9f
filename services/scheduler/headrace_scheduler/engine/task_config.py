"""The value of a component's TASK_CONFIG input: its task's own settings in Kubernetes' JSON shape (kfp-semantics 7.4). Pure.

For components that start work elsewhere and hand their settings on. What is passed through and does not apply to the task is
taken from the task's own settings. Called by launching.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from headrace_ir.values import Value
from headrace_scheduler.executors.task_settings import WORKSPACE, EnvKind, EnvSource, Mount, MountKind, TaskSettings

Pairs = tuple[tuple[str, str], ...]
PERSISTENT: Final = frozenset({MountKind.SECRET, MountKind.CONFIG_MAP, MountKind.CLAIM})
LONGEST_NAME: Final = 63


@dataclass(frozen=True, slots=True)
class Passed:
    """The injected value, and what is left for the task itself: `env` says whether its variables stay."""

    value: dict[str, Value]
    settings: TaskSettings
    env: bool


def pass_through(fields: Mapping[str, bool], env: Callable[[], Pairs], settings: TaskSettings) -> Passed:
    """`fields`: what is passed on → whether it applies to the task too. `env`: the container's own variables, as texts;
    asked for only where they are passed on.
    """
    value: dict[str, Value] = {}
    own = settings
    if "RESOURCES" in fields:
        value["resources"] = {kind: dict(amounts) for kind, amounts in settings.resources.items()}
        own = own if fields["RESOURCES"] else replace(own, resources={})
    if "ENV" in fields:
        plain: list[Value] = [{"name": name, "value": text} for name, text in env()]
        value["env"] = [*plain, *(env_var(one) for one in settings.env)]
        own = own if fields["ENV"] else replace(own, env=())
    if "KUBERNETES_AFFINITY" in fields:
        value["affinity"] = dict(settings.affinity)
        own = own if fields["KUBERNETES_AFFINITY"] else replace(own, affinity={})
    if "KUBERNETES_TOLERATIONS" in fields:
        value["tolerations"] = [dict(one) for one in settings.tolerations]
        own = own if fields["KUBERNETES_TOLERATIONS"] else replace(own, tolerations=())
    if "KUBERNETES_NODE_SELECTOR" in fields:
        value["nodeSelector"] = dict(settings.node_selector)
        own = own if fields["KUBERNETES_NODE_SELECTOR"] else replace(own, node_selector={})
    if "KUBERNETES_VOLUMES" in fields:
        value["volumes"], value["volumeMounts"] = volumes(_passed_mounts(settings))
        if not fields["KUBERNETES_VOLUMES"]:
            kept = tuple(one for one in settings.mounts if one.kind not in PERSISTENT)
            own = replace(own, mounts=kept, workspace_claim="")
    return Passed({name: held for name, held in value.items() if held}, own, fields.get("ENV", True))


def _passed_mounts(settings: TaskSettings) -> Iterable[Mount]:
    yield from (one for one in settings.mounts if one.kind in PERSISTENT)
    if settings.workspace_claim:
        yield Mount(MountKind.CLAIM, settings.workspace_claim, WORKSPACE)


def env_var(one: EnvSource) -> dict[str, Value]:
    """A variable as Kubernetes' EnvVar."""
    if one.kind is EnvKind.FIELD:
        return {"name": one.name, "valueFrom": {"fieldRef": {"fieldPath": one.source}}}
    reference: dict[str, Value] = {"name": one.source, "key": one.key}
    if one.optional:
        reference["optional"] = True
    kind = "secretKeyRef" if one.kind is EnvKind.SECRET else "configMapKeyRef"
    return {"name": one.name, "valueFrom": {kind: reference}}


def volumes(mounts: Iterable[Mount], taken: Iterable[str] = ()) -> tuple[list[Value], list[Value]]:
    """Mounts as Kubernetes' volumes, each once and under a name of its own that is not TAKEN, and a volumeMount for each."""
    reserved = set(taken)
    named: dict[tuple[MountKind, str, bool], str] = {}
    made: list[Value] = []
    mounted: list[Value] = []
    for one in mounts:
        key = (one.kind, one.source, one.optional)
        if key not in named:
            named[key] = _volume_name(one, reserved | set(named.values()))
            made.append({"name": named[key], **_source(one)})
        mount: dict[str, Value] = {"name": named[key], "mountPath": one.path}
        if one.sub_path:
            mount["subPath"] = one.sub_path
        mounted.append(mount)
    return made, mounted


def _source(one: Mount) -> dict[str, Any]:
    match one.kind:
        case MountKind.SECRET:
            return {"secret": {"secretName": one.source, "optional": one.optional}}
        case MountKind.CONFIG_MAP:
            return {"configMap": {"name": one.source, "optional": one.optional}}
        case MountKind.CLAIM:
            return {"persistentVolumeClaim": {"claimName": one.source}}
        case MountKind.EPHEMERAL:
            return {"ephemeral": {"volumeClaimTemplate": dict(one.options)}}
        case MountKind.EMPTY_DIR:
            return {"emptyDir": dict(one.options)}


def _volume_name(one: Mount, taken: set[str]) -> str:
    """A DNS label made of the source's name; two sources never share one."""
    plain = re.sub("[^a-z0-9]+", "-", one.source.lower()).strip("-")[:LONGEST_NAME].strip("-") or "volume"
    name, number = plain, 2
    while name in taken:
        end = f"-{number}"
        name, number = plain[: LONGEST_NAME - len(end)] + end, number + 1
    return name
