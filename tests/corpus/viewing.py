"""A run that has ended, as the conformance run compares it: one form for what the oracle wrote and for what Headrace reports.

Parameters are JSON values. An artifact is its type, its metadata and its content; outputs that are artifacts are always lists.
Pure, but for reading the content of artifacts that lie in a folder of this machine.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

TEXT_LIMIT = 100_000
ARTIFACT_FIELDS = {"type", "metadata", "content"}
# what a server adds to an artifact on its own account
SERVERS_METADATA = {"display_name", "store_session_info"}


@dataclass(frozen=True, slots=True)
class Produced:
    """An output artifact."""

    type: str
    metadata: dict[str, Any]
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TaskView:
    state: str
    kind: str = ""
    outputs: dict[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class RunView:
    state: str
    outputs: dict[str, Any]
    tasks: dict[str, TaskView]
    error: str = ""


def from_oracle(answer: dict[str, Any]) -> RunView:
    tasks = {
        path: TaskView(task["state"], outputs=_oracle_outputs(task["outputs"]))
        for path, task in answer["tasks"].items()
    }
    return RunView(answer["state"], _oracle_outputs(answer["outputs"]), tasks, answer["error"])


def _oracle_outputs(outputs: dict[str, Any]) -> dict[str, Any]:
    return {name: _oracle_output(value) for name, value in outputs.items()}


def _oracle_output(value: Any) -> Any:
    found = _flat_artifacts(value)
    return value if found is None else found


def _flat_artifacts(value: Any) -> list[Produced] | None:
    """All artifacts of an output, loops within loops flattened; None where it is a parameter."""
    if isinstance(value, dict) and set(value) == ARTIFACT_FIELDS:
        return [Produced(value["type"], _own(value["metadata"]), _content(value["content"]))]
    if isinstance(value, list) and value:
        parts = [_flat_artifacts(one) for one in value]
        if all(part is not None for part in parts):
            return [one for part in parts if part is not None for one in part]
    return None


def from_headrace(run: dict[str, Any], tasks: list[dict[str, Any]]) -> RunView:
    """From `GET /apis/headrace.v1/runs/ID` and `…/tasks`, as JSON with proto names."""
    seen = {
        task["path"]: TaskView(
            state=task["state"].removeprefix("TASK_"),
            kind=task.get("kind", ""),
            outputs=_reported(task.get("outputs", {})),
            error=task.get("error", {}).get("message", ""),
        )
        for task in tasks
    }
    error = run.get("error", {}).get("message", "")
    return RunView(run["state"].removeprefix("RUN_"), _reported(run.get("outputs", {})), seen, error)


def _reported(values: dict[str, Any]) -> dict[str, Any]:
    parameters = {name: _parameter(value) for name, value in values.get("parameters", {}).items()}
    artifacts = {
        name: [_artifact(one) for one in listed.get("artifacts", [])]
        for name, listed in values.get("artifacts", {}).items()
    }
    return {**parameters, **artifacts}


def _parameter(value: dict[str, Any]) -> Any:
    return json.loads(local_path(value["uri"]).read_text() if "uri" in value else value["json"])


def _artifact(one: dict[str, Any]) -> Produced:
    metadata = json.loads(one.get("metadata_json") or "{}")
    return Produced(one.get("schema_title", ""), _own(metadata), _content(content_of(local_path(one["uri"]))))


def local_path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        raise ValueError(f"{uri}: the conformance run reads artifacts from a folder of this machine only")
    return Path(unquote(parts.path))


def content_of(path: Path) -> dict[str, Any]:
    """The same reading as the oracle's, which is a program of another environment and shares no code with us."""
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        return {"files": {str(one.relative_to(path)): content_of(one) for one in files}}
    if not path.is_file():
        return {"missing": True}
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if len(data) <= TEXT_LIMIT and (text or not data):
        return {"text": text}
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def _own(metadata: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in SERVERS_METADATA}


def _content(content: dict[str, Any]) -> dict[str, Any]:
    """An artifact that nobody wrote is missing, an empty file or an empty folder: all the same to a reader."""
    return {"missing": True} if content in ({"text": ""}, {"files": {}}) else content
