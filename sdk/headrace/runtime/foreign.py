"""Where user code imports KFP's own SDK in the container: its annotations and artifact classes are read as ours. By name.

Called by `arguments`, `results` and `executing`; nothing of KFP's is imported here.
"""

from __future__ import annotations

import sys
from typing import Any

from headrace.dsl.annotations import EmbeddedInput, Input, InputPath, Output, OutputPath
from headrace.dsl.artifacts import BY_SCHEMA_TITLE, Artifact

_MARKS = {"InputAnnotation": Input, "OutputAnnotation": Output, "EmbeddedAnnotation": EmbeddedInput}
_PATHS = {"InputPath": InputPath, "OutputPath": OutputPath}
_ARTIFACT_MODULE = "kfp.dsl.types.artifact_types"


def ours(annotation: Any) -> Any:
    """ANNOTATION with our marks and paths in place of KFP's."""
    kind = type(annotation)
    if kind.__name__ in _PATHS and not isinstance(annotation, _PATHS[kind.__name__]):
        return _PATHS[kind.__name__](_type_of_path(annotation.type))
    for mark in getattr(annotation, "__metadata__", ()):
        name = getattr(mark, "__name__", "")
        if name in _MARKS and not mark.__module__.startswith("headrace."):
            return _MARKS[name][annotation.__origin__]
    return annotation


def _type_of_path(said: Any) -> Any:
    """KFP keeps `system.Dataset@0.0.1` where the author wrote a class."""
    title = said.partition("@")[0] if isinstance(said, str) else ""
    return BY_SCHEMA_TITLE.get(title, Artifact) if "." in title else said


def is_artifact(value: Any) -> bool:
    """Whether VALUE is an artifact of ours or of KFP's."""
    return isinstance(value, Artifact) or all(
        hasattr(value, name) for name in ("uri", "metadata", "name", "schema_title")
    )


def tell_task_root(folder: str) -> None:
    """`dsl.get_uri` of KFP's own SDK knows the task's folder too."""
    module = sys.modules.get(_ARTIFACT_MODULE)
    if module is not None:
        module.CONTAINER_TASK_ROOT = folder  # type: ignore[attr-defined]
