"""A Pod's volumes and what `main` and the task's init containers see of them. Pure; called by `pods`.

The names of volumes are ours to choose: a secret that is mounted twice is one volume, a name with dots becomes a DNS label. Init
containers name volumes as the task does: by the secret, config map, claim or volume.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from headrace_companion import pod_layout
from headrace_scheduler.engine.quantities import quantity
from headrace_scheduler.engine.task_config import volumes
from headrace_scheduler.executors.kubernetes.options import PodOptions
from headrace_scheduler.executors.kubernetes.problems import Refused
from headrace_scheduler.executors.port import Launch
from headrace_scheduler.executors.task_settings import WORKSPACE, Mount, MountKind, TaskSettings

SHARED: Final = "headrace"
TOKEN: Final = "headrace-token"  # noqa: S105 - a volume's name
SHARED_MEMORY: Final = "headrace-shared-memory"
SHM: Final = "/dev/shm"  # noqa: S108 - where user code looks for it
# Where KFP's SDK writes an artifact that code has given a URI of its own, whatever the code's user.
SCRATCH: Final = {"headrace-gcs": "/gcs", "headrace-s3": "/s3", "headrace-minio": "/minio"}
GIB: Final = 1 << 30
# What is not written costs nothing, what is written counts as the container's memory. NCCL's own buffers stay far below
# 1 GiB for eight GPUs of a node; data loaders hand their batches over in it as well.
SHM_FOR_EACH_GPU: Final = 4 * GIB


@dataclass(frozen=True, slots=True)
class PodVolumes:
    """`volumes` of the Pod, `main`'s mounts, and the volumes by the names that the task has for them."""

    volumes: list[dict[str, Any]]
    main: list[dict[str, Any]]
    named: Mapping[str, str]


def pod_volumes(launch: Launch, options: PodOptions) -> PodVolumes:
    """Everything that the Pod mounts. Raises Refused."""
    settings, accelerators = launch.settings, launch.request.accelerators
    mounts = _mounts(settings)
    _check(mounts)
    targets = {posixpath.normpath(one.path) for one in mounts}
    own: list[dict[str, Any]] = [{"name": SHARED, "emptyDir": {}}, _token(options)]
    main: list[dict[str, Any]] = [{"name": SHARED, "mountPath": str(pod_layout.TOP)}]
    for name, path in SCRATCH.items() if launch.inputs or launch.output_artifacts else ():
        if path not in targets:
            own.append({"name": name, "emptyDir": {}})
            main.append({"name": name, "mountPath": path})
    if accelerators and SHM not in targets:
        size = shared_memory_bytes(settings.resources, accelerators)
        own.append({"name": SHARED_MEMORY, "emptyDir": {"medium": "Memory", "sizeLimit": str(size)}})
        main.append({"name": SHARED_MEMORY, "mountPath": SHM})
    theirs, mounted = volumes(mounts, [one["name"] for one in own])
    named = {one.source: mount["name"] for one, mount in zip(mounts, mounted, strict=True) if isinstance(mount, dict)}
    return PodVolumes(
        [*own, *_objects(theirs)], [*main, *_objects(mounted)], {name: str(held) for name, held in named.items()}
    )


def init_mounts(container: Mapping[str, Any], held: PodVolumes) -> list[dict[str, Any]]:
    """The volumeMounts of an init container of the task's. Raises Refused."""
    ours = {one["name"] for one in held.volumes} - set(SCRATCH) - {SHARED, TOKEN, SHARED_MEMORY}
    made = []
    for mount in container.get("volumeMounts", ()):
        wanted = str(mount["name"])
        name = held.named.get(wanted, wanted)
        if name not in ours:
            there = ", ".join(f"'{one}'" for one in held.named) or "none"
            raise Refused(
                f"the init container '{container.get('name', '')}' mounts the volume '{wanted}', which the task does not have; "
                f"it has {there}"
            )
        made.append({"name": name, "mountPath": mount["mountPath"]})
    return made


def shared_memory_bytes(resources: Mapping[str, Mapping[str, str]], accelerators: int) -> int:
    """How large /dev/shm may grow: half of what the task may have, as Linux does it; without a limit, by its accelerators."""
    limit = resources.get("limits", {}).get("memory")
    if limit:
        return max(int(quantity(limit) / Decimal(2)), 1)
    asked = resources.get("requests", {}).get("memory")
    return max(SHM_FOR_EACH_GPU * accelerators, int(quantity(asked) / Decimal(2)) if asked else 0)


def _mounts(settings: TaskSettings) -> list[Mount]:
    """The task's mounts, each once, and its run's workspace."""
    mounts = list(dict.fromkeys(_keys(one) for one in settings.mounts))
    held = {_keys(one): one for one in settings.mounts}
    found = [held[key] for key in mounts]
    if settings.workspace_claim:
        found.append(Mount(MountKind.CLAIM, settings.workspace_claim, WORKSPACE))
    return found


def _keys(one: Mount) -> tuple[str, str, str, str, bool]:
    return one.kind, one.source, posixpath.normpath(one.path), one.sub_path, one.optional


def _check(mounts: list[Mount]) -> None:
    """Raises Refused for what no Pod can have, or what would hide what the platform needs."""
    top = str(pod_layout.TOP)
    taken: dict[str, Mount] = {}
    options: dict[tuple[MountKind, str], Mapping[str, Any]] = {}
    for one in mounts:
        path = posixpath.normpath(one.path)
        if path in ("/", top) or path.startswith(f"{top}/"):
            raise Refused(f"the {one.kind} '{one.source}' cannot be mounted at {one.path}: choose a path outside {top}")
        if other := taken.get(path):
            raise Refused(
                f"the {one.kind} '{one.source}' and the {other.kind} '{other.source}' are both mounted at {path}"
            )
        taken[path] = one
        if options.setdefault((one.kind, one.source), one.options) != one.options:
            raise Refused(f"the {one.kind} '{one.source}' is described twice, and not in the same way")


def _token(options: PodOptions) -> dict[str, Any]:
    """The companion's token: of this Pod, for the scheduler's eyes, and not for long."""
    source = {
        "audience": pod_layout.AUDIENCE_ATTEMPTS,
        "expirationSeconds": options.token_seconds,
        "path": pod_layout.TOKEN.name,
    }
    return {"name": TOKEN, "projected": {"sources": [{"serviceAccountToken": source}]}}


def _objects(values: list[Any]) -> list[dict[str, Any]]:
    return [dict(one) for one in values]
