"""The messages of Kubernetes settings (`KubernetesExecutorConfig`) as data: names and kinds of their fields.

They are in no package that this one may depend on; a peer test compares them with the official one. Read by `schema`
only; what the fields mean is judged in `checks.kubernetes`.
"""

from __future__ import annotations

from functools import cache
from typing import Final

INPUT: Final = "TaskInputsSpec.InputParameterSpec"
_OUTPUT: Final = f"{INPUT}.TaskOutputParameterSpec"

# Kinds: text, boolean, integer (64 bits), integer32, texts (a map of text), or a message; `[…]` is a list of it. What
# stands behind `|` names the oneof that a field belongs to.
MESSAGES: Final[dict[str, dict[str, str]]] = {
    "KubernetesExecutorConfig": {
        "secret_as_volume": "[SecretAsVolume]",
        "secret_as_env": "[SecretAsEnv]",
        "pvc_mount": "[PvcMount]",
        "node_selector": "NodeSelector",
        "pod_metadata": "PodMetadata",
        "image_pull_secret": "[ImagePullSecret]",
        "image_pull_policy": "text",
        "config_map_as_volume": "[ConfigMapAsVolume]",
        "config_map_as_env": "[ConfigMapAsEnv]",
        "active_deadline_seconds": "integer",
        "field_path_as_env": "[FieldPathAsEnv]",
        "tolerations": "[Toleration]",
        "generic_ephemeral_volume": "[GenericEphemeralVolume]",
        "node_affinity": "[NodeAffinityTerm]",
        "pod_affinity": "[PodAffinityTerm]",
        "enabled_shared_memory": "EnabledSharedMemory",
        "empty_dir_mounts": "[EmptyDirMount]",
        "security_context": "SecurityContext",
        "init_containers": "[InitContainer]",
        "pod_resource_claims": "[PodResourceClaim]",
    },
    "EnabledSharedMemory": {"volume_name": "text", "size": "text"},
    "SecretAsVolume": {
        "secret_name": "text",
        "mount_path": "text",
        "optional": "boolean",
        "secret_name_parameter": INPUT,
    },
    "SecretAsEnv": {
        "secret_name": "text",
        "key_to_env": "[SecretAsEnv.SecretKeyToEnvMap]",
        "optional": "boolean",
        "secret_name_parameter": INPUT,
    },
    "SecretAsEnv.SecretKeyToEnvMap": {"secret_key": "text", "env_var": "text"},
    "PvcMount": {
        "task_output_parameter": f"{_OUTPUT}|pvc_reference",
        "constant": "text|pvc_reference",
        "component_input_parameter": "text|pvc_reference",
        "mount_path": "text",
        "pvc_name_parameter": INPUT,
        "sub_path": "text",
    },
    "NodeSelector": {"labels": "texts", "node_selector_json": INPUT},
    "PodMetadata": {"labels": "texts", "annotations": "texts"},
    "ConfigMapAsVolume": {
        "config_map_name": "text",
        "mount_path": "text",
        "optional": "boolean",
        "config_map_name_parameter": INPUT,
    },
    "ConfigMapAsEnv": {
        "config_map_name": "text",
        "key_to_env": "[ConfigMapAsEnv.ConfigMapKeyToEnvMap]",
        "config_map_name_parameter": INPUT,
        "optional": "boolean",
    },
    "ConfigMapAsEnv.ConfigMapKeyToEnvMap": {"config_map_key": "text", "env_var": "text"},
    "GenericEphemeralVolume": {
        "volume_name": "text",
        "mount_path": "text",
        "access_modes": "[text]",
        "size": "text",
        "default_storage_class": "boolean",
        "storage_class_name": "text",
        "metadata": "PodMetadata",
    },
    "ImagePullSecret": {"secret_name": "text", "secret_name_parameter": INPUT},
    "FieldPathAsEnv": {"name": "text", "field_path": "text"},
    "Toleration": {
        "key": "text",
        "operator": "text",
        "value": "text",
        "effect": "text",
        "toleration_seconds": "integer",
        "toleration_json": INPUT,
    },
    "SelectorRequirement": {"key": "text", "operator": "text", "values": "[text]"},
    "NodeAffinityTerm": {
        "match_expressions": "[SelectorRequirement]",
        "match_fields": "[SelectorRequirement]",
        "weight": "integer32",
        "node_affinity_json": INPUT,
    },
    "PodAffinityTerm": {
        "match_pod_expressions": "[SelectorRequirement]",
        "match_pod_labels": "texts",
        "topology_key": "text",
        "namespaces": "[text]",
        "match_namespace_expressions": "[SelectorRequirement]",
        "match_namespace_labels": "texts",
        "weight": "integer32",
        "anti": "boolean",
    },
    "SecurityContext": {"run_as_user": "integer", "run_as_group": "integer", "run_as_non_root": "boolean"},
    "EmptyDirMount": {"volume_name": "text", "mount_path": "text", "medium": "text", "size_limit": "text"},
    "InitContainer": {
        "name": "text",
        "image": "text",
        "command": "[text]",
        "args": "[text]",
        "env": "[InitContainer.EnvVar]",
        "volume_mounts": "[InitContainer.VolumeMount]",
        "restart_policy": "text",
        "resources": "InitContainer.ResourceRequirements",
    },
    "InitContainer.EnvVar": {"name": "text", "value": "text"},
    "InitContainer.VolumeMount": {"volume_name": "text", "mount_path": "text"},
    "InitContainer.ResourceRequirements": {"requests": "texts", "limits": "texts"},
    "PodResourceClaim": {"resource_claim_template_name": "text", "resource_claim_json": INPUT},
}


@cache
def camel(name: str) -> str:
    """The JSON spelling of a field name."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
