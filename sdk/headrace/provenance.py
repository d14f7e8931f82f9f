"""Artifacts of all runs and their lineage, as the client answers them: frozen values, made from messages here. See models.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from headrace import reading
from headrace.models import Artifact
from headrace_protos.v1 import artifacts_pb2, events_pb2, lineage_pb2

Direction: TypeAlias = Literal["up", "down", "both"]


@dataclass(frozen=True, slots=True)
class ArtifactUse:
    """A task that reads an artifact or, with `output`, writes it, under a name."""

    artifact: int
    task: int
    run_id: str
    path: str
    name: str
    index: int = 0
    output: bool = False
    pipeline_name: str = ""


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """An artifact whatever run it is of. `number` names it too, and is short; `made_by`: who put it out first."""

    number: int
    artifact: Artifact
    created_at: datetime | None = None
    made_by: ArtifactUse | None = None
    uses: tuple[ArtifactUse, ...] = ()


@dataclass(frozen=True, slots=True)
class LineageTask:
    """An execution of a component with what its results depend on. A parameter that is long is shown by its digest."""

    number: int
    run_id: str
    path: str
    kind: str
    state: str
    pipeline_name: str = ""
    run_name: str = ""
    component: str = ""
    code_digest: str = ""
    image: str = ""
    image_digest: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cached_from: str = ""
    linked_from: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """A graph round the artifact `root`. `same`: pairs of artifacts at one place, the later first. `truncated`: there is more."""

    root: int
    artifacts: Mapping[int, ArtifactRecord]
    tasks: Mapping[int, LineageTask]
    edges: tuple[ArtifactUse, ...] = ()
    same: tuple[tuple[int, int], ...] = ()
    truncated: bool = False

    def makers(self, artifact: int) -> list[LineageTask]:
        """The tasks that put an artifact out."""
        return [self.tasks[edge.task] for edge in self.edges if edge.output and edge.artifact == artifact]

    def inputs(self, task: int) -> list[ArtifactUse]:
        """What a task read."""
        return [edge for edge in self.edges if not edge.output and edge.task == task]


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which two artifacts, or what they were made of, differ; "" = it is not there."""

    field: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Figure:
    """What a task wrote into the metadata of an artifact, under a name."""

    path: str
    output: str
    name: str
    value: float | str
    artifact: int = 0


@dataclass(frozen=True, slots=True)
class RunFigures:
    """A run with the figures of its tasks, for a comparison."""

    run_id: str
    display_name: str
    pipeline_name: str
    state: str
    created_at: datetime | None
    parameters: Mapping[str, Any]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Classification:
    """A confusion matrix (rows: what it was; columns: what it was taken for) and a ROC curve (threshold, false positive rate,
    true positive rate); empty where there is none.
    """

    categories: tuple[str, ...] = ()
    matrix: tuple[tuple[float, ...], ...] = ()
    roc_curve: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """What an artifact's metadata says as data. `preview`: the beginning of a page or text, "" = it is none; `columns` and
    `rows`: that of a table. `truncated`: there is more of it.
    """

    type: str
    numbers: Mapping[str, float]
    texts: Mapping[str, str]
    whole: Classification
    slices: Mapping[str, Classification]
    preview: str = ""
    media_type: str = ""
    truncated: bool = False
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


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
