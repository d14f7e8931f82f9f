"""From a definition to a package: runs the passes in their order and puts the documents together. Pure but for one environment
variable that KFP reads too.

Called by the DSL where a pipeline is defined and by `Compiler`; each pass is a module of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from headrace.compiler.binding import Binder
from headrace.compiler.checks import check
from headrace.compiler.crossing import Handed, handed_to_groups
from headrace.compiler.executors import container_ir
from headrace.compiler.interfaces import definitions, interface_ir
from headrace.compiler.merging import merged
from headrace.compiler.ordering import dependencies
from headrace.compiler.package import Package
from headrace.compiler.platforms import PlatformDocument
from headrace.compiler.sources import SameName, Sources, Surfaced
from headrace.compiler.tree import Tree, subgroups
from headrace.compiler.uses import Uses, uses_of
from headrace.dsl.channels import Channel
from headrace.dsl.components import Component, ContainerImplementation, GraphImplementation, ImporterImplementation
from headrace.dsl.definition import PipelineDefinition
from headrace.dsl.groups import ExitHandlerGroup, Group
from headrace.dsl.mistakes import mistake
from headrace.dsl.naming import Taken, dashed
from headrace.dsl.tasks import PipelineTask, TaskSettings

Json = dict[str, Any]

SDK_VERSION: Final = "headrace-0.1.0"
SCHEMA_VERSION: Final = "2.1.0"
NO_CACHING: Final = "KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT"


def compile_definition(definition: PipelineDefinition) -> Package:
    """The package of DEFINITION."""
    check(definition)
    return _Assembly(definition).package()


def compile_component(component: Component) -> Package:
    """The package of COMPONENT alone: a pipeline with the same interface, of one task."""
    implementation = component.implementation
    if isinstance(implementation, GraphImplementation):
        return implementation.package
    name = dashed(component.name)
    interface = interface_ir(component.interface)
    task: Json = {
        "cachingOptions": {"enableCache": True},
        "componentRef": {"name": f"comp-{name}"},
        "taskInfo": {"name": name},
    }
    outputs: Json = {}
    for kind, one in (("Parameter", "parameters"), ("Artifact", "artifacts")):
        for key in interface.get("inputDefinitions", {}).get(one, {}):
            task.setdefault("inputs", {}).setdefault(one, {})[key] = {f"componentInput{kind}": key}
        for key in interface.get("outputDefinitions", {}).get(one, {}):
            producers = ((name, key),)
            outputs.setdefault(one, {})[key] = _dag_output(Surfaced({}, kind == "Artifact", producers))
    root = {**interface, **_passthroughs(implementation), "dag": _dag({name: task}, outputs)}
    executor = _executor(implementation, TaskSettings(), {})
    return Package(
        {
            "components": {
                f"comp-{name}": {**interface, **_passthroughs(implementation), "executorLabel": f"exec-{name}"}
            },
            "deploymentSpec": {"executors": {f"exec-{name}": executor}},
            "pipelineInfo": {"name": name},
            "root": root,
            "schemaVersion": SCHEMA_VERSION,
            "sdkVersion": SDK_VERSION,
        }
    )


def caching_by_default() -> bool:
    """Whether tasks are cached that do not say."""
    return os.environ.get(NO_CACHING, "").strip().lower() not in {"1", "true", "t", "yes", "y", "on"}


class _Assembly:
    """The documents of one pipeline, as far as they are built."""

    def __init__(self, definition: PipelineDefinition) -> None:
        self._definition = definition
        self._tree = Tree(definition)
        self._uses: dict[PipelineTask, Uses] = {task: uses_of(task) for task in definition.tasks.values()}
        self._sources, self._handed = _with_names(definition, self._tree, self._uses)
        self._waits = dependencies(self._tree, self._sources, self._uses)
        self._returned = {name: self._sources.of(one, (self._tree.root,)) for name, one in definition.outputs.items()}
        self._caching = caching_by_default()
        self._components: dict[str, Json] = {}
        self._executors: dict[str, Json] = {}
        self._component_names = Taken()
        self._executor_names = Taken()
        self._platform = PlatformDocument(definition.config)
        self._tasks: dict[Group, dict[str, Json]] = {group: {} for group in self._tree.groups}
        self._interfaces: dict[int, Json] = {}  # by the interface, which its component keeps alive

    def package(self) -> Package:
        for group in self._tree.groups:
            binder = self._binder(group)
            for child in subgroups(group):
                self._add_group(binder, group, child)
            for task in self._tree.tasks(group):
                self._add_task(binder, group, task, None)
        for task, handler in self._tree.exit_tasks.items():
            group = self._tree.path_of(handler)[-1]
            self._add_task(self._binder(group), group, task, handler)
        return Package(self._spec(), self._platform.document())

    def _binder(self, group: Group) -> Binder:
        return Binder(self._sources, self._tree.paths[group], self._waits, self._caching)

    def _spec(self) -> Json:
        definition = self._definition
        info = {"name": definition.name}
        if definition.display_name:
            info["displayName"] = definition.display_name
        if definition.description:
            info["description"] = definition.description
        outputs: Json = {}
        for name, source in self._returned.items():
            producers = ((source.producer, source.key),)
            output = _dag_output(Surfaced({}, source.artifact, producers))
            outputs.setdefault("artifacts" if source.artifact else "parameters", {})[name] = output
        spec: Json = {
            "components": self._components,
            "deploymentSpec": {"executors": self._executors},
            "pipelineInfo": info,
            "root": {**interface_ir(definition.interface), "dag": _dag(self._tasks[self._tree.root], outputs)},
            "schemaVersion": SCHEMA_VERSION,
            "sdkVersion": SDK_VERSION,
        }
        if definition.pipeline_root:
            spec["defaultPipelineRoot"] = definition.pipeline_root
        return spec

    def _add_group(self, binder: Binder, parent: Group, group: Group) -> None:
        handed = self._handed[group]
        surfaced = self._sources.surfaced.get(group, {})
        spec: Json = {}
        if handed:
            spec["inputDefinitions"] = definitions({name: source.definition for name, source in handed.items()})
        outputs: Json = {}
        if surfaced:
            spec["outputDefinitions"] = definitions({name: one.definition for name, one in surfaced.items()})
            for name, one in surfaced.items():
                outputs.setdefault("artifacts" if one.artifact else "parameters", {})[name] = _dag_output(one)
        spec["dag"] = _dag(self._tasks[group], outputs)
        component = self._component_names.take(f"comp-{dashed(group.name)}")
        self._components[component] = spec
        self._tasks[parent][group.name] = binder.group(group, component, handed)

    def _add_task(self, binder: Binder, parent: Group, task: PipelineTask, ends: ExitHandlerGroup | None) -> None:
        uses = self._uses[task]
        if isinstance(task.component.implementation, GraphImplementation):
            spec = self._take_over(task, task.component.implementation)
        else:
            spec = self._primitive(binder, task, uses, task.component.implementation)
        component = self._component_names.take(f"comp-{dashed(task.name)}")
        self._components[component] = spec
        self._tasks[parent][task.name] = binder.task(task, uses, component, ends)

    def _primitive(
        self,
        binder: Binder,
        task: PipelineTask,
        uses: Uses,
        implementation: ContainerImplementation | ImporterImplementation,
    ) -> Json:
        label = self._executor_names.take(f"exec-{dashed(task.name)}")
        self._executors[label] = _executor(implementation, task.settings, binder.placeholders(uses))
        if isinstance(implementation, ContainerImplementation):
            for platform, settings in implementation.platform.items():
                self._platform.add(platform, label, settings)
        if task.platform_config:
            from headrace.kubernetes.documents import spelled  # only those who set something pay for it

            for platform, settings in task.platform_config.items():
                self._platform.add(platform, label, spelled(settings, binder.reference))
        interface = task.component.interface
        if id(interface) not in self._interfaces:
            self._interfaces[id(interface)] = interface_ir(interface)
        return {**self._interfaces[id(interface)], **_passthroughs(implementation), "executorLabel": label}

    def _take_over(self, task: PipelineTask, implementation: GraphImplementation) -> Json:
        if task.platform_config:
            raise mistake(
                f"{task.name!r} is a whole pipeline, and {', '.join(sorted(task.platform_config))} settings are for single "
                "containers; set them on the tasks inside it.",
                task.where,
            )
        root, components, executors, platforms = merged(
            implementation.package, self._component_names, self._executor_names
        )
        self._components.update(components)
        self._executors.update(executors)
        for platform, labels in platforms.items():
            for label, settings in labels.items():
                self._platform.add(platform, label, settings)
        return root


def _with_names(
    definition: PipelineDefinition, tree: Tree, uses: Mapping[PipelineTask, Uses]
) -> tuple[Sources, Handed]:
    """Where values come from and what groups are handed, where each value has a name that no other has beside it."""
    renamed: list[Channel] = []
    while True:
        sources = Sources(tree, renamed)
        try:
            handed = handed_to_groups(tree, sources, uses)
            for channel in definition.outputs.values():
                sources.of(channel, (tree.root,))
        except SameName as found:
            renamed.append(found.channel)
        else:
            return sources, handed


def _executor(
    implementation: ContainerImplementation | ImporterImplementation,
    settings: TaskSettings,
    placeholders: Mapping[str, Mapping[str, str]],
) -> Json:
    if isinstance(implementation, ImporterImplementation):
        return {"importer": implementation.importer}
    return {"container": container_ir(implementation.container, settings, placeholders)}


def _passthroughs(implementation: ContainerImplementation | ImporterImplementation) -> Json:
    if isinstance(implementation, ContainerImplementation) and implementation.task_config_passthroughs:
        return {"taskConfigPassthroughs": [dict(one) for one in implementation.task_config_passthroughs]}
    return {}


def _dag(tasks: Json, outputs: Json) -> Json:
    return {"tasks": tasks, "outputs": outputs} if outputs else {"tasks": tasks}


def _dag_output(output: Surfaced) -> Json:
    """Which outputs of which tasks of the DAG become OUTPUT."""
    if output.artifact:
        return {
            "artifactSelectors": [{"outputArtifactKey": key, "producerSubtask": task} for task, key in output.producers]
        }
    selectors = [{"outputParameterKey": key, "producerSubtask": task} for task, key in output.producers]
    return (
        {"valueFromOneof": {"parameterSelectors": selectors}} if output.one_of else {"valueFromParameter": selectors[0]}
    )
