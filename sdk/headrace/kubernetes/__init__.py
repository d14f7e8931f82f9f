"""`headrace.kubernetes`: what a task's Pod gets beyond its image and resources: secrets, volumes, where it may run.

The surface of `kfp.kubernetes`, and beyond it accelerators by product, init containers, affinity between Pods and shared
memory, which the IR carries too.
Each function notes its settings in `task.platform_config` (`settings`); the compiler writes them (`documents`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.kubernetes.accelerators import use_accelerator
    from headrace.kubernetes.claims import CreatePVC, DeletePVC
    from headrace.kubernetes.containers import (
        add_init_container,
        set_image_pull_policy,
        set_image_pull_secrets,
        set_security_context,
        set_timeout,
    )
    from headrace.kubernetes.environment import use_config_map_as_env, use_field_path_as_env, use_secret_as_env
    from headrace.kubernetes.metadata import add_pod_annotation, add_pod_label
    from headrace.kubernetes.scheduling import (
        add_node_affinity,
        add_node_affinity_json,
        add_node_selector,
        add_node_selector_json,
        add_pod_affinity,
        add_toleration,
        add_toleration_json,
    )
    from headrace.kubernetes.volumes import (
        add_ephemeral_volume,
        empty_dir_mount,
        mount_pvc,
        use_config_map_as_volume,
        use_secret_as_volume,
        use_shared_memory,
    )

__all__ = [
    "CreatePVC",
    "DeletePVC",
    "add_ephemeral_volume",
    "add_init_container",
    "add_node_affinity",
    "add_node_affinity_json",
    "add_node_selector",
    "add_node_selector_json",
    "add_pod_affinity",
    "add_pod_annotation",
    "add_pod_label",
    "add_toleration",
    "add_toleration_json",
    "empty_dir_mount",
    "mount_pvc",
    "set_image_pull_policy",
    "set_image_pull_secrets",
    "set_security_context",
    "set_timeout",
    "use_accelerator",
    "use_config_map_as_env",
    "use_config_map_as_volume",
    "use_field_path_as_env",
    "use_secret_as_env",
    "use_secret_as_volume",
    "use_shared_memory",
]

_WHERE = {
    "accelerators": ("use_accelerator",),
    "claims": ("CreatePVC", "DeletePVC"),
    "containers": (
        "add_init_container",
        "set_image_pull_policy",
        "set_image_pull_secrets",
        "set_security_context",
        "set_timeout",
    ),
    "environment": ("use_config_map_as_env", "use_field_path_as_env", "use_secret_as_env"),
    "metadata": ("add_pod_annotation", "add_pod_label"),
    "scheduling": (
        "add_node_affinity",
        "add_node_affinity_json",
        "add_node_selector",
        "add_node_selector_json",
        "add_pod_affinity",
        "add_toleration",
        "add_toleration_json",
    ),
    "volumes": (
        "add_ephemeral_volume",
        "empty_dir_mount",
        "mount_pvc",
        "use_config_map_as_volume",
        "use_secret_as_volume",
        "use_shared_memory",
    ),
}


def __getattr__(name: str) -> Any:
    """The public names, imported when first used."""
    import importlib

    for module, names in _WHERE.items():
        if name in names:
            return getattr(importlib.import_module(f"headrace.kubernetes.{module}"), name)
    raise AttributeError(f"module 'headrace.kubernetes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
