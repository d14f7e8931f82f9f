"""What a companion is told about one attempt, and where its files lie on the local disk. Data only.

The process executor makes an `Assignment` from its Launch; in a Pod it arrives over `headrace.v1.Attempts`. Staging,
running and publishing read nothing else about the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headrace_companion.templates import Part
from headrace_ir.references import ValueRef
from headrace_ir.values import MAX_VALUE_BYTES, Declared, Value

Template = Sequence[Part | str]


@dataclass(frozen=True, slots=True)
class ArtifactValue:
    """One artifact as the IR's RuntimeArtifact has it. `type` is `{"schemaTitle": …, "schemaVersion": …}`."""

    name: str
    uri: str
    type: Mapping[str, Value]
    metadata: Mapping[str, Value] = field(default_factory=dict)
    artifact_id: str = ""


@dataclass(frozen=True, slots=True)
class OutputArtifact:
    """A declared output artifact."""

    type: Mapping[str, Value]
    metadata: Mapping[str, Value] = field(default_factory=dict)
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt of one task.

    `prefix` is the URI beneath which this attempt publishes; nothing else publishes there. `parameters` have the
    component's defaults filled in; `references` are those that lie in the store; `late_parameters` are the JSON texts of
    those among `parameters` that name a place of this attempt. No output value may have more than
    `max_value_bytes` of JSON text.
    """

    attempt: str
    prefix: str
    argv: Sequence[Template]
    env: Mapping[str, Template]
    parameters: Mapping[str, Value]
    input_artifacts: Mapping[str, Sequence[ArtifactValue]]
    output_parameters: Mapping[str, Declared]
    output_artifacts: Mapping[str, OutputArtifact]
    optional_outputs: frozenset[str] = frozenset()
    optional_inputs: frozenset[str] = frozenset()  # artifacts that the task can do without
    references: Mapping[str, ValueRef] = field(default_factory=dict)
    late_parameters: Mapping[str, Template] = field(default_factory=dict)
    max_value_bytes: int = MAX_VALUE_BYTES


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
