"""Makers of compiled pipelines (PipelineSpec as JSON objects in camelCase) for tests.

    train = container(["python", "train.py"], inputs={"lr": "NUMBER_DOUBLE"}, outputs={"Output": "STRING"})
    flow = pipeline("demo").input("lr", "NUMBER_DOUBLE", default=0.1)
    flow.task("train", train, {"lr": dag_input("lr")})
    flow.task("report", report, {"text": output("train")}, when="inputs.parameter_values['text'] == 'good'")
    document = flow.build()

A plain value given to a task is a constant; `dag_input`, `output`, `artifact`, `artifact_input` and `final_status` are
references. `dependentTasks` holds only what `after` names, so that implicit dependencies are exercised. Nothing is
checked here on purpose: wrong specs are made with the same tools (`.raw` on a task, or editing the built dictionary).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

Json = dict[str, Any]


@dataclass(frozen=True)
class Reference:
    """Where a task's input comes from: the IR text of the source, and whether it is an artifact."""

    source: Json
    is_artifact: bool = False

    def selecting(self, expression: str) -> Reference:
        return Reference({**self.source, "parameterExpressionSelector": expression}, self.is_artifact)

    def field(self, name: str) -> Reference:
        return self.selecting(f'parseJson(string_value)["{name}"]')


def dag_input(name: str) -> Reference:
    return Reference({"componentInputParameter": name})


def artifact_input(name: str) -> Reference:
    return Reference({"componentInputArtifact": name}, is_artifact=True)


def output(task: str, key: str = "Output") -> Reference:
    return Reference({"taskOutputParameter": {"producerTask": task, "outputParameterKey": key}})


def artifact(task: str, key: str = "artifact") -> Reference:
    return Reference({"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": key}}, is_artifact=True)


def final_status(task: str) -> Reference:
    return Reference({"taskFinalStatus": {"producerTask": task}})


def constant(value: Any) -> Reference:
    return Reference({"runtimeValue": {"constant": value}})


@dataclass(eq=False)
class Component:
    """A component of any kind: its interface, and the executor if it has one."""

    inputs: Json = field(default_factory=dict)
    input_artifacts: Json = field(default_factory=dict)
    outputs: Json = field(default_factory=dict)
    output_artifacts: Json = field(default_factory=dict)
    executor: Json | None = None
    kubernetes: Json | None = None

    def input(
        self,
        name: str,
        type_: str = "STRING",
        *,
        default: Any = ...,
        optional: bool = False,
        literals: list[Any] | None = None,
    ) -> Self:
        definition: Json = {"parameterType": type_}
        if default is not ...:
            definition |= {"defaultValue": default, "isOptional": True}
        if optional:
            definition["isOptional"] = True
        if literals:
            definition["literals"] = literals
        self.inputs[name] = definition
        return self

    def input_artifact(
        self, name: str, type_: str = "system.Artifact", *, as_list: bool = False, optional: bool = False
    ) -> Self:
        self.input_artifacts[name] = _artifact_type(type_)
        if as_list:
            self.input_artifacts[name]["isArtifactList"] = True
        if optional:
            self.input_artifacts[name]["isOptional"] = True
        return self

    def output(self, name: str = "Output", type_: str = "STRING") -> Self:
        self.outputs[name] = {"parameterType": type_}
        return self

    def output_artifact(self, name: str = "artifact", type_: str = "system.Artifact", *, as_list: bool = False) -> Self:
        self.output_artifacts[name] = _artifact_type(type_)
        if as_list:
            self.output_artifacts[name]["isArtifactList"] = True
        return self

    def interface(self) -> Json:
        result: Json = {}
        for key, parameters, artifacts in (
            ("inputDefinitions", self.inputs, self.input_artifacts),
            ("outputDefinitions", self.outputs, self.output_artifacts),
        ):
            definitions = {name: part for name, part in (("parameters", parameters), ("artifacts", artifacts)) if part}
            if definitions:
                result[key] = definitions
        return result


def _artifact_type(title: str) -> Json:
    return {"artifactType": {"schemaTitle": title, "schemaVersion": "0.0.1"}}


