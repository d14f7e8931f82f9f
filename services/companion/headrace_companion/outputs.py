"""Reading what a finished process says about its outputs: ExecutorOutput and parameter files.

Reads local files only; the rules for values are `headrace_ir.outputs`, storing is `publishing`. Every problem becomes
OutputRefused with the output's name in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from headrace_companion import beneath
from headrace_companion.assignment import Assignment, Folders
from headrace_companion.results import Reason
from headrace_companion.store import SourceRefused
from headrace_ir.outputs import check_output, read_output_file
from headrace_ir.values import (
    MAX_VALUE_BYTES,
    Declared,
    Value,
    ValueProblem,
    byte_length,
    check_size,
    declared_type,
    decode,
    written,
)

MAX_METADATA_BYTES: Final = MAX_VALUE_BYTES


class OutputRefused(Exception):  # noqa: N818 - read as a statement
    """An output is missing or wrong; the message names it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TooLarge(SourceRefused):  # a statement, like its base
    """A value's file is larger than a value may be: its content is wrong, not its place."""


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """What user code said about one output artifact; None where it said nothing."""

    name: str | None = None
    uri: str | None = None
    metadata: Mapping[str, Value] | None = None
    custom_path: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutorOutput:
    """The output metadata file, read strictly."""

    parameters: Mapping[str, Value]
    artifacts: Mapping[str, tuple[ArtifactEntry, ...]]


def read_local(path: Path, within: Path, limit: int) -> bytes | None:
    """A regular file beneath `within`, or None where there is none."""
    if not beneath.exists(within, path):
        return None
    parts = beneath.parts_within(within, path)
    with (
        beneath.folder_of(within, parts[:-1]) as parent,
        open(beneath.open_file(parent, parts[-1], "/".join(parts)), "rb") as file,
    ):
        size = os.fstat(file.fileno()).st_size
        content = file.read(limit + 1) if size <= limit else b""
    if max(size, len(content)) > limit:
        raise TooLarge(
            f"is {max(size, len(content))} bytes long, above the limit of {limit}: write large data to an artifact"
        )
    return content


def read_metadata_file(folders: Folders) -> ExecutorOutput:
    """A missing file is an empty output."""
    try:
        content = read_local(folders.metadata_file, folders.top, MAX_METADATA_BYTES)
        return parse_executor_output(content) if content is not None else ExecutorOutput({}, {})
    except TooLarge as error:
        raise OutputRefused(Reason.WRONG_OUTPUT, f"what the task returned {error}") from error
    except SourceRefused as error:
        raise OutputRefused(Reason.OUTPUT_PATH, f"what the task returned {error}") from error
    except ValueProblem as problem:
        raise OutputRefused(Reason.WRONG_OUTPUT, f"what the task returned {problem.sentence}") from problem


def parse_executor_output(document: bytes) -> ExecutorOutput:
    """ExecutorOutput from its JSON text; unknown fields are refused."""
    held = _struct(decode(document), "the output metadata file")
    _only(held, {"parameterValues", "parameter_values", "artifacts"}, "the output metadata file")
    artifacts: dict[str, tuple[ArtifactEntry, ...]] = {}
    for name, entry in _struct(held.get("artifacts"), "artifacts").items():
        where = f"artifacts['{name}']"
        inner = _struct(entry, where)
        _only(inner, {"artifacts"}, where)
        listed = inner.get("artifacts") or []
        if not isinstance(listed, list):
            raise ValueProblem(f"is wrong: {where} must hold a list")
        artifacts[name] = tuple(_entry(_struct(one, where), where) for one in listed)
    parameters = held.get("parameterValues") or held.get("parameter_values")  # JSON of a message has both spellings
    return ExecutorOutput(_struct(parameters, "parameterValues"), artifacts)


def _entry(held: dict[str, Any], where: str) -> ArtifactEntry:
    _only(held, {"name", "uri", "metadata", "custom_path", "customPath", "type", "artifactId", "artifact_id"}, where)
    metadata = held.get("metadata")
    return ArtifactEntry(
        name=_words(held.get("name"), where),
        uri=_words(held.get("uri"), where),
        metadata=_struct(metadata, f"{where}.metadata") if metadata is not None else None,
        custom_path=_words(held.get("custom_path") or held.get("customPath"), where),
    )


def _struct(value: Value, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueProblem(f"is wrong: {where} must be an object")
    return value


def _only(held: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(held) - known)
    if unknown:
        raise ValueProblem(f"is wrong: {where} has the unknown field '{unknown[0]}'")


def _words(value: Any, where: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueProblem(f"is wrong: {where} has a name, URI or path that is not a string")
    return value


def collect_parameters(assignment: Assignment, folders: Folders, said: Mapping[str, Value]) -> dict[str, str]:
    """Every declared output parameter as canonical JSON text: from the metadata file, else from its own file.

    Extra keys that user code returned are kept, as KFP does.
    """
    collected: dict[str, str] = {}
    problems: list[OutputRefused] = []
    for name in dict.fromkeys((*assignment.output_parameters, *said)):
        try:
            text = _parameter(name, assignment, folders, said)
        except ValueProblem as problem:
            problems.append(OutputRefused(Reason.WRONG_OUTPUT, problem.sentence))
        except TooLarge as error:
            problems.append(OutputRefused(Reason.WRONG_OUTPUT, f"output '{name}' {error}"))
        except SourceRefused as error:
            problems.append(OutputRefused(Reason.OUTPUT_PATH, f"output '{name}' {error}"))
        except OutputRefused as missing:
            problems.append(missing)
        else:
            if text is not None:
                collected[name] = text
    if problems:
        raise OutputRefused(problems[0].reason, "; ".join(map(str, problems)))
    return collected


def _parameter(name: str, assignment: Assignment, folders: Folders, said: Mapping[str, Value]) -> str | None:
    declared, limit = assignment.output_parameters.get(name), assignment.max_value_bytes
    if name in said:
        value = check_output(name, declared, said[name])
        return _written(name, value, limit)
    content = read_local(folders.parameter(name), folders.top, limit)
    if content is not None:
        return _written(name, read_output_file(name, declared, content, limit), limit)
    if name in assignment.optional_outputs:
        return None
    raise OutputRefused(Reason.MISSING_OUTPUT, f"output '{name}' ({_type_name(declared)}) was not written")


def _written(name: str, value: Value, limit: int) -> str:
    text = written(value)
    try:
        check_size(byte_length(text), limit)
    except ValueProblem as problem:
        raise ValueProblem(f"output '{name}' {problem.sentence}") from None
    return text


def _type_name(declared: Declared) -> str:
    kind = declared_type(declared)
    return kind.value if kind else "any type"
