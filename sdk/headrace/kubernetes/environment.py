"""Environment variables from secrets, config maps and fields of the Pod."""

from __future__ import annotations

from headrace.dsl.channels import Channel
from headrace.dsl.tasks import PipelineTask
from headrace.kubernetes.settings import Json, add, flag, given, reference, settings, text, texts


def use_secret_as_env(
    task: PipelineTask, secret_name: str | Channel, secret_key_to_env: dict[str, str], optional: bool = False
) -> PipelineTask:
    """Set variables to values of a Secret: `{"its key": "VARIABLE"}`. `optional`: the task runs where the Secret is missing."""
    function = "use_secret_as_env"
    settings(task, function)
    pairs = texts(secret_key_to_env, function, "secret_key_to_env")
    entry: Json = given(
        secretName=secret_name if isinstance(secret_name, str) else None,
        keyToEnv=[given(secretKey=key, envVar=variable) for key, variable in pairs.items()],
    )
    entry["secretNameParameter"] = reference(task, secret_name, function, "secret_name", str)
    return add(task, function, "secretAsEnv", {**entry, "optional": flag(optional, function, "optional")})


def use_config_map_as_env(
    task: PipelineTask, config_map_name: str | Channel, config_map_key_to_env: dict[str, str], optional: bool = False
) -> PipelineTask:
    """Set variables to values of a ConfigMap: `{"its key": "VARIABLE"}`. `optional`: the task runs where it is missing."""
    function = "use_config_map_as_env"
    settings(task, function)
    pairs = texts(config_map_key_to_env, function, "config_map_key_to_env")
    entry: Json = given(
        configMapName=config_map_name if isinstance(config_map_name, str) else None,
        keyToEnv=[given(configMapKey=key, envVar=variable) for key, variable in pairs.items()],
    )
    entry["configMapNameParameter"] = reference(task, config_map_name, function, "config_map_name", str)
    return add(task, function, "configMapAsEnv", {**entry, "optional": flag(optional, function, "optional")})


def use_field_path_as_env(task: PipelineTask, env_name: str, field_path: str) -> PipelineTask:
    """Set a variable to a field of the Pod, such as `metadata.name` or `spec.nodeName`."""
    function = "use_field_path_as_env"
    entry = given(name=text(env_name, function, "env_name"), fieldPath=text(field_path, function, "field_path"))
    return add(task, function, "fieldPathAsEnv", entry)
