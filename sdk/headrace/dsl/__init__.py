"""The DSL: what pipeline authors write. Only the names are here; each one's module is imported when the name is first used.

In a task's container `from headrace.dsl import *` gives the names that a component's function uses while it runs, and imports the
runtime-safe modules alone; elsewhere it gives all of them.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from headrace.dsl.annotations import OUTPUT as OUTPUT
    from headrace.dsl.annotations import EmbeddedInput as EmbeddedInput
    from headrace.dsl.annotations import Input as Input
    from headrace.dsl.annotations import Output as Output
    from headrace.dsl.artifacts import HTML as HTML
    from headrace.dsl.artifacts import Artifact as Artifact
    from headrace.dsl.artifacts import ClassificationMetrics as ClassificationMetrics
    from headrace.dsl.artifacts import Dataset as Dataset
    from headrace.dsl.artifacts import Markdown as Markdown
    from headrace.dsl.artifacts import Metrics as Metrics
    from headrace.dsl.artifacts import Model as Model
    from headrace.dsl.artifacts import SlicedClassificationMetrics as SlicedClassificationMetrics
    from headrace.dsl.artifacts import get_uri as get_uri
    from headrace.dsl.channels import Collected as Collected
    from headrace.dsl.channels import OneOf as OneOf
    from headrace.dsl.constants import (
        PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER as PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
    )
    from headrace.dsl.constants import PIPELINE_JOB_ID_PLACEHOLDER as PIPELINE_JOB_ID_PLACEHOLDER
    from headrace.dsl.constants import PIPELINE_JOB_NAME_PLACEHOLDER as PIPELINE_JOB_NAME_PLACEHOLDER
    from headrace.dsl.constants import PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER as PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER
    from headrace.dsl.constants import (
        PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER as PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
    )
    from headrace.dsl.constants import PIPELINE_ROOT_PLACEHOLDER as PIPELINE_ROOT_PLACEHOLDER
    from headrace.dsl.constants import (
        PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER as PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER,
    )
    from headrace.dsl.constants import (
        PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER as PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
    )
    from headrace.dsl.constants import PIPELINE_TASK_ID_PLACEHOLDER as PIPELINE_TASK_ID_PLACEHOLDER
    from headrace.dsl.constants import PIPELINE_TASK_NAME_PLACEHOLDER as PIPELINE_TASK_NAME_PLACEHOLDER
    from headrace.dsl.constants import WORKSPACE_PATH_PLACEHOLDER as WORKSPACE_PATH_PLACEHOLDER
    from headrace.dsl.control_flow import Condition as Condition
    from headrace.dsl.control_flow import Elif as Elif
    from headrace.dsl.control_flow import Else as Else
    from headrace.dsl.control_flow import ExitHandler as ExitHandler
    from headrace.dsl.control_flow import If as If
    from headrace.dsl.control_flow import ParallelFor as ParallelFor
    from headrace.dsl.decorators import component as component
    from headrace.dsl.decorators import container_component as container_component
    from headrace.dsl.decorators import notebook_component as notebook_component
    from headrace.dsl.final_status import PipelineTaskFinalStatus as PipelineTaskFinalStatus
    from headrace.dsl.importers import importer as importer
    from headrace.dsl.notebooks import run_notebook as run_notebook
    from headrace.dsl.path_types import InputPath as InputPath
    from headrace.dsl.path_types import OutputPath as OutputPath
    from headrace.dsl.pipeline_config import KubernetesWorkspaceConfig as KubernetesWorkspaceConfig
    from headrace.dsl.pipeline_config import PipelineConfig as PipelineConfig
    from headrace.dsl.pipeline_config import WorkspaceConfig as WorkspaceConfig
    from headrace.dsl.pipelines import graph_component as graph_component
    from headrace.dsl.pipelines import pipeline as pipeline
    from headrace.dsl.placeholders import ConcatPlaceholder as ConcatPlaceholder
    from headrace.dsl.placeholders import ContainerSpec as ContainerSpec
    from headrace.dsl.placeholders import IfPresentPlaceholder as IfPresentPlaceholder
    from headrace.dsl.task_config import TaskConfig as TaskConfig
    from headrace.dsl.task_config import TaskConfigField as TaskConfigField
    from headrace.dsl.task_config import TaskConfigPassthrough as TaskConfigPassthrough
    from headrace.dsl.tasks import PipelineTask as PipelineTask

RUNTIME: Final = {
    "annotations": ("Input", "Output", "EmbeddedInput", "InputPath", "OutputPath", "OUTPUT"),
    "final_status": ("PipelineTaskFinalStatus",),
    "task_config": ("TaskConfig",),
    "artifacts": (
        "Artifact", "ClassificationMetrics", "Dataset", "HTML", "Markdown", "Metrics", "Model", "SlicedClassificationMetrics",
        "get_uri",
    ),
    "constants": (
        "PIPELINE_JOB_NAME_PLACEHOLDER",
        "PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER",
        "PIPELINE_JOB_ID_PLACEHOLDER",
        "PIPELINE_TASK_NAME_PLACEHOLDER",
        "PIPELINE_TASK_ID_PLACEHOLDER",
        "PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER",
        "PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER",
        "PIPELINE_ROOT_PLACEHOLDER",
        "PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER",
        "PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER",
        "WORKSPACE_PATH_PLACEHOLDER",
    ),
    "notebooks": ("run_notebook",),
}  # fmt: skip
"""What a component's function uses while it runs, by module: the standard library alone behind each."""

DEFINITION: Final = {
    "decorators": ("component", "container_component", "notebook_component"),
    "pipelines": ("pipeline", "graph_component"),
    "importers": ("importer",),
    "placeholders": ("ContainerSpec", "ConcatPlaceholder", "IfPresentPlaceholder"),
    "control_flow": ("Condition", "If", "Elif", "Else", "ExitHandler", "ParallelFor"),
    "channels": ("OneOf", "Collected"),
    "tasks": ("PipelineTask",),
    "pipeline_config": ("PipelineConfig", "WorkspaceConfig", "KubernetesWorkspaceConfig"),
    "task_config": ("TaskConfigField", "TaskConfigPassthrough"),
}
"""What pipelines and components are defined with, by module."""

_MODULE_OF: Final = {name: module for names in (RUNTIME, DEFINITION) for module, all_ in names.items() for name in all_}


def runtime_only() -> bool:
    """Whether this process runs a component's function: the command of a component says so in its environment."""
    return "true" in (os.environ.get("_HEADRACE_RUNTIME"), os.environ.get("_KFP_RUNTIME"))


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used; `__all__` for a star import."""
    if name == "__all__":
        return [each for names in RUNTIME.values() for each in names] if runtime_only() else list(_MODULE_OF)
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'headrace.dsl' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"headrace.dsl.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_MODULE_OF)
