"""Artifacts of all runs and their lineage, as the client answers them: frozen values, no protobuf. Made by reading_provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from headrace.models import Artifact

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
