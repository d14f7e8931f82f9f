"""Artifact classes: what a component's function is handed and hands back. Runtime-safe: the standard library alone.

A URI maps to a path in the container and back; what the platform does with the files is the companion's work.
"""

from __future__ import annotations

import os
import warnings
from contextvars import ContextVar
from typing import Any, Final

from headrace.dsl.constants import WORKSPACE_MOUNT_PATH

MOUNTS: Final = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/", "oci://": "/oci/"}
"""Where each store's artifacts lie in a container."""

Metadata = dict[str, Any]


class Artifact:
    """Any artifact. `uri`: where it is stored; `path`: its file or folder here; `metadata`: kept with the record of it."""

    schema_title = "system.Artifact"
    schema_version = "0.0.1"

    def __init__(self, name: str | None = None, uri: str | None = None, metadata: Metadata | None = None) -> None:
        self.name = name or ""
        self.uri = uri or ""
        self.metadata: Metadata = metadata or {}
        self._custom_path = ""

    @property
    def path(self) -> str:
        """The file or folder in this container. Assigning one moves the artifact: its URI changes."""
        return self._local_path()

    @path.setter
    def path(self, path: str) -> None:
        self.uri = uri_of(path)

    @property
    def custom_path(self) -> str:
        """The path that the author chose in place of the platform's; the URI stays."""
        return self._custom_path

    @custom_path.setter
    def custom_path(self, path: str) -> None:
        self._custom_path = path

    def set_path(self, path: str) -> None:
        """Has the platform read this artifact from PATH, or write it there; the URI stays."""
        self._custom_path = path

    def _local_path(self) -> str:
        path = self._custom_path or path_of(self.uri)
        if self.metadata.get("_kfp_workspace") is True:
            return os.path.join(WORKSPACE_MOUNT_PATH, ".artifacts", path.lstrip("/"))
        return path

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, uri={self.uri!r}, metadata={self.metadata!r})"


def path_of(uri: str) -> str:
    """Where the artifact at URI lies in a container."""
    for scheme, mount in MOUNTS.items():
        if uri.startswith(scheme):
            rest = uri[len(scheme) :]
            return mount + (rest.replace("/", "_") if scheme == "oci://" else rest)
    return uri


def uri_of(path: str) -> str:
    """The URI of which PATH is the place in a container; PATH itself where it is none of the mounts."""
    for scheme, mount in MOUNTS.items():
        if path.startswith(mount):
            rest = path[len(mount) :]
            return scheme + (rest.removesuffix("/models").replace("_", "/") if scheme == "oci://" else rest)
    return path


class Model(Artifact):
    """A trained model."""

    schema_title = "system.Model"

    @property
    def framework(self) -> str:
        """What the model was made with, kept in the metadata."""
        return str(self.metadata.get("framework", ""))

    @framework.setter
    def framework(self, framework: str) -> None:
        self.metadata["framework"] = framework

    def _local_path(self) -> str:
        path = super()._local_path()
        return f"{path}/models" if self.uri.startswith("oci://") else path  # a model's image has its files there


class Dataset(Artifact):
    """A data set."""

    schema_title = "system.Dataset"


class HTML(Artifact):
    """A page that the platform shows as it is."""

    schema_title = "system.HTML"


class Markdown(Artifact):
    """A text in Markdown that the platform shows."""

    schema_title = "system.Markdown"


class Metrics(Artifact):
    """Numbers by name."""

    schema_title = "system.Metrics"

    def log_metric(self, metric: str, value: float) -> None:
        """Notes VALUE under METRIC."""
        self.metadata[metric] = value


