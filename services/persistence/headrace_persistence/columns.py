"""Changes of many runs → the parameters of the append's statements: one array for each column.

Pure. The names are the parameters of sql/queries/appending.sql; a statement without rows is left out by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from headrace_persistence.metadata.rendering import LONGEST_NAME, metadata, type_name
from headrace_persistence.metadata.rendering import value as scalar
from headrace_persistence.moves import fixed, packed
from headrace_persistence.places import place
from headrace_persistence.projecting import KINDS, AttemptChange, RunChange, TaskChange
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev

Columns = dict[str, list[Any]]

# Columns of a task's row that an update leaves alone where the change has None, and what a new row has instead.
TASK_DEFAULTS: Final[dict[str, Any]] = {
    "inputs": b"",
    "outputs": b"",
    "error": b"",
    "waiting_on": b"",
    "iteration_count": 0,
    "cached_from": "",
    "skip_reason": "",
    "cache_key": "",
    "cache_token": "",
    "attempts": 0,
    "attempt_state": 0,
    "handle": "",
    "node": "",
    "retry_at_us": 0,
    "started_at_us": 0,
    "finished_at_us": 0,
    "attempt_started_at_us": 0,
    "linked_from": "",
}
RUN_COLUMNS: Final = (
    "inputs",
    "outputs",
    "error",
    "history",
    "started_at_us",
    "finished_at_us",
    "retried_at_us",
    "run_exit_tasks",
    "resetting",
)
LONGEST_DIGEST: Final = 200  # characters: what is reported may be anything, and an index holds no long text
LONGEST_FOUND: Final = 1_000  # characters of a metadata text that artifacts are found by
COUNTED: Final = ("user_failures", "infrastructure_failures", "preemptions")


def events(changes: Sequence[RunChange]) -> Columns:
    """For insert_events."""
    rows = [(change.row, event) for change in changes for event in change.events]
    return {
        "day": [row.day for row, _ in rows],
        "run": [row.run for row, _ in rows],
        "seq": [event.seq for _, event in rows],
        "time_us": [event.time_us for _, event in rows],
        "kind": [KINDS[event.WhichOneof("kind") or ""] for _, event in rows],
        "attempt": [event.attempt for _, event in rows],
        "path": [event.path for _, event in rows],
        "payload": [event.SerializeToString() for _, event in rows],
    }


def new_tasks(changes: Sequence[RunChange]) -> Columns:
    """For insert_tasks."""
    rows = [one for one in _tasks(changes) if one[2].created is not None]
    made: Columns = {
        "run": [run for run, _, _ in rows],
        "path": [path for _, path, _ in rows],
        "parent": [lifecycle.parent_path(path) for _, path, _ in rows],
        "kind": [(task.created or ev.TaskCreated()).kind for _, _, task in rows],
        "state": [task.state for _, _, task in rows],
        "definition": [(task.created or ev.TaskCreated()).SerializeToString() for _, _, task in rows],
        "created_at_us": [task.created_at_us for _, _, task in rows],
    }
    for name, default in TASK_DEFAULTS.items():
        made[name] = [default if (value := getattr(task, name)) is None else value for _, _, task in rows]
    for name in COUNTED:
        made[name] = [getattr(task, name) for _, _, task in rows]
    return made


def changed_tasks(changes: Sequence[RunChange]) -> Columns:
    """For update_tasks."""
    rows = [one for one in _tasks(changes) if one[2].created is None]
    made: Columns = {
        "run": [run for run, _, _ in rows],
        "path": [path for _, path, _ in rows],
        "moves": [packed(task.move) for _, _, task in rows],
    }
    for name in (*TASK_DEFAULTS, *COUNTED, "failures_kept", "next_attempt"):
        made[name] = [getattr(task, name) for _, _, task in rows]
    return made


def new_attempts(changes: Sequence[RunChange]) -> Columns:
    """For insert_attempts."""
    rows = [one for one in _attempts(changes) if one[3].started is not None]
    return {
        "run": [run for run, _, _, _ in rows],
        "path": [path for _, path, _, _ in rows],
        "number": [number for _, _, number, _ in rows],
        "state": [attempt.move[0] for *_, attempt in rows],
        "started": [attempt.started for *_, attempt in rows],
        "launched": [attempt.launched or b"" for *_, attempt in rows],
        "finished": [attempt.finished or b"" for *_, attempt in rows],
        "created_at_us": [attempt.created_at_us for *_, attempt in rows],
        "finished_at_us": [attempt.finished_at_us or 0 for *_, attempt in rows],
        "accelerators": [attempt.accelerators for *_, attempt in rows],
        "accelerator": [attempt.accelerator or "" for *_, attempt in rows],
        "running_at_us": [attempt.running_at_us or 0 for *_, attempt in rows],
        "ended_at_us": [attempt.ended_at_us or 0 for *_, attempt in rows],
    }


def changed_attempts(changes: Sequence[RunChange]) -> Columns:
    """For update_attempts."""
    rows = [one for one in _attempts(changes) if one[3].started is None]
    return {
        "run": [run for run, _, _, _ in rows],
        "path": [path for _, path, _, _ in rows],
        "number": [number for _, _, number, _ in rows],
        "moves": [packed(attempt.move) for *_, attempt in rows],
        "launched": [attempt.launched for *_, attempt in rows],
        "finished": [attempt.finished for *_, attempt in rows],
        "finished_at_us": [attempt.finished_at_us for *_, attempt in rows],
        "accelerator": [attempt.accelerator for *_, attempt in rows],
        "running_at_us": [attempt.running_at_us for *_, attempt in rows],
        "ended_at_us": [attempt.ended_at_us for *_, attempt in rows],
    }


def ended_attempts(changes: Sequence[RunChange]) -> Columns:
    """For add_accelerator_use."""
    rows = [one for one in _attempts(changes) if one[3].finished is not None]
    return {
        "run": [run for run, _, _, _ in rows],
        "path": [path for _, path, _, _ in rows],
        "number": [number for _, _, number, _ in rows],
    }


def artifacts(changes: Sequence[RunChange]) -> Columns:
    """For insert_artifacts: each once, in the order of their ids."""
    found = {key: value for change in changes for key, value in change.artifacts.items()}
    rows = [(key, *found[key]) for key in sorted(found)]
    return {
        "artifact_id": [key for key, _, _ in rows],
        "created_at_us": [time_us for _, time_us, _ in rows],
        "payload": [_without_id(artifact).SerializeToString() for _, _, artifact in rows],
        "place": [place(artifact) for _, _, artifact in rows],
        "type_name": [type_name(artifact) for _, _, artifact in rows],
        "uri": [artifact.uri.replace("\0", "") for _, _, artifact in rows],
        "name": [artifact.name.replace("\0", "") for _, _, artifact in rows],
        "digest": [artifact.digest.replace("\0", "")[:LONGEST_DIGEST] for _, _, artifact in rows],
    }


def artifact_metadata(changes: Sequence[RunChange]) -> Columns:
    """For insert_artifact_metadata: scalars, but for long texts, which nobody looks for."""
    found = {
        key: artifact for change in changes for key, (_, artifact) in change.artifacts.items() if artifact.metadata_json
    }
    rows = [(key, name, value) for key in sorted(found) for name, value in _scalars(found[key])]
    made: Columns = {"artifact_id": [key for key, _, _ in rows], "name": [name for _, name, _ in rows]}
    for column in ("int_value", "double_value", "string_value"):
        made[column] = [getattr(value, column) if value.WhichOneof("value") == column else None for *_, value in rows]
    return made


def _scalars(artifact: ev.Artifact) -> Iterable[tuple[str, Any]]:
    """What of an artifact's metadata can be looked for."""
    for name, held in metadata(artifact).items():
        value = None if isinstance(held, (list, dict)) else scalar(held)
        if value is None or len(name) > LONGEST_NAME or len(value.string_value) > LONGEST_FOUND:
            continue
        if "\0" not in name and "\0" not in value.string_value:
            yield name, value


