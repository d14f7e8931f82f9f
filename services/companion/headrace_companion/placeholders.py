"""The last substitution pass over a command, when local paths are known. Pure.

One left-to-right scan of the template with one expression, so that a substituted value is never scanned again. The
engine has resolved IfPresent and Concat before; a placeholder that nobody knows stays literal. Called by staging.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from headrace_companion.assignment import Assignment, Folders
from headrace_companion.values import Json, text

PLACEHOLDER: Final = re.compile(r"\{\{\$(?:\.[^{}]*?)?\}\}")


def substituted(argv: Sequence[str], table: Mapping[str, str]) -> tuple[str, ...]:
    """The command with every known placeholder replaced."""
    return tuple(PLACEHOLDER.sub(lambda found: table.get(found[0], found[0]), element) for element in argv)


def table(assignment: Assignment, folders: Folders, executor_input: Mapping[str, Json]) -> dict[str, str]:
    """Every placeholder that this attempt can resolve, with its text."""
    known = dict(assignment.platform)
    known["{{$}}"] = json.dumps(executor_input, separators=(",", ":"), ensure_ascii=False)
    known["{{$.outputs.output_file}}"] = known["{{$.outputMetadataUri}}"] = str(folders.metadata_file)
    for name, value in assignment.parameters.items():
        known[f"{{{{$.inputs.parameters['{name}']}}}}"] = text(value)
    for name in assignment.output_parameters:
        known[f"{{{{$.outputs.parameters['{name}'].output_file}}}}"] = str(folders.parameter(name))
    for side in ("inputs", "outputs"):
        known.update(_artifact_rows(side, executor_input))
    return known


def _artifact_rows(side: str, executor_input: Mapping[str, Json]) -> dict[str, str]:
    rows: dict[str, str] = {}
    half = executor_input.get(side)
    artifacts = half.get("artifacts") if isinstance(half, dict) else None
    for name, held in artifacts.items() if isinstance(artifacts, dict) else ():
        entries = held["artifacts"] if isinstance(held, dict) else None
        if not isinstance(entries, list):
            continue
        base = f"$.{side}.artifacts['{name}']"
        rows[f"{{{{{base}}}}}"] = text(entries)
        first = entries[0] if entries else None
        if isinstance(first, dict):
            rows[f"{{{{{base}.uri}}}}"] = rows[f"{{{{{base}.path}}}}"] = text(first["uri"])
            rows.update(_metadata_rows(base, first.get("metadata")))
    return rows


def _metadata_rows(base: str, metadata: Json) -> dict[str, str]:
    known = metadata if isinstance(metadata, dict) else {}
    rows = {f"{{{{{base}.metadata['{key}']}}}}": text(value) for key, value in known.items()}
    rows[f"{{{{{base}.metadata}}}}"] = text(known)
    return rows
