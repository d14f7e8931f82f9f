"""Reading what a finished process says about its outputs: ExecutorOutput and parameter files.

Reads local files only; publishing stores what this finds. All problems become OutputRefused with the output's name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headrace_companion import beneath
from headrace_companion.assignment import Assignment, Folders
from headrace_companion.store import SourceRefused
from headrace_companion.values import (
    MAX_VALUE_BYTES,
    Json,
    ParameterType,
    ValueRefused,
    canonical,
    checked,
    load,
    parse_file,
)

MAX_METADATA_BYTES = 64 * 1024 * 1024


class OutputRefused(Exception):  # noqa: N818 - read as a statement
    """An output is missing or wrong; the message names it."""


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """What user code said about one output artifact; None where it said nothing."""

    name: str | None = None
    uri: str | None = None
    metadata: Mapping[str, Json] | None = None
    custom_path: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutorOutput:
    """The output metadata file, read strictly."""

    parameters: Mapping[str, Json]
    artifacts: Mapping[str, tuple[ArtifactEntry, ...]]


def read_local(path: Path, within: Path, limit: int) -> bytes | None:
    """A regular file beneath `within`, or None where there is none."""
    parts = beneath.parts_within(within, path)
    try:
        with beneath.folder_of(within, parts[:-1]) as parent:
            os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
            with open(beneath.open_file(parent, parts[-1], "/".join(parts)), "rb") as file:
                content = file.read(limit + 1)
    except FileNotFoundError:
        return None
    if len(content) > limit:
        raise SourceRefused(f"is longer than {limit:,} bytes; write it as an artifact")
    return content


def read_metadata_file(folders: Folders) -> ExecutorOutput:
    """A missing file is an empty output."""
    try:
        content = read_local(folders.metadata_file, folders.outputs, MAX_METADATA_BYTES)
        return parse_executor_output(content.decode("utf-8")) if content is not None else ExecutorOutput({}, {})
    except (SourceRefused, ValueRefused) as error:
        raise OutputRefused(f"the output metadata file {error}") from error
    except UnicodeDecodeError as error:
        raise OutputRefused(f"the output metadata file is not UTF-8 text (byte {error.start})") from error


def parse_executor_output(document: str) -> ExecutorOutput:
    """ExecutorOutput from its JSON text; unknown fields are refused."""
    held = _struct(load(document), "it")
    _only(held, {"parameterValues", "artifacts"}, "it")
    artifacts: dict[str, tuple[ArtifactEntry, ...]] = {}
    for name, entry in _struct(held.get("artifacts"), "artifacts").items():
        inner = _struct(entry, f"artifacts[{name!r}]")
        _only(inner, {"artifacts"}, f"artifacts[{name!r}]")
        listed = inner.get("artifacts") or []
        if not isinstance(listed, list):
            raise ValueRefused(f"has no list in artifacts[{name!r}]")
        artifacts[name] = tuple(_entry(_struct(one, f"artifacts[{name!r}]"), name) for one in listed)
    return ExecutorOutput(_struct(held.get("parameterValues"), "parameterValues"), artifacts)


def _entry(held: dict[str, Json], name: str) -> ArtifactEntry:
    known = {"name", "uri", "metadata", "custom_path", "customPath", "type", "artifactId", "artifact_id"}
    _only(held, known, f"artifacts[{name!r}]")
    metadata = held.get("metadata")
    if metadata is not None:
        checked(metadata, ParameterType.STRUCT)
    return ArtifactEntry(
        name=_words(held.get("name"), name),
        uri=_words(held.get("uri"), name),
        metadata=_struct(metadata, "metadata") if metadata is not None else None,
        custom_path=_words(held.get("custom_path") or held.get("customPath"), name),
    )


def _struct(value: Json, where: str) -> dict[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueRefused(f"is wrong: {where} must be an object")
    return value


def _only(held: Mapping[str, Json], known: set[str], where: str) -> None:
    unknown = sorted(set(held) - known)
    if unknown:
        raise ValueRefused(f"is wrong: {where} has the unknown field {unknown[0]!r}")


def _words(value: Json, name: str) -> str | None:
    if value is None or value == "":
        return None
    checked(value, ParameterType.STRING)
    return str(value)


def collect_parameters(assignment: Assignment, folders: Folders, said: Mapping[str, Json]) -> dict[str, str]:
    """Every declared output parameter as canonical JSON text: from the metadata file, else from its own file."""
    collected: dict[str, str] = {}
    for name, declared in assignment.output_parameters.items():
        try:
            value = checked(said[name], declared) if name in said else _from_file(name, declared, folders)
        except (ValueRefused, SourceRefused) as error:
            raise OutputRefused(f"output parameter {name!r} {error}") from error
        collected[name] = canonical(value)
    return collected


def _from_file(name: str, declared: ParameterType, folders: Folders) -> Json:
    # A STRING value may grow a little as JSON text; the limit on that text is checked by `checked`.
    content = read_local(folders.parameter(name), folders.parameters, MAX_VALUE_BYTES)
    if content is None:
        raise ValueRefused(f"was not written; the component declares it as {declared}")
    return parse_file(content, declared)