def links(changes: Sequence[RunChange]) -> Columns:
    """For insert_links."""
    rows = [(change.row.run, *key, artifact) for change in changes for key, artifact in change.links.items()]
    names = ("run", "path", "direction", "name", "position", "artifact_id")
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def uses(changes: Sequence[RunChange]) -> Columns:
    """For insert_uses."""
    rows = [(change.row.run, uri) for change in changes for uri in sorted(change.places)]
    return {"run": [run for run, _ in rows], "uri": [uri.replace("\0", "").rstrip("/") for _, uri in rows]}


def runs(changes: Sequence[RunChange], counts: dict[int, list[int]]) -> Columns:
    """For update_runs; COUNTS has the tasks by state, after this append."""
    made: Columns = {
        "run": [change.row.run for change in changes],
        "expected": [change.row.revision for change in changes],
        "revision": [change.revision for change in changes],
        "moves": [fixed(change.row.state, change.state) for change in changes],
        "task_counts": ["{" + ",".join(map(str, counts[change.row.run])) + "}" for change in changes],
    }
    for name in RUN_COLUMNS:
        made[name] = [getattr(change, name) for change in changes]
    return made


def _tasks(changes: Sequence[RunChange]) -> Iterable[tuple[int, str, TaskChange]]:
    return ((change.row.run, path, task) for change in changes for path, task in change.tasks.items())


def _attempts(changes: Sequence[RunChange]) -> Iterable[tuple[int, str, int, AttemptChange]]:
    return (
        (change.row.run, path, number, one) for change in changes for (path, number), one in change.attempts.items()
    )


def _without_id(artifact: ev.Artifact) -> ev.Artifact:
    if not artifact.id:
        return artifact
    bare = ev.Artifact()
    bare.CopyFrom(artifact)
    bare.ClearField("id")
    return bare
