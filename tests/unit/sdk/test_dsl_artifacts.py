"""Artifacts in a component's hands: paths and URIs, custom paths, metrics, `get_uri`; none of it needs more than Python has."""

from __future__ import annotations

import subprocess
import sys

import pytest

from headrace.dsl import artifacts
from headrace.dsl.artifacts import Artifact, ClassificationMetrics, Metrics, Model, SlicedClassificationMetrics, get_uri


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("gs://b/a/x", "/gcs/b/a/x"),
        ("s3://b/a/x", "/s3/b/a/x"),
        ("minio://b/a", "/minio/b/a"),
        ("oci://reg/a/b", "/oci/reg_a_b"),
        ("file:///tmp/x", "file:///tmp/x"),
        ("/tmp/x", "/tmp/x"),
        ("", ""),
    ],
)
def test_a_uri_has_a_path(uri: str, path: str) -> None:
    assert Artifact(uri=uri).path == path


def test_assigning_a_path_moves_the_artifact() -> None:
    artifact = Artifact(uri="gs://b/old")
    artifact.path = "/gcs/b/new"
    assert artifact.uri == "gs://b/new"
    artifact.path = "/tmp/here"
    assert (artifact.uri, artifact.path) == ("/tmp/here", "/tmp/here")


def test_a_custom_path_leaves_the_uri() -> None:
    artifact = Artifact(uri="s3://b/x")
    artifact.set_path("/data/x")
    assert (artifact.uri, artifact.path, artifact.custom_path) == ("s3://b/x", "/data/x", "/data/x")
    artifact.custom_path = ""
    assert artifact.path == "/s3/b/x"


def test_an_artifact_in_the_workspace_is_read_there() -> None:
    assert Artifact(uri="s3://b/x", metadata={"_kfp_workspace": True}).path == "/kfp-workspace/.artifacts/s3/b/x"


def test_a_model_in_an_image_has_its_own_folder_and_a_framework() -> None:
    model = Model(uri="oci://reg/m")
    assert model.path == "/oci/reg_m/models"
    model.path = "/oci/reg_m/models"
    assert model.uri == "oci://reg/m"
    assert model.framework == ""
    model.framework = "torch"
    assert model.metadata == {"framework": "torch"}


def test_a_metric_is_metadata() -> None:
    metrics = Metrics()
    metrics.log_metric("accuracy", 0.9)
    assert metrics.metadata == {"accuracy": 0.9}


def test_a_roc_curve() -> None:
    metrics = ClassificationMetrics()
    metrics.log_roc_curve([0.0, 1.0], [0.1, 0.9], [0.5, 0.2])
    assert metrics.metadata["confidenceMetrics"] == [
        {"confidenceThreshold": 0.5, "recall": 0.1, "falsePositiveRate": 0.0},
        {"confidenceThreshold": 0.2, "recall": 0.9, "falsePositiveRate": 1.0},
    ]
    with pytest.raises(ValueError, match=r"^fpr, tpr and threshold must be of one length; they have 1, 2 and 1\.$"):
        metrics.log_roc_curve([0.0], [0.1, 0.2], [0.5])


def test_a_confusion_matrix() -> None:
    metrics = ClassificationMetrics()
    metrics.log_confusion_matrix(["cat", "dog"], [[3, 1], [0, 4]])
    metrics.log_confusion_matrix_cell("cat", "dog", 7)
    metrics.log_confusion_matrix_row("dog", [2, 2])
    assert metrics.metadata["confusionMatrix"] == {
        "annotationSpecs": [{"displayName": "cat"}, {"displayName": "dog"}],
        "rows": [{"row": [3, 7]}, {"row": [2, 2]}],
    }


def test_mistakes_with_a_confusion_matrix() -> None:
    metrics = ClassificationMetrics()
    with pytest.raises(
        ValueError, match=r"^The confusion matrix must be 2 by 2, one row and column for each category\.$"
    ):
        metrics.log_confusion_matrix(["a", "b"], [[1, 2]])
    metrics.set_confusion_matrix_categories(["a", "b"])
    with pytest.raises(ValueError, match=r"^There is no category 'c'; there are \['a', 'b'\]\.$"):
        metrics.log_confusion_matrix_cell("a", "c", 1)
    with pytest.raises(ValueError, match=r"^The row of 'a' needs 2 values, one for each category; it has 1\.$"):
        metrics.log_confusion_matrix_row("a", [1])


def test_sliced_metrics_keep_each_slice_apart() -> None:
    sliced = SlicedClassificationMetrics()
    sliced.log_roc_reading("young", threshold=0.5, tpr=0.1, fpr=0.2)
    sliced.load_roc_readings("old", [[0.3, 0.4, 0.5]])
    sliced.load_confusion_matrix("old", ["a"], [[1]])
    sliced.log_confusion_matrix_cell("old", "a", "a", 2)
    assert sliced.metadata == {
        "evaluationSlices": [
            {
                "slice": "young",
                "sliceClassificationMetrics": {
                    "confidenceMetrics": [{"confidenceThreshold": 0.5, "recall": 0.1, "falsePositiveRate": 0.2}]
                },
            },
            {
                "slice": "old",
                "sliceClassificationMetrics": {
                    "confidenceMetrics": [{"confidenceThreshold": 0.3, "recall": 0.4, "falsePositiveRate": 0.5}],
                    "confusionMatrix": {"annotationSpecs": [{"displayName": "a"}], "rows": [{"row": [2]}]},
                },
            },
        ]
    }


def test_a_uri_of_ones_own() -> None:
    with pytest.raises(
        RuntimeError, match=r"^dsl\.get_uri\(\) gives a URI only inside a component that runs; call it there\.$"
    ):
        get_uri()
    token = artifacts.task_root.set("/gcs/bucket/run/task")
    try:
        assert get_uri() == "gs://bucket/run/task/Output"
        assert get_uri("model") == "gs://bucket/run/task/model"
    finally:
        artifacts.task_root.reset(token)


def test_in_a_container_a_star_import_takes_the_standard_library_alone() -> None:
    program = (
        "import sys\nfrom headrace.dsl import *\n"
        "assert Artifact and Input and OUTPUT and run_notebook and get_uri\n"
        "assert 'component' not in globals()\n"
        "ours = {name for name in sys.modules if name.split('.')[0] == 'headrace'}\n"
        "foreign = {name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names) - {'headrace', '__main__'}\n"
        "print(sorted(ours), sorted(name for name in foreign if not name.startswith('_')))"
    )
    run = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{program}"],
        env={"_HEADRACE_RUNTIME": "true"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    modules = ["annotations", "artifacts", "constants", "final_status", "notebooks", "task_config"]
    assert (
        run.stdout.strip()
        == f"{sorted(['headrace', 'headrace.dsl', *(f'headrace.dsl.{each}' for each in modules)])} []"
    )
