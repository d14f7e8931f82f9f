"""What a component's function is called with, from its annotations and the ExecutorInput.

An annotation that cannot be evaluated in this container counts for what its text and the ExecutorInput say. Called by
`executing`; `results` reads the artifacts that were handed out.
"""

from __future__ import annotations

import inspect
import json
import os
import typing
from collections.abc import Callable
from typing import Any

from headrace.dsl.annotations import Read, read
from headrace.dsl.artifacts import BY_SCHEMA_TITLE, Artifact
from headrace.runtime.foreign import ours
from headrace.runtime.mistakes import TaskMistake
from headrace.runtime.task_input import Json, TaskInput

_NOTHING: Any = object()
_STATUS, _CONFIG = "PipelineTaskFinalStatus", "TaskConfig"
ASSET_FILE, ASSET_FOLDER = (
    "__KFP_EMBEDDED_ASSET_FILE",
    "__KFP_EMBEDDED_ASSET_DIR",
)  # KFP's names: user code may read them


class OutputList(list):  # type: ignore[type-arg] # of artifacts
    """What the function gets for a list of output artifacts: it appends to it. Attributes are those of the one that the
    platform planned, which is what is put out where nothing is appended.
    """

    def __init__(self, planned: Any) -> None:
        super().__init__()
        self.planned = planned

    def __getattr__(self, name: str) -> Any:
        return getattr(self.planned, name)