class ClassificationMetrics(Artifact):
    """An ROC curve and a confusion matrix."""

    schema_title = "system.ClassificationMetrics"

    def log_roc_data_point(self, fpr: float, tpr: float, threshold: float) -> None:
        """Adds one point to the ROC curve."""
        point = {"confidenceThreshold": threshold, "recall": tpr, "falsePositiveRate": fpr}
        self.metadata.setdefault("confidenceMetrics", []).append(point)

    def log_roc_curve(self, fpr: list[float], tpr: list[float], threshold: list[float]) -> None:
        """Adds a point for each position of the three lists."""
        if not len(fpr) == len(tpr) == len(threshold):
            raise ValueError(
                f"fpr, tpr and threshold must be of one length; they have {len(fpr)}, {len(tpr)} and {len(threshold)}."
            )
        for one_fpr, one_tpr, one_threshold in zip(fpr, tpr, threshold):  # noqa: B905 - Python 3.9 knows no strict
            self.log_roc_data_point(one_fpr, one_tpr, one_threshold)

    def set_confusion_matrix_categories(self, categories: list[str]) -> None:
        """Begins a confusion matrix of zeros."""
        self.metadata["confusionMatrix"] = {
            "annotationSpecs": [{"displayName": category} for category in categories],
            "rows": [{"row": [0] * len(categories)} for _ in categories],
        }

    def log_confusion_matrix_row(self, row_category: str, row: list[float]) -> None:
        """Sets the row of ROW_CATEGORY."""
        at = self._position(row_category)
        if len(row) != len(self._categories):
            raise ValueError(
                f"The row of {row_category!r} needs {len(self._categories)} values, one for each category; it has {len(row)}."
            )
        self.metadata["confusionMatrix"]["rows"][at] = {"row": row}

    def log_confusion_matrix_cell(self, row_category: str, col_category: str, value: int) -> None:
        """Sets one cell."""
        row, column = self._position(row_category), self._position(col_category)
        self.metadata["confusionMatrix"]["rows"][row]["row"][column] = value

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None:
        """Sets the whole matrix, one row for each category."""
        if len(matrix) != len(categories) or any(len(row) != len(categories) for row in matrix):
            raise ValueError(
                f"The confusion matrix must be {len(categories)} by {len(categories)}, one row and column for each category."
            )
        self.set_confusion_matrix_categories(categories)
        for category, row in zip(categories, matrix):  # noqa: B905 - Python 3.9 knows no strict
            self.log_confusion_matrix_row(category, list(row))

    @property
    def _categories(self) -> list[str]:
        matrix = self.metadata.get("confusionMatrix", {"annotationSpecs": []})
        return [each["displayName"] for each in matrix["annotationSpecs"]]

    def _position(self, category: str) -> int:
        if category not in self._categories:
            raise ValueError(f"There is no category {category!r}; there are {self._categories}.")
        return self._categories.index(category)


class SlicedClassificationMetrics(Artifact):
    """ClassificationMetrics of each slice of the data."""

    schema_title = "system.SlicedClassificationMetrics"

    def log_roc_reading(self, slice: str, threshold: float, tpr: float, fpr: float) -> None:
        """Adds one point to the ROC curve of SLICE."""
        self._of(slice).log_roc_data_point(fpr, tpr, threshold)

    def load_roc_readings(self, slice: str, readings: list[list[float]]) -> None:
        """Adds points to the ROC curve of SLICE: each is threshold, true positive rate and false positive rate."""
        for threshold, tpr, fpr in readings:
            self.log_roc_reading(slice, threshold, tpr, fpr)

    def set_confusion_matrix_categories(self, slice: str, categories: list[str]) -> None:
        """Begins a confusion matrix of zeros for SLICE."""
        self._of(slice).set_confusion_matrix_categories(categories)

    def log_confusion_matrix_row(self, slice: str, row_category: str, row: list[int]) -> None:
        """Sets one row in the matrix of SLICE."""
        self._of(slice).log_confusion_matrix_row(row_category, list(row))

    def log_confusion_matrix_cell(self, slice: str, row_category: str, col_category: str, value: int) -> None:
        """Sets one cell in the matrix of SLICE."""
        self._of(slice).log_confusion_matrix_cell(row_category, col_category, value)

    def load_confusion_matrix(self, slice: str, categories: list[str], matrix: list[list[int]]) -> None:
        """Sets the whole matrix of SLICE."""
        self._of(slice).log_confusion_matrix(categories, matrix)

    def _of(self, slice: str) -> ClassificationMetrics:
        """A view on the metrics of SLICE: what is logged through it lands in this artifact's metadata."""
        slices = self.metadata.setdefault("evaluationSlices", [])
        for each in slices:
            if each["slice"] == slice:
                return _view(each["sliceClassificationMetrics"])
        slices.append({"slice": slice, "sliceClassificationMetrics": {}})
        return _view(slices[-1]["sliceClassificationMetrics"])


def _view(metadata: Metadata) -> ClassificationMetrics:
    metrics = ClassificationMetrics()
    metrics.metadata = metadata
    return metrics


CLASSES: Final = (Artifact, Model, Dataset, Metrics, ClassificationMetrics, SlicedClassificationMetrics, HTML, Markdown)
BY_SCHEMA_TITLE: Final[dict[str, type[Artifact]]] = {each.schema_title: each for each in CLASSES}
BY_NAME: Final[dict[str, type[Artifact]]] = {each.__name__.lower(): each for each in CLASSES}

task_root: ContextVar[str | None] = ContextVar("task_root", default=None)
"""The folder of the running task's outputs; the runtime sets it for the thread that runs the component."""
CONTAINER_TASK_ROOT: str | None = None
"""The same for a whole process (threads that the component itself starts see no context variable)."""


def get_uri(suffix: str = "Output") -> str:
    """A URI below the running task's own place in the store; only in a component that runs."""
    root = task_root.get() or CONTAINER_TASK_ROOT
    if root is None:
        raise RuntimeError("dsl.get_uri() gives a URI only inside a component that runs; call it there.")
    if root == "/tmp/kfp_outputs":  # noqa: S108  # compared, never written; KFP's backend says nothing of the store there
        warnings.warn(
            "dsl.get_uri() knows no place in the store on this platform; give the URI yourself.",
            RuntimeWarning,
            stacklevel=2,
        )
        return ""
    return os.path.join(uri_of(root), suffix)
