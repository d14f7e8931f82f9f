"""What a companion is told about one attempt, and where its files lie on the local disk. Data only.

The process executor makes an `Assignment` from its Launch; in a Pod it arrives over `headrace.v1.Attempts`. Staging,
running and publishing read nothing else about the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headrace_companion.values import Json, ParameterType


@dataclass(frozen=True, slots=True)
class ArtifactValue:
    """One artifact as the IR's RuntimeArtifact has it. `type` is `{"schemaTitle": …, "schemaVersion": …}`."""

    name: str
    uri: str
    type: Mapping[str, Json]
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutputArtifact:
    """A declared output artifact."""

    type: Mapping[str, Json]
    metadata: Mapping[str, Json] = field(default_factory=dict)
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt of one task.

    `prefix` is the URI beneath which this attempt publishes; nothing else publishes there. `parameters` have the
    component's defaults filled in. `platform` holds the placeholders that the engine resolves, by their whole text.
    """

    attempt: str
    prefix: str
    argv: tuple[str, ...]
    parameters: Mapping[str, Json]
    input_artifacts: Mapping[str, tuple[ArtifactValue, ...]]
    output_parameters: Mapping[str, ParameterType]
    output_artifacts: Mapping[str, OutputArtifact]
    platform: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Folders:
    """The local layout of one attempt. `outputs` is what KFP's SDK calls the container task root."""

    top: Path

    @property
    def inputs(self) -> Path:
        return self.top / "inputs"

    @property
    def outputs(self) -> Path:
        return self.top / "outputs"

    @property
    def parameters(self) -> Path:
        return self.top / "parameters"

    @property
    def work(self) -> Path:
        return self.top / "work"

    @property
    def metadata_file(self) -> Path:
        return self.outputs / "output_metadata.json"

    def output(self, name: str) -> Path:
        return self.outputs / name

    def parameter(self, name: str) -> Path:
        return self.parameters / name
