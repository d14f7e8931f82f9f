"""Labels and annotations of the task's Pod."""

from __future__ import annotations

from headrace.dsl.tasks import PipelineTask
from headrace.kubernetes.settings import settings, text


def add_pod_label(task: PipelineTask, label_key: str, label_value: str) -> PipelineTask:
    """Set a label of the Pod; a second call with the same key replaces its value."""
    return _set(task, "add_pod_label", "labels", ("label_key", label_key), ("label_value", label_value))


def add_pod_annotation(task: PipelineTask, annotation_key: str, annotation_value: str) -> PipelineTask:
    """Set an annotation of the Pod; a second call with the same key replaces its value."""
    key, value = ("annotation_key", annotation_key), ("annotation_value", annotation_value)
    return _set(task, "add_pod_annotation", "annotations", key, value)


def _set(task: PipelineTask, function: str, field: str, key: tuple[str, str], value: tuple[str, str]) -> PipelineTask:
    pair = {text(key[1], function, key[0]): text(value[1], function, value[0])}
    settings(task, function).setdefault("podMetadata", {}).setdefault(field, {}).update(pair)
    return task
