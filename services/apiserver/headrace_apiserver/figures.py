"""What an artifact's metadata says as data: numbers, a confusion matrix, a ROC curve, slices. Pure. Called by the handlers.

Metadata are what user code wrote: whatever has another shape than KFP's classes give it is left out, never an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from headrace_protos.v1 import artifacts_pb2 as pb

MATRIX: Final = "confusionMatrix"
CURVE: Final = "confidenceMetrics"
SLICES: Final = "evaluationSlices"
MEDIA: Final[Mapping[str, str]] = {"system.HTML": "text/html", "system.Markdown": "text/markdown"}
MOST_POINTS: Final = 10_000
MOST_CATEGORIES: Final = 1_000


def figures(kind: str, metadata_json: str) -> pb.GetFiguresResponse:
    """All but the preview."""
    held = _object(json.loads(metadata_json or "{}"))
    made = pb.GetFiguresResponse(type=kind, numbers=dict(_numbers(held)), texts=dict(_texts(held)))
    if (matrix := confusion_matrix(held.get(MATRIX))) is not None:
        made.confusion_matrix.CopyFrom(matrix)
    if (curve := roc_curve(held.get(CURVE))) is not None:
        made.roc_curve.CopyFrom(curve)
    for one in _list(held.get(SLICES)):
        told = _object(one)
        inner = _object(told.get("sliceClassificationMetrics"))
        part = made.slices.add(slice=str(told.get("slice", "")), numbers=dict(_numbers(inner)))
        if (matrix := confusion_matrix(inner.get(MATRIX))) is not None:
            part.confusion_matrix.CopyFrom(matrix)
        if (curve := roc_curve(inner.get(CURVE))) is not None:
            part.roc_curve.CopyFrom(curve)
    return made


def confusion_matrix(told: Any) -> pb.ConfusionMatrix | None:
    """None where it is none, or not square."""
    held = _object(_object(told).get("struct", told))
    names = [str(_object(one).get("displayName", "")) for one in _list(held.get("annotationSpecs"))]
    rows = [[_number(cell) for cell in _list(_object(row).get("row"))] for row in _list(held.get("rows"))]
    whole = len(names) == len(rows) and all(len(row) == len(names) and None not in row for row in rows)
    if not names or len(names) > MOST_CATEGORIES or not whole:
        return None
    cells = [pb.MatrixRow(cells=[cell for cell in row if cell is not None]) for row in rows]
    return pb.ConfusionMatrix(categories=names, rows=cells)


def roc_curve(told: Any) -> pb.RocCurve | None:
    """None where it has no point; points that are none are left out."""
    held = _list(told.get("list") if isinstance(told, dict) else told)[:MOST_POINTS]
    points = [
        pb.RocPoint(threshold=threshold, false_positive_rate=false, true_positive_rate=true)
        for one in map(_object, held)
        if (threshold := _number(one.get("confidenceThreshold"), finite=False)) is not None
        and (false := _number(one.get("falsePositiveRate"))) is not None
        and (true := _number(one.get("recall"))) is not None
    ]
    return pb.RocCurve(points=points) if points else None


def _numbers(held: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in held.items():
        number = _number(value, finite=False)
        if number is not None:
            yield name, number


def _texts(held: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in held.items() if isinstance(value, str))


def _number(value: Any, *, finite: bool = True) -> float | None:
    """A JSON number; true and false are 1 and 0. KFP writes a threshold of infinity as a text at times."""
    if isinstance(value, str) and not finite and value.lower() in ("inf", "infinity"):
        return math.inf
    if not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