def container(
    command: list[str] | None = None,
    args: list[str] | None = None,
    *,
    image: str = "python:3.11",
    inputs: dict[str, str] | None = None,
    outputs: dict[str, str] | None = None,
    input_artifacts: dict[str, str] | None = None,
    output_artifacts: dict[str, str] | None = None,
    env: dict[str, str] | None = None,
    resources: Json | None = None,
    kubernetes: Json | None = None,
) -> Component:
    """A component that runs a command; types are given by name. Use `.input(…)` for defaults and optional inputs."""
    spec: Json = {"image": image, "command": ["echo"] if command is None else command}
    if args:
        spec["args"] = args
    if env:
        spec["env"] = [{"name": name, "value": value} for name, value in env.items()]
    if resources:
        spec["resources"] = resources
    made = Component(executor={"container": spec}, kubernetes=kubernetes)
    for name, type_ in (inputs or {}).items():
        made.input(name, type_)
    for name, type_ in (outputs or {}).items():
        made.output(name, type_)
    for name, type_ in (input_artifacts or {}).items():
        made.input_artifact(name, type_)
    for name, type_ in (output_artifacts or {}).items():
        made.output_artifact(name, type_)
    return made


def importer(
    uri: str | None = None, *, type_: str = "system.Dataset", metadata: Json | None = None, reimport: bool = False
) -> Component:
    """An importer of `uri`, or of the value of its input `uri` where none is given; its output is `artifact`."""
    source: Json = {"constant": uri} if uri is not None else {"runtimeParameter": "uri"}
    spec: Json = {
        "artifactUri": source,
        "typeSchema": {"schemaTitle": type_, "schemaVersion": "0.0.1"},
        "reimport": reimport,
    }
    if metadata is not None:
        spec["metadata"] = metadata
    return Component(executor={"importer": spec}).input("uri").output_artifact("artifact", type_)


@dataclass(eq=False)
class Dag(Component):
    """A component made of tasks; `pipeline` makes the root one."""

    tasks: dict[str, tuple[Component, Json]] = field(default_factory=dict)
    returned: Json = field(default_factory=dict)
    returned_artifacts: Json = field(default_factory=dict)

    def task(
        self,
        name: str,
        component: Component,
        given: Json | None = None,
        *,
        after: list[str] | None = None,
        when: str | None = None,
        on_completion: bool = False,
        cache: bool | None = None,
        cache_key: str = "",
        retry: Json | None = None,
        items: str | None = None,
        over: str | None = None,
        over_artifacts: str | None = None,
        item: str = "item",
        parallelism: int = 0,
        raw: Json | None = None,
    ) -> Self:
        """Add a task. `items` (JSON text), `over` (an input) or `over_artifacts` make it a loop that feeds `item`."""
        spec: Json = {"taskInfo": {"name": name}}
        parameters = {key: _source(value) for key, value in (given or {}).items() if not _is_artifact(value)}
        artifacts = {key: value.source for key, value in (given or {}).items() if _is_artifact(value)}
        inputs = {kind: part for kind, part in (("parameters", parameters), ("artifacts", artifacts)) if part}
        trigger: Json = {"condition": when} if when is not None else {}
        if on_completion:
            trigger["strategy"] = "ALL_UPSTREAM_TASKS_COMPLETED"
        caching: Json = {} if cache is None and not cache_key else {"enableCache": bool(cache)}
        if cache_key:
            caching["cacheKey"] = cache_key
        optional = {
            "inputs": inputs,
            "dependentTasks": after,
            "triggerPolicy": trigger,
            "cachingOptions": caching,
            "retryPolicy": retry,
            "iteratorPolicy": {"parallelismLimit": parallelism} if parallelism else {},
        }
        spec |= {key: value for key, value in optional.items() if value}
        if items is not None:
            spec["parameterIterator"] = {"items": {"raw": items}, "itemInput": item}
        if over is not None:
            spec["parameterIterator"] = {"items": {"inputParameter": over}, "itemInput": item}
        if over_artifacts is not None:
            spec["artifactIterator"] = {"items": {"inputArtifact": over_artifacts}, "itemInput": item}
        self.tasks[name] = (component, spec | (raw or {}))
        return self

    def returns(self, name: str, task: str, key: str = "Output", *, type_: str = "STRING") -> Self:
        self.output(name, type_)
        self.returned[name] = {"valueFromParameter": {"producerSubtask": task, "outputParameterKey": key}}
        return self

    def returns_one_of(self, name: str, *choices: tuple[str, str], type_: str = "STRING") -> Self:
        self.output(name, type_)
        selectors = [{"producerSubtask": task, "outputParameterKey": key} for task, key in choices]
        self.returned[name] = {"valueFromOneof": {"parameterSelectors": selectors}}
        return self

    def returns_artifact(
        self, name: str, *choices: tuple[str, str], type_: str = "system.Artifact", as_list: bool = False
    ) -> Self:
        self.output_artifact(name, type_, as_list=as_list)
        selectors = [{"producerSubtask": task, "outputArtifactKey": key} for task, key in choices]
        self.returned_artifacts[name] = {"artifactSelectors": selectors}
        return self


