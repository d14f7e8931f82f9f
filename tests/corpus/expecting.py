"""What is expected of each file of the corpus: reads expected.yaml and prepares a file for both sides.

Pure but for reading files; used by the conformance run and by its oracle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Expected:
    """One row of expected.yaml; expected.yaml's head says what each field means."""

    name: str
    kind: str
    end: str
    issue: int
    parameters: dict[str, Any]
    draws: tuple[str, ...]
    varies: tuple[str, ...]
    tasks: dict[str, str]
    cuts: tuple[tuple[str, str], ...]
    oracle: bool
    note: str
    right: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    programs: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        return self.end in ("SUCCEEDED", "FAILED", "REFUSED")

    def arguments(self, scratch: Path) -> dict[str, Any]:
        """The run's parameters; `{scratch}` in a text is a folder of this run's own."""
        return {
            name: value.replace("{scratch}", str(scratch)) if isinstance(value, str) else value
            for name, value in self.parameters.items()
        }

    def root_artifacts(self, scratch: Path) -> dict[str, str]:
        """The run's input artifacts: name → URI."""
        return {name: uri.replace("{scratch}", str(scratch)) for name, uri in self.artifacts.items()}

    def lay_out(self, scratch: Path) -> None:
        """The files that the run reads."""
        for name, text in self.files.items():
            (scratch / name).write_text(text)


def read_expected(
    path: Path = HERE / "expected.yaml", usual: Mapping[str, Any] = MappingProxyType({})
) -> list[Expected]:
    """All rows; `usual` are fields that they may leave out."""
    table: dict[str, dict[str, Any] | None] = yaml.safe_load(path.read_text())
    return [_row(name, {**usual, **(fields or {})}) for name, fields in table.items()]


def _row(name: str, fields: dict[str, Any]) -> Expected:
    row = Expected(
        name=name,
        kind=fields.pop("class"),
        end=fields.pop("end"),
        issue=fields.pop("issue"),
        parameters=fields.pop("parameters", {}),
        draws=tuple(fields.pop("draws", ())),
        varies=tuple(fields.pop("varies", ())),
        right=fields.pop("right", {}),
        tasks=fields.pop("tasks", {}),
        cuts=tuple((cut["find"], cut["put"]) for cut in fields.pop("cuts", ())),
        oracle=fields.pop("oracle", True),
        files=fields.pop("files", {}),
        artifacts=fields.pop("artifacts", {}),
        programs=tuple(fields.pop("programs", ())),
        note=fields.pop("note", ""),
    )
    if fields:
        raise ValueError(f"expected.yaml: {name}: unknown fields {', '.join(sorted(fields))}")
    return row


def cut(text: str, row: Expected, scratch: Path = Path()) -> str:
    """The file as both sides run it: long waits shortened, files of this machine for those of the internet, as the row says."""
    for find, put in row.cuts:
        if find not in text:
            raise ValueError(f"expected.yaml: {row.name}: {find!r} is not in the file")
        text = text.replace(find, put.replace("{scratch}", str(scratch)))
    return text
