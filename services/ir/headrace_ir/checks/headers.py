"""What stands at the top of a spec, and the interfaces and kinds of its components."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from headrace_ir.checks.kinds import default_mismatch, value_mismatch
from headrace_ir.checks.scopes import all_components
from headrace_ir.model import Component, Parameter, Spec
from headrace_ir.problems import Problem, hint
from headrace_ir.schema import describe

SCHEMA_VERSION = "2.1.0"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
_MAX_TEXT = 1024
_NOT_A_FILE = re.compile(r"[/\x00-\x1f\x7f]")
_MAX_NAME = 200


def check(spec: Spec) -> Iterator[Problem]:
    yield from _info(spec)
    yield from _version(spec)
    if spec.root is None:
        yield Problem("root", "required: the pipeline itself, a component with a 'dag'")
    elif spec.root.dag is None:
        yield Problem("root", "must be a DAG: a pipeline starts with tasks, not with an executor")
    if "root" in spec.components:
        yield Problem("components.root", "the name 'root' is taken by the pipeline itself; rename this component")
    for component in all_components(spec):
        yield from _component(spec, component)
    if spec.root is not None:
        for name, parameter in spec.root.inputs.items():
            if parameter.type == "TASK_FINAL_STATUS" and parameter.required:
                message = (
                    f"'{name}' is a TASK_FINAL_STATUS, which no run can be given: make it optional, or leave it out"
                )
                yield Problem(f"{parameter.path}.parameterType", message)
    root = spec.default_pipeline_root
    if root and "://" not in root and not root.startswith("{{$"):
        yield Problem("defaultPipelineRoot", f"expected a URI such as 's3://bucket/folder', got {describe(root)}")


def _info(spec: Spec) -> Iterator[Problem]:
    if not spec.name:
        yield Problem("pipelineInfo.name", "required: the name of the pipeline")
    elif not _NAME.fullmatch(spec.name):
        expected = "lower-case letters, digits and '-', not starting with '-', at most 128 characters"
        yield Problem("pipelineInfo.name", f"'{spec.name[:130]}' is not a valid name: expected {expected}")
    for field, text in (("displayName", spec.display_name), ("description", spec.description)):
        if len(text) > _MAX_TEXT:
            yield Problem(f"pipelineInfo.{field}", f"is {len(text)} characters long; at most {_MAX_TEXT} are kept")


def _version(spec: Spec) -> Iterator[Problem]:
    if not spec.schema_version:
        yield Problem("schemaVersion", f"required: '{SCHEMA_VERSION}'")
    elif spec.schema_version != SCHEMA_VERSION:
        advice = "compile the pipeline with KFP SDK 2 or later"
        yield Problem("schemaVersion", f"expected '{SCHEMA_VERSION}', got '{spec.schema_version}'; {advice}")


def _component(spec: Spec, component: Component) -> Iterator[Problem]:
    if component.dag is not None:
        if not component.dag.tasks:
            yield Problem(f"{component.path}.dag.tasks", "a DAG needs at least one task")
    elif component.executor:
        if component.executor not in spec.executors:
            end = hint(component.executor, spec.executors, kind="executors")
            yield Problem(f"{component.path}.executorLabel", f"unknown executor '{component.executor}'; {end}")
    elif component is not spec.root:
        yield Problem(component.path, "expected a 'dag' or an 'executorLabel'")
    for parameter in component.inputs.values():
        yield from _parameter(parameter)
    yield from _file_names({name: declared.path for name, declared in component.outputs.items()})
    for artifacts in (component.output_artifacts, component.input_artifacts):
        yield from _file_names({name: declared.path for name, declared in artifacts.items()})
    for parameter in component.outputs.values():
        if not parameter.type:
            yield Problem(f"{parameter.path}.parameterType", "required: the type of the parameter")


def _parameter(parameter: Parameter) -> Iterator[Problem]:
    if not parameter.type and not parameter.open:
        yield Problem(f"{parameter.path}.parameterType", "required: the type of the parameter")
        return
    mismatch = default_mismatch(parameter)
    if mismatch:
        yield Problem(f"{parameter.path}.defaultValue", mismatch)
    for index, literal in enumerate(parameter.literals):
        mismatch = value_mismatch(parameter.type, literal)
        if mismatch:
            yield Problem(f"{parameter.path}.literals[{index}]", mismatch)


def _file_names(paths: Mapping[str, str]) -> Iterator[Problem]:
    """Names of outputs and artifacts become names of files and parts of URIs."""
    for name, path in paths.items():
        if _NOT_A_FILE.search(name) or name in (".", "..") or len(name) > _MAX_NAME:
            expected = f"at most {_MAX_NAME} characters without '/', because files are called after it"
            yield Problem(path, f"expected a name of {expected}")
