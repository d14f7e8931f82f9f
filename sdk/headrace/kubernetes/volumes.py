"""Volumes: secrets, config maps, claims, ephemeral volumes, empty folders and shared memory."""

from __future__ import annotations

from headrace.dsl.channels import Channel
from headrace.dsl.tasks import PipelineTask
from headrace.kubernetes.settings import (
    Json,
    add,
    flag,
    given,
    optional_text,
    reference,
    settings,
    text,
    text_list,
    texts,
)


def use_secret_as_volume(
    task: PipelineTask, secret_name: str | Channel, mount_path: str, optional: bool = False
) -> PipelineTask:
    """Mount a Secret as a folder with a file for each key. `optional`: the task runs where the Secret is missing."""
    function = "use_secret_as_volume"
    settings(task, function)
    entry: Json = given(
        secretName=secret_name if isinstance(secret_name, str) else None,
        mountPath=text(mount_path, function, "mount_path"),
    )
    entry["secretNameParameter"] = reference(task, secret_name, function, "secret_name", str)
    return add(task, function, "secretAsVolume", {**entry, "optional": flag(optional, function, "optional")})


def use_config_map_as_volume(
    task: PipelineTask, config_map_name: str | Channel, mount_path: str, optional: bool = False
) -> PipelineTask:
    """Mount a ConfigMap as a folder with a file for each key. `optional`: the task runs where it is missing."""
    function = "use_config_map_as_volume"
    settings(task, function)
    entry: Json = given(
        configMapName=config_map_name if isinstance(config_map_name, str) else None,
        mountPath=text(mount_path, function, "mount_path"),
    )
    entry["configMapNameParameter"] = reference(task, config_map_name, function, "config_map_name", str)
    return add(task, function, "configMapAsVolume", {**entry, "optional": flag(optional, function, "optional")})


def mount_pvc(task: PipelineTask, pvc_name: str | Channel, mount_path: str, sub_path: str = "") -> PipelineTask:
    """Mount a PersistentVolumeClaim, or the folder SUB_PATH of it; its name may be what `CreatePVC` put out."""
    function = "mount_pvc"
    settings(task, function)
    entry: Json = given(
        constant=pvc_name if isinstance(pvc_name, str) else None,
        mountPath=text(mount_path, function, "mount_path"),
        subPath=text(sub_path, function, "sub_path"),
    )
    entry["pvcNameParameter"] = reference(task, pvc_name, function, "pvc_name", str)
    return add(task, function, "pvcMount", entry)


def add_ephemeral_volume(
    task: PipelineTask,
    volume_name: str,
    mount_path: str,
    access_modes: list[str],
    size: str,
    storage_class_name: str | None = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> PipelineTask:
    """Mount a volume that is made for the Pod and goes with it. No STORAGE_CLASS_NAME: the cluster's default class."""
    function = "add_ephemeral_volume"
    metadata = given(
        labels=texts(labels or {}, function, "labels"), annotations=texts(annotations or {}, function, "annotations")
    )
    entry = given(
        volumeName=text(volume_name, function, "volume_name"),
        mountPath=text(mount_path, function, "mount_path"),
        accessModes=text_list(access_modes, function, "access_modes"),
        size=text(size, function, "size"),
        defaultStorageClass=True if storage_class_name is None else None,
        storageClassName=optional_text(storage_class_name, function, "storage_class_name"),
        metadata=metadata,
    )
    return add(task, function, "genericEphemeralVolume", entry)


def empty_dir_mount(
    task: PipelineTask, volume_name: str, mount_path: str, medium: str | None = None, size_limit: str | None = None
) -> PipelineTask:
    """Mount an empty folder that goes with the Pod; `medium="Memory"` keeps it in memory."""
    function = "empty_dir_mount"
    entry = given(
        volumeName=text(volume_name, function, "volume_name"), mountPath=text(mount_path, function, "mount_path")
    )
    for field, value in (("medium", medium), ("sizeLimit", size_limit)):
        if value is not None:
            entry[field] = text(value, function, "medium" if field == "medium" else "size_limit")
    return add(task, function, "emptyDirMounts", entry)


def use_shared_memory(task: PipelineTask, size: str | None = None, volume_name: str = "shared-memory") -> PipelineTask:
    """Give the task a `/dev/shm` of its own, which PyTorch's data loaders need: SIZE, or as much as the node lets it take.

    Not in KFP's SDK. The IR has it, KFP's backend leaves it out.
    """
    function = "use_shared_memory"
    entry = given(volumeName=text(volume_name, function, "volume_name"), size=optional_text(size, function, "size"))
    settings(task, function)["enabledSharedMemory"] = entry
    return task