@dataclass(eq=False)
class Pipeline(Dag):
    """The root of a spec: `build()` gives the whole document, `platform()` the platform document or None."""

    name: str = "pipeline"
    extra: Json = field(default_factory=dict)
    pipeline_config: Json | None = None

    def build(self) -> Json:
        return self._assemble()[0]

    def platform(self) -> Json | None:
        return self._assemble()[1]

    def _assemble(self) -> tuple[Json, Json | None]:
        names: dict[int, str] = {}
        components: Json = {}
        executors: Json = {}
        kubernetes: Json = {}

        def register(component: Component, task: str) -> str:
            if id(component) in names:
                return names[id(component)]
            name, suffix = f"comp-{task}", 2
            while name in names.values():
                name, suffix = f"comp-{task}-{suffix}", suffix + 1
            names[id(component)] = name
            components[name] = body(component, name.replace("comp-", "exec-", 1))
            return name

        def body(component: Component, label: str) -> Json:
            result = component.interface()
            if isinstance(component, Dag):
                result["dag"] = {
                    "tasks": {
                        key: {"componentRef": {"name": register(part, key)}} | spec
                        for key, (part, spec) in component.tasks.items()
                    }
                }
                outputs = {"parameters": component.returned, "artifacts": component.returned_artifacts}
                outputs = {kind: part for kind, part in outputs.items() if part}
                if outputs:
                    result["dag"]["outputs"] = outputs
            else:
                result["executorLabel"] = label
                executors[label] = component.executor
                if component.kubernetes is not None:
                    kubernetes[label] = component.kubernetes
            return result

        document: Json = {
            "pipelineInfo": {"name": self.name},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.3",
            "root": body(self, ""),
            "components": components,
            "deploymentSpec": {"executors": executors},
        }
        return document | self.extra, _platform(kubernetes, self.pipeline_config)


def _platform(executors: Json, config: Json | None) -> Json | None:
    if not executors and config is None:
        return None
    kubernetes: Json = {}
    if executors:
        kubernetes["deploymentSpec"] = {"executors": executors}
    if config is not None:
        kubernetes["pipelineConfig"] = config
    return {"platforms": {"kubernetes": kubernetes}}


def pipeline(name: str = "pipeline", *, config: Json | None = None, **extra: Any) -> Pipeline:
    """The root DAG; `extra` are further top-level fields of the document, such as `defaultPipelineRoot`."""
    return Pipeline(name=name, pipeline_config=config, extra=extra)


def dag(inputs: dict[str, str] | None = None) -> Dag:
    """A DAG component, for groups, loops and nested pipelines."""
    made = Dag()
    for name, type_ in (inputs or {}).items():
        made.input(name, type_)
    return made


def _is_artifact(value: Any) -> bool:
    return isinstance(value, Reference) and value.is_artifact


def _source(value: Any) -> Json:
    return value.source if isinstance(value, Reference) else constant(value).source
