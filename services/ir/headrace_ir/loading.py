"""From a tree of the right shape (`schema`) to the model: fills gaps, maps legacy forms, judges nothing.

Legacy: `type` INT/DOUBLE/STRING becomes a parameter type, `constantValue` a constant, `runtimeParameter` of a task's input
a DAG input, numeric resources their text. Called by `reading` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace_ir.model import (
    MISSING,
    Artifact,
    ArtifactType,
    Component,
    Container,
    Dag,
    Executor,
    Importer,
    Input,
    Loop,
    Parameter,
    Passthrough,
    Resources,
    Retry,
    Returned,
    Selector,
    Source,
    Spec,
    Task,
)
from headrace_ir.own_settings import PLATFORM

Tree = Mapping[str, Any]

_LEGACY_TYPES = {"INT": "NUMBER_INTEGER", "DOUBLE": "NUMBER_DOUBLE", "STRING": "STRING"}
_EXECUTOR_KINDS = ("container", "importer", "resolver", "custom_job")


def load_spec(tree: Tree, deployment: Tree, platforms: Mapping[str, Tree], config_document: Tree) -> Spec:
    """The model of a pipeline spec tree, its deployment config tree and its platform trees by name; the pipeline config
    also as it was written.
    """
    info = tree.get("pipeline_info", {})
    kubernetes = platforms.get("kubernetes", {})
    settings: Mapping[str, Tree] = kubernetes.get("deployment_spec", {}).get("executors", {})
    executors = {
        label: _executor(label, entry, settings.get(label, {}))
        for label, entry in deployment.get("executors", {}).items()
    }
    return Spec(
        name=info.get("name", ""),
        display_name=info.get("display_name", ""),
        description=info.get("description", ""),
        schema_version=tree.get("schema_version", ""),
        sdk_version=tree.get("sdk_version", ""),
        default_pipeline_root=tree.get("default_pipeline_root", ""),
        root=_component("root", tree["root"], "root") if "root" in tree else None,
        components={
            name: _component(name, entry, f"components.{name}") for name, entry in tree.get("components", {}).items()
        },
        executors=executors,
        kubernetes=settings,
        pipeline_config=kubernetes.get("pipelineConfig", {}),
        pipeline_config_document=config_document,
        other_platforms=tuple(name for name in platforms if name not in ("kubernetes", PLATFORM)),
        ignored_platform_specs=tuple(
            f"components.{name}.singlePlatformSpecs"
            for name, entry in tree.get("components", {}).items()
            if entry.get("single_platform_specs")
        ),
    )


def _component(name: str, tree: Tree, path: str) -> Component:
    inputs, outputs = tree.get("input_definitions", {}), tree.get("output_definitions", {})
    into, out = f"{path}.inputDefinitions", f"{path}.outputDefinitions"
    parameters = {
        key: _parameter(entry, f"{into}.parameters.{key}") for key, entry in inputs.get("parameters", {}).items()
    }
    return Component(
        path=path,
        name=name,
        inputs=parameters,
        input_artifacts={
            key: _artifact(entry, f"{into}.artifacts.{key}") for key, entry in inputs.get("artifacts", {}).items()
        },
        outputs={
            key: _parameter(entry, f"{out}.parameters.{key}") for key, entry in outputs.get("parameters", {}).items()
        },
        output_artifacts={
            key: _artifact(entry, f"{out}.artifacts.{key}") for key, entry in outputs.get("artifacts", {}).items()
        },
        dag=_dag(tree["dag"], f"{path}.dag") if "dag" in tree else None,
        executor=tree.get("executor_label", ""),
        passthroughs=tuple(
            Passthrough(entry.get("field", ""), entry.get("apply_to_task", False))
            for entry in tree.get("task_config_passthroughs", [])
        ),
    )


def _parameter(tree: Tree, path: str) -> Parameter:
    declared = tree.get("parameter_type", "")
    if declared in ("", "PARAMETER_TYPE_ENUM_UNSPECIFIED"):
        declared = _LEGACY_TYPES.get(tree.get("type", ""), "")
    return Parameter(
        path=path,
        type=declared,
        default=tree.get("default_value", MISSING),
        optional=tree.get("is_optional", False),
        literals=tuple(tree.get("literals", ())),
        description=tree.get("description", ""),
    )


def _artifact(tree: Tree, path: str) -> Artifact:
    return Artifact(
        path=path,
        type=_artifact_type(tree.get("artifact_type", {})),
        is_list=tree.get("is_artifact_list", False),
        optional=tree.get("is_optional", False),
        metadata=tree.get("metadata", {}),
    )


def _artifact_type(tree: Tree) -> ArtifactType:
    return ArtifactType(
        title=tree.get("schema_title", ""),
        uri=tree.get("schema_uri", ""),
        instance=tree.get("instance_schema", ""),
        version=tree.get("schema_version", ""),
    )


def _dag(tree: Tree, path: str) -> Dag:
    outputs, place = tree.get("outputs", {}), f"{path}.outputs"
    return Dag(
        path=path,
        tasks={name: _task(name, entry, f"{path}.tasks.{name}") for name, entry in tree.get("tasks", {}).items()},
        parameters={
            key: _returned_parameter(entry, f"{place}.parameters.{key}")
            for key, entry in outputs.get("parameters", {}).items()
        },
        artifacts={
            key: _returned_artifact(entry, f"{place}.artifacts.{key}")
            for key, entry in outputs.get("artifacts", {}).items()
        },
    )


def _returned_parameter(tree: Tree, path: str) -> Returned:
    if "value_from_oneof" in tree:
        entries = tree["value_from_oneof"].get("parameter_selectors", [])
        place = f"{path}.valueFromOneof.parameterSelectors"
        selectors = [
            _selector(entry, f"{place}[{index}]", "output_parameter_key") for index, entry in enumerate(entries)
        ]
        return Returned(path, tuple(selectors), one_of=True)
    if "value_from_parameter" in tree:
        selector = _selector(tree["value_from_parameter"], f"{path}.valueFromParameter", "output_parameter_key")
        return Returned(path, (selector,))
    return Returned(path, ())


def _returned_artifact(tree: Tree, path: str) -> Returned:
    entries = tree.get("artifact_selectors", [])
    place = f"{path}.artifactSelectors"
    selectors = [_selector(entry, f"{place}[{index}]", "output_artifact_key") for index, entry in enumerate(entries)]
    return Returned(path, tuple(selectors), one_of=len(selectors) > 1)


def _selector(tree: Tree, path: str, key: str) -> Selector:
    return Selector(path, tree.get("producer_subtask", ""), tree.get(key, ""))


def _task(name: str, tree: Tree, path: str) -> Task:
    inputs, place = tree.get("inputs", {}), f"{path}.inputs"
    trigger, caching = tree.get("trigger_policy", {}), tree.get("caching_options", {})
    return Task(
        path=path,
        name=name,
        display_name=tree.get("task_info", {}).get("name", "") or name,
        component=tree.get("component_ref", {}).get("name", ""),
        parameters={
            key: _input(entry, f"{place}.parameters.{key}") for key, entry in inputs.get("parameters", {}).items()
        },
        artifacts={
            key: _input_artifact(entry, f"{place}.artifacts.{key}")
            for key, entry in inputs.get("artifacts", {}).items()
        },
        dependencies=tuple(dict.fromkeys(tree.get("dependent_tasks", ()))),
        condition=trigger.get("condition", "").strip(),
        on_completion=trigger.get("strategy", "") == "ALL_UPSTREAM_TASKS_COMPLETED",
        loop=_loop(tree, path),
        parallelism=tree.get("iterator_policy", {}).get("parallelism_limit", 0),
        retry=_retry(tree.get("retry_policy"), f"{path}.retryPolicy"),
        caching_given="caching_options" in tree,
        cache=caching.get("enable_cache", False),
        cache_key=caching.get("cache_key", ""),
    )


def _input(tree: Tree, path: str) -> Input:
    selector = tree.get("parameter_expression_selector", "")
    if "component_input_parameter" in tree:
        place = f"{path}.componentInputParameter"
        return Input(path, Source.DAG_INPUT, place, name=tree["component_input_parameter"], selector=selector)
    if "task_output_parameter" in tree:
        output, place = tree["task_output_parameter"], f"{path}.taskOutputParameter"
        name, task = output.get("output_parameter_key", ""), output.get("producer_task", "")
        return Input(path, Source.TASK_OUTPUT, place, name=name, task=task, selector=selector)
    if "task_final_status" in tree:
        task, place = tree["task_final_status"].get("producer_task", ""), f"{path}.taskFinalStatus"
        return Input(path, Source.FINAL_STATUS, place, task=task, selector=selector)
    return _runtime_value(tree.get("runtime_value", {}), path, selector)


def _runtime_value(tree: Tree, path: str, selector: str) -> Input:
    value, runtime_parameter = runtime_value(tree)
    place = f"{path}.runtimeValue"
    if runtime_parameter:
        place = f"{place}.runtimeParameter"
        return Input(path, Source.DAG_INPUT, place, name=runtime_parameter, selector=selector)
    if value is not MISSING:
        place = f"{place}.{'constant' if 'constant' in tree else 'constantValue'}"
        return Input(path, Source.CONSTANT, place, value=value, selector=selector)
    return Input(path, Source.NONE, path, selector=selector)


def runtime_value(tree: Tree) -> tuple[Any, str]:
    """The constant of a ValueOrRuntimeParameter (MISSING if none), and the runtime parameter it names."""
    if "constant" in tree:
        return tree["constant"], ""
    if "constant_value" in tree:
        return next(iter(tree["constant_value"].values()), MISSING), ""
    return MISSING, tree.get("runtime_parameter", "")


def _input_artifact(tree: Tree, path: str) -> Input:
    if "component_input_artifact" in tree:
        place = f"{path}.componentInputArtifact"
        return Input(path, Source.DAG_INPUT, place, name=tree["component_input_artifact"])
    if "task_output_artifact" in tree:
        output, place = tree["task_output_artifact"], f"{path}.taskOutputArtifact"
        name, task = output.get("output_artifact_key", ""), output.get("producer_task", "")
        return Input(path, Source.TASK_OUTPUT, place, name=name, task=task)
    return Input(path, Source.NONE, path)


def _loop(tree: Tree, path: str) -> Loop | None:
    if "parameter_iterator" in tree:
        iterator = tree["parameter_iterator"]
        items = iterator.get("items", {})
        place = f"{path}.parameterIterator"
        return Loop(place, iterator.get("item_input", ""), items.get("raw"), items.get("input_parameter", ""))
    if "artifact_iterator" in tree:
        iterator = tree["artifact_iterator"]
        place = f"{path}.artifactIterator"
        return Loop(place, iterator.get("item_input", ""), artifact=iterator.get("items", {}).get("input_artifact", ""))
    return None


def _retry(tree: Tree | None, path: str) -> Retry | None:
    if tree is None:
        return None
    return Retry(
        path,
        tree.get("max_retry_count", 0),
        tree.get("backoff_duration"),
        tree.get("backoff_factor"),
        tree.get("backoff_max_duration"),
    )


def _executor(label: str, tree: Tree, kubernetes: Tree) -> Executor:
    path = f"deploymentSpec.executors.{label}"
    kind = next((kind for kind in _EXECUTOR_KINDS if kind in tree), "")
    return Executor(
        path=path,
        label=label,
        kind=kind,
        container=_container(tree["container"], f"{path}.container") if kind == "container" else None,
        importer=_importer(tree["importer"]) if kind == "importer" else None,
        kubernetes=kubernetes,
    )


def _container(tree: Tree, path: str) -> Container:
    return Container(
        image=tree.get("image", ""),
        command=tuple(tree.get("command", ())),
        args=tuple(tree.get("args", ())),
        env=tuple((entry.get("name", ""), entry.get("value", "")) for entry in tree.get("env", [])),
        resources=_resources(tree.get("resources", {}), f"{path}.resources"),
        has_lifecycle="lifecycle" in tree,
    )


def _resources(tree: Tree, path: str) -> Resources:
    def quantity(name: str, suffix: str = "") -> str:
        legacy = tree.get(name, 0.0)
        return tree.get(f"resource_{name}", "") or (f"{legacy:.12g}{suffix}" if legacy > 0 else "")

    accelerator = tree.get("accelerator", {})
    count = accelerator.get("count", 0)
    return Resources(
        path=path,
        cpu_request=quantity("cpu_request"),
        cpu_limit=quantity("cpu_limit"),
        memory_request=quantity("memory_request", "G"),
        memory_limit=quantity("memory_limit", "G"),
        accelerator_type=accelerator.get("resource_type", "") or accelerator.get("type", ""),
        accelerator_count=accelerator.get("resource_count", "") or (str(count) if count else ""),
    )


def _importer(tree: Tree) -> Importer:
    uri, name = runtime_value(tree.get("artifact_uri", {}))
    return Importer(
        uri=uri,
        uri_input=name,
        type=_artifact_type(tree.get("type_schema", {})),
        metadata=tree.get("metadata", {}),
        reimport=tree.get("reimport", False),
        to_workspace=tree.get("download_to_workspace", False),
    )