class Arguments:
    """The arguments of one call. `outputs`: the artifacts, or lists of them, that the function was handed to fill."""

    def __init__(self, function: Callable[..., Any], task: TaskInput) -> None:
        self.name = getattr(function, "__name__", "the component")
        self._globals = getattr(inspect.unwrap(function), "__globals__", {})
        self._signature = inspect.signature(function)
        self._task = task
        self.returns = self.evaluated(self._signature.return_annotation)
        self.outputs: dict[str, Any] = {}

    def by_name(self) -> dict[str, Any]:
        """A value for each parameter that has one."""
        variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        wanted = [each for each in self._signature.parameters.values() if each.kind not in variable]
        found = {each.name: self._argument(each) for each in wanted}
        self._plan_the_rest()
        return {name: value for name, value in found.items() if value is not _NOTHING}

    def evaluated(self, annotation: Any) -> Any:
        """What ANNOTATION means; its text where it means nothing here."""
        if isinstance(annotation, typing.ForwardRef):
            annotation = annotation.__forward_arg__
        if not isinstance(annotation, str):
            return annotation
        try:
            value = eval(annotation, self._globals)  # noqa: S307 - the component's own text, as Python would evaluate it
        except Exception:  # noqa: BLE001 - whatever it raises, the function can still be called
            return annotation
        return self.evaluated(value) if isinstance(value, str) and value != annotation else value

    def artifact(self, entry: Json, annotation: type | None) -> Any:
        """The artifact of a RuntimeArtifact: of the class that its type names, of the annotation's where that says more."""
        named = BY_SCHEMA_TITLE.get((entry.get("type") or {}).get("schemaTitle", ""))
        kind: Any = annotation or named or Artifact
        if named is not None and annotation is not None and not issubclass(annotation, named):
            kind = named if issubclass(annotation, Artifact) else annotation
        fields = {"uri": entry.get("uri", ""), "name": entry.get("name", ""), "metadata": entry.get("metadata") or {}}
        made = kind._from_executor_fields(**fields) if hasattr(kind, "_from_executor_fields") else kind(**fields)
        custom = entry.get("customPath") or entry.get("custom_path")
        if custom:
            made.custom_path = custom
        return made

    def _argument(self, parameter: inspect.Parameter) -> Any:
        annotation = self.evaluated(parameter.annotation)
        if annotation is inspect.Parameter.empty or isinstance(annotation, str):
            return self._by_text(parameter, "" if not isinstance(annotation, str) else annotation)
        meaning = read(ours(annotation))
        name = parameter.name
        if meaning.marker == "embedded":
            return self._embedded(name, meaning)
        if meaning.marker == "output path":
            return self._output_path(name, meaning)
        if meaning.marker == "output":
            return self._output(name, meaning)
        if meaning.is_artifact or meaning.marker in ("input", "input path"):
            return self._input(parameter, meaning)
        return self._parameter(parameter, meaning)

    def _by_text(self, parameter: inspect.Parameter, text: str) -> Any:
        """The argument where the annotation means nothing here: what the task has under this name."""
        name, task = parameter.name, self._task
        artifact: Any = Artifact
        is_list = "list[" in text.lower()
        meaning = Read(artifact, optional="Optional[" in text or "None" in text, is_list=is_list, is_artifact=True)
        if name in task.output_artifacts:
            found = self._output(name, meaning)
            return found.path if "OutputPath" in text else found
        if name in task.output_files:
            return self._output_path(name, Read(str, "output path"))
        if name in task.input_artifacts:
            found = self._input(parameter, meaning)
            return found.path if "InputPath" in text and found is not None else found
        return self._parameter(parameter, Read(None, optional=meaning.optional))

    def _parameter(self, parameter: inspect.Parameter, meaning: Read) -> Any:
        value = self._task.parameters.get(parameter.name, _NOTHING)
        kind = getattr(meaning.type, "__name__", "")
        if kind == _CONFIG:
            return _task_config(meaning.type, value if value is not _NOTHING else {})
        if value is _NOTHING:
            return self._missing(parameter, meaning)
        if kind == _STATUS:
            return _final_status(meaning.type, value)
        if meaning.type is int and isinstance(value, float) and value.is_integer():
            return int(value)  # platforms that know no integers write 3.0
        if isinstance(value, dict) and isinstance(meaning.type, type):
            return _validated(meaning.type, value)
        return value

    def _missing(self, parameter: inspect.Parameter, meaning: Read) -> Any:
        if parameter.default is not inspect.Parameter.empty:
            return _NOTHING
        if meaning.optional:
            return None
        raise TaskMistake(
            f"the input {parameter.name!r} of {self.name!r} was not given: pass it where the task is made, "
            "or give the parameter a default"
        )

    def _input(self, parameter: inspect.Parameter, meaning: Read) -> Any:
        name = parameter.name
        if not meaning.is_artifact:  # InputPath of a parameter: its value in a file
            value = self._task.parameters.get(name, _NOTHING)
            return self._missing(parameter, meaning) if value is _NOTHING else self._in_a_file(name, value)
        entries = self._task.input_artifacts.get(name)
        wanted = not meaning.optional and parameter.default is inspect.Parameter.empty
        if meaning.is_list and (entries is not None or wanted):
            return [self.artifact(entry, meaning.type) for entry in entries or ()]
        if not entries:
            return self._missing(parameter, meaning)
        artifact = self.artifact(entries[0], meaning.type)
        return artifact.path if meaning.marker == "input path" else artifact

    def _in_a_file(self, name: str, value: Any) -> str:
        path = os.path.join(os.path.dirname(self._task.output_file), "inputs", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(value if isinstance(value, str) else json.dumps(value))
        return path

    def _output(self, name: str, meaning: Read) -> Any:
        entries = self._task.output_artifacts.get(name)
        if not entries:
            raise TaskMistake(
                f"the platform planned no output artifact {name!r} for {self.name!r}: compile the pipeline again"
            )
        planned = self.artifact(entries[0], meaning.type)
        os.makedirs(os.path.dirname(planned.path) or ".", exist_ok=True)
        self.outputs[name] = OutputList(planned) if meaning.is_list else planned
        return self.outputs[name]

    def _output_path(self, name: str, meaning: Read) -> Any:
        if meaning.is_artifact:
            return self._output(name, meaning).path
        path = self._task.output_files.get(name)
        if path:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        return path

    def _embedded(self, name: str, meaning: Read) -> Any:
        place = self._globals.get(ASSET_FILE) or self._globals.get(ASSET_FOLDER)
        if not place:
            raise TaskMistake(
                f"{self.name!r} takes the embedded artifact {name!r}, but its command brings none along: "
                "give its decorator embedded_artifact_path"
            )
        artifact = (meaning.type if meaning.is_artifact else Artifact)()
        artifact.path = place
        return artifact

    def _plan_the_rest(self) -> None:
        """Output artifacts that no parameter takes: those that the function returns."""
        for name, entries in self._task.output_artifacts.items():
            if name not in self.outputs and entries:
                planned = self.artifact(entries[0], None)
                os.makedirs(os.path.dirname(planned.path) or ".", exist_ok=True)
                self.outputs[name] = planned


def _final_status(kind: Any, value: Json) -> Any:
    """Both spellings of the keys are in use."""
    error = value.get("error") or {}
    return kind(
        state=value.get("state"),
        pipeline_job_resource_name=value.get("pipelineJobResourceName", value.get("pipeline_job_resource_name")),
        pipeline_task_name=value.get("pipelineTaskName", value.get("pipeline_task_name")),
        error_code=error.get("code"),
        error_message=error.get("message"),
    )


def _task_config(kind: Any, value: Json) -> Any:
    names = {"node_selector": "nodeSelector", "volume_mounts": "volumeMounts"}
    fields = ("affinity", "tolerations", "node_selector", "env", "volumes", "volume_mounts", "resources")
    return kind(**{name: value.get(names.get(name, name)) for name in fields})


def _validated(kind: type, value: Json) -> Any:
    """VALUE as the pydantic model that the author asks for (1 or 2); itself for any other class."""
    validate = getattr(kind, "model_validate", None) or getattr(kind, "parse_obj", None)
    return validate(value) if validate is not None else value
