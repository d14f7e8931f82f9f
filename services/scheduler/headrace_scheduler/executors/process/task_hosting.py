"""A task's platform settings on this machine (kfp-semantics 7.5): variables from the local store and the Pod's fields, folders
to mount, and one warning that names what has no effect here.

What would change results fails the task with a sentence: a secret that is not there, a mount that cannot be made, an init
container. Blocking; called by attempts in a thread.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace_scheduler.executors.process.local_store import LocalStore, NotHere
from headrace_scheduler.executors.task_settings import EnvKind, EnvSource, Mount, MountKind, TaskSettings

Bind = tuple[str, str]  # a folder, and the path at which user code finds it
SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - compared with, never written
KINDS: Final = {EnvKind.SECRET: MountKind.SECRET, EnvKind.CONFIG_MAP: MountKind.CONFIG_MAP}
MAP_FIELD: Final = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")
LOCALHOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Pod:
    """What a task is told that its Pod is."""

    name: str
    uid: str
    namespace: str
    node: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hosted:
    """What becomes of the settings: variables, folders to show elsewhere, and warnings."""

    env: Mapping[str, str]
    binds: tuple[Bind, ...]
    warnings: tuple[str, ...]


def host(settings: TaskSettings, pod: Pod, local: LocalStore, folder: Path) -> Hosted:
    """Find everything that the settings name. FOLDER takes private copies. Raises NotHere."""
    if settings.init_containers:
        names = ", ".join(f"'{one.get('name', '')}'" for one in settings.init_containers)
        raise NotHere(f"init containers ({names}) need a cluster: run this pipeline on Kubernetes")
    env = dict(_variables(settings, pod, local))
    binds = tuple(_binds(settings.mounts, local, folder))
    return Hosted(env, binds, tuple(_warnings(settings, local)))


def _variables(settings: TaskSettings, pod: Pod, local: LocalStore) -> Iterator[tuple[str, str]]:
    for one in settings.env:
        if one.kind is EnvKind.FIELD:
            yield one.name, _field(one.source, settings, pod)
            continue
        value = local.value(KINDS[one.kind], one.source, one.key)
        if value is not None:
            yield one.name, value
        elif not one.optional:
            raise NotHere(_missing_key(one, local))


def _missing_key(one: EnvSource, local: LocalStore) -> str:
    kind = KINDS[one.kind]
    place = local.folder(kind, one.source) / one.key
    return (
        f"the variable {one.name} needs the key '{one.key}' of the {kind} '{one.source}', which is not on this machine: "
        f"put it into the file {place}{' (chmod 600)' if kind is MountKind.SECRET else ''}"
    )


def _field(path: str, settings: TaskSettings, pod: Pod) -> str:
    """A field of the Pod that this task does not have, as user code would find it."""
    found = MAP_FIELD.fullmatch(path)
    if found is not None:
        held = {**pod.labels, **settings.labels} if found[1] == "labels" else settings.annotations
        return held.get(found[2], "")
    fields = {
        "metadata.name": pod.name,
        "metadata.uid": pod.uid,
        "metadata.namespace": pod.namespace,
        "spec.nodeName": pod.node,
        "spec.serviceAccountName": "default",
        **dict.fromkeys(("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"), LOCALHOST),
    }
    if path not in fields:
        raise NotHere(f"the field '{path}' of the Pod is not known; known are {', '.join(sorted(fields))}")
    return fields[path]


def _binds(mounts: Sequence[Mount], local: LocalStore, folder: Path) -> Iterator[Bind]:
    for number, one in enumerate(mounts):
        target = os.path.normpath(one.path)
        own = folder / str(number)
        match one.kind:
            case MountKind.CLAIM:
                claim = str(local.claim(one.source, one.sub_path))
                if os.path.realpath(target) != os.path.realpath(claim):  # else its user has linked it there
                    yield claim, target
                continue
            case MountKind.EMPTY_DIR if target == SHARED_MEMORY and Path(target).is_dir():
                continue  # this machine's own
            case MountKind.EMPTY_DIR | MountKind.EPHEMERAL:
                own.mkdir(parents=True, exist_ok=True)
            case MountKind.SECRET | MountKind.CONFIG_MAP:
                if not local.copy(one.kind, one.source, own) and not one.optional:
                    place = local.folder(one.kind, one.source)
                    raise NotHere(
                        f"the {one.kind} '{one.source}', to be mounted at {one.path}, is not on this machine: make the "
                        f"folder {place} with a file for each key"
                    )
        yield str(own), target


def _warnings(settings: TaskSettings, local: LocalStore) -> Iterator[str]:
    secrets = {one.source for one in settings.env if one.kind is EnvKind.SECRET}
    secrets |= {one.source for one in settings.mounts if one.kind is MountKind.SECRET}
    for name in sorted(secrets):
        if local.open_to_others(name):
            folder = local.folder(MountKind.SECRET, name)
            yield f"other users of this machine may read the secret '{name}': chmod 600 {folder}/*"
    for one in settings.env:
        if one.kind is EnvKind.SECRET and (local.value(MountKind.SECRET, one.source, one.key) or "").endswith("\n"):
            yield f"the key '{one.key}' of the secret '{one.source}' ends with a line break, which is part of its value"
    ignored = {
        "labels": settings.labels,
        "annotations": settings.annotations,
        "node selector": settings.node_selector,
        "tolerations": settings.tolerations,
        "affinity": settings.affinity,
        "image pull policy": settings.pull_policy,
        "image pull secrets": settings.pull_secrets,
        "security context": settings.security_context,
    }
    named = [what for what, given in ignored.items() if given]
    if named:
        yield f"these settings of a Pod have no effect on this machine: {', '.join(named)}"
