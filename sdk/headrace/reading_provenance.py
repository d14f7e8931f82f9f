"""Messages about artifacts of all runs → the SDK's records. Pure; called by api.provenance."""

from __future__ import annotations

import json
from typing import Any

from headrace import reading
from headrace.provenance import (
    ArtifactRecord,
    ArtifactUse,
    Classification,
    Difference,
    Figure,
    Figures,
    Lineage,
    LineageTask,
    RunFigures,
)
from headrace_protos.v1 import artifacts_pb2, events_pb2, lineage_pb2


def record(message: lineage_pb2.ArtifactRecord) -> ArtifactRecord:
    made_by = _use(message.made_by) if message.HasField("made_by") else None
    path, name, index = (made_by.path, made_by.name, made_by.index) if made_by else ("", "", 0)
    return ArtifactRecord(
        number=message.artifact.id,
        artifact=reading.artifact(message.artifact, path, name, index),
        created_at=reading.time(message.created_at_us),
        made_by=made_by,
        uses=tuple(_use(one) for one in message.uses),
    )


def _use(message: lineage_pb2.ArtifactUse) -> ArtifactUse:
    return ArtifactUse(
        artifact=message.artifact,
        task=message.task,
        run_id=message.run_id,
        path=message.path,
        name=message.name,
        index=message.index,
        output=message.output,
        pipeline_name=message.pipeline_name,
    )


def lineage(message: lineage_pb2.LineageGraph) -> Lineage:
    return Lineage(
        root=message.root,
        artifacts={one.artifact.id: record(one) for one in message.artifacts},
        tasks={one.id: _task(one) for one in message.tasks},
        edges=tuple(_use(one) for one in message.edges),
        same=tuple((one.artifact, one.earlier) for one in message.same),
        truncated=message.truncated,
    )


def _task(message: lineage_pb2.LineageTask) -> LineageTask:
    return LineageTask(
        number=message.id,
        run_id=message.run_id,
        path=message.path,
        kind=events_pb2.TaskKind.Name(message.kind),
        state=reading.task_state(message.state),
        pipeline_name=message.pipeline_name,
        run_name=message.run_name,
        component=message.component,
        code_digest=message.code_digest,
        image=message.image,
        image_digest=message.image_digest,
        parameters={name: _value(one) for name, one in sorted(message.parameters.items())},
        cached_from=message.cached_from,
        linked_from=message.linked_from,
        started_at=reading.time(message.started_at_us),
        finished_at=reading.time(message.finished_at_us),
    )


def _value(message: events_pb2.Value) -> Any:
    return json.loads(message.json) if message.json else {"digest": message.digest, "size": message.size}


def differences(message: artifacts_pb2.DiffArtifactsResponse) -> list[Difference]:
    return [Difference(one.field, one.first, one.second) for one in message.differences]


def run_figures(message: lineage_pb2.RunFigures) -> RunFigures:
    return RunFigures(
        run_id=message.run_id,
        display_name=message.display_name,
        pipeline_name=message.pipeline_name,
        state=reading.run_state(message.state),
        created_at=reading.time(message.created_at_us),
        parameters=json.loads(message.parameters_json or "{}"),
        figures=tuple(_figure(one) for one in message.figures),
    )


def _figure(message: lineage_pb2.Figure) -> Figure:
    value: float | str = message.text if message.WhichOneof("value") == "text" else message.number
    return Figure(message.path, message.output, message.name, value, message.artifact)


def figures(message: artifacts_pb2.GetFiguresResponse) -> Figures:
    return Figures(
        type=message.type,
        numbers=dict(sorted(message.numbers.items())),
        texts=dict(sorted(message.texts.items())),
        whole=_classification(message),
        slices={one.slice: _classification(one) for one in message.slices},
        preview=message.preview.text,
        media_type=message.preview.media_type,
        truncated=message.preview.truncated or message.table.truncated,
        columns=tuple(message.table.columns),
        rows=tuple(tuple(row.cells) for row in message.table.rows),
    )


def _classification(message: artifacts_pb2.GetFiguresResponse | artifacts_pb2.SliceFigures) -> Classification:
    return Classification(
        categories=tuple(message.confusion_matrix.categories),
        matrix=tuple(tuple(row.cells) for row in message.confusion_matrix.rows),
        roc_curve=tuple(
            (one.threshold, one.false_positive_rate, one.true_positive_rate) for one in message.roc_curve.points
        ),
    )
