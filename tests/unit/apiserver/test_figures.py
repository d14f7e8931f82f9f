"""An artifact's metadata as data: as KFP's classes and ours write them, and whatever else user code may have written."""

from __future__ import annotations

import json
import math

import pytest

from headrace.dsl import ClassificationMetrics, Metrics, SlicedClassificationMetrics
from headrace_apiserver.figures import confusion_matrix, figures, roc_curve


def made(artifact):
    return figures(artifact.schema_title, json.dumps(artifact.metadata))


def test_scalars_are_numbers_and_texts():
    metrics = Metrics()
    metrics.log_metric("accuracy", 0.75)
    metrics.metadata |= {"by": "me", "good": True, "list": [1]}
    told = made(metrics)
    assert dict(told.numbers) == {"accuracy": 0.75, "good": 1.0}
    assert dict(told.texts) == {"by": "me"}
    assert not told.HasField("confusion_matrix")


def test_a_confusion_matrix_and_a_curve():
    metrics = ClassificationMetrics()
    metrics.log_confusion_matrix(["cat", "dog"], [[3, 1], [0, 4]])
    metrics.log_roc_curve([0.0, 1.0], [0.5, 1.0], [math.inf, 0.1])
    told = made(metrics)
    assert list(told.confusion_matrix.categories) == ["cat", "dog"]
    assert [list(row.cells) for row in told.confusion_matrix.rows] == [[3.0, 1.0], [0.0, 4.0]]
    points = [(one.threshold, one.false_positive_rate, one.true_positive_rate) for one in told.roc_curve.points]
    assert points == [(math.inf, 0.0, 0.5), (0.1, 1.0, 1.0)]


def test_slices_have_their_own():
    metrics = SlicedClassificationMetrics()
    metrics.load_confusion_matrix("old", ["a", "b"], [[1, 0], [0, 1]])
    metrics.log_roc_reading("new", 0.5, 0.9, 0.1)
    told = made(metrics)
    assert [one.slice for one in told.slices] == ["old", "new"]
    assert told.slices[0].confusion_matrix.rows[0].cells[0] == 1.0
    assert told.slices[1].roc_curve.points[0].true_positive_rate == 0.9


def test_kfps_backend_wraps_lists_and_structs():
    matrix = {"struct": {"annotationSpecs": [{"displayName": "a"}], "rows": [{"row": [2]}]}}
    found = confusion_matrix(matrix)
    assert found is not None
    assert list(found.categories) == ["a"]
    curve = roc_curve({"list": [{"confidenceThreshold": 1, "recall": 1, "falsePositiveRate": 0}]})
    assert curve is not None
    assert len(curve.points) == 1


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        "x",
        {"annotationSpecs": [{"displayName": "a"}], "rows": []},
        {"annotationSpecs": [{"displayName": "a"}], "rows": [{"row": [1, 2]}]},
        {"annotationSpecs": [{"displayName": "a"}], "rows": [{"row": ["x"]}]},
        {"annotationSpecs": "ab", "rows": [{"row": [1]}, {"row": [1]}]},
    ],
)
def test_what_is_no_matrix(told):
    assert confusion_matrix(told) is None


@pytest.mark.parametrize("told", [None, "x", {}, [], [1], [{"recall": "x"}], {"list": {"a": 1}}])
def test_what_is_no_curve(told):
    assert roc_curve(told) is None


@pytest.mark.parametrize(
    "metadata", ["", "[]", "null", '{"a":' + "9" * 400 + "}", '{"evaluationSlices":[1,{"slice":2}]}']
)
def test_whatever_user_code_wrote_is_no_error(metadata):
    assert not figures("system.Metrics", metadata).HasField("roc_curve")
