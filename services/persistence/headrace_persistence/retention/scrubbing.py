"""Taking the content out of what is recorded of artifacts and tasks. The shape stays: who read and wrote what, of which type.

Pure: messages in, messages out. Called by `wiping`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from headrace_persistence.retention.lying import above
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev

ERASED: Final = "erased"  # instead of what a task said


@dataclass(frozen=True, slots=True)
class Doomed:
    """What is erased: artifacts by their ids, and places with all that lies in them."""

    artifact_ids: frozenset[str]
    places: frozenset[str]  # without a slash at their ends

    def has(self, artifact: ev.Artifact) -> bool:
        """Whether it is one of them, or lies in one of the places."""
        return artifact.artifact_id in self.artifact_ids or self.covers(artifact.uri)

    def covers(self, uri: str) -> bool:
        """Whether it is one of the places, or lies in one."""
        return uri.rstrip("/") in self.places or any(at in self.places for at in above(uri))


def tombstone(artifact: ev.Artifact) -> ev.Artifact:
    """That there was one, and of which type."""
    return ev.Artifact(
        artifact_id=artifact.artifact_id,
        id=artifact.id,
        schema_title=artifact.schema_title,
        schema_version=artifact.schema_version,
    )


def scrub(values: ev.Values, doomed: Doomed, *, parameters: bool = False) -> list[str]:
    """Take it out of VALUES, with PARAMETERS their values too; where those lay that were references."""
    for group in values.artifacts.values():
        for artifact in group.artifacts:
            if doomed.has(artifact):
                artifact.CopyFrom(tombstone(artifact))
    stored = [value.uri for value in values.parameters.values() if value.uri] if parameters else []
    for name in values.parameters if parameters else ():
        values.parameters[name].CopyFrom(ev.Value(json="null"))
    return stored


def scrubbed(values: bytes, doomed: Doomed, *, parameters: bool = False) -> tuple[bytes, list[str]]:
    """The same of serialised Values."""
    made = ev.Values.FromString(values)
    stored = scrub(made, doomed, parameters=parameters)
    return made.SerializeToString(), stored


def silenced(error: ev.Error) -> None:
    """What failed stays, what it said goes: messages and last lines hold content."""
    if error.message:
        error.message = ERASED
    error.log_tail = ""


def silenced_bytes(error: bytes) -> bytes:
    made = ev.Error.FromString(error)
    silenced(made)
    return made.SerializeToString()


def scrubbed_event(payload: bytes, doomed: Doomed, how: Task) -> bytes:
    """An event of the run, or of a task of which HOW says what goes."""
    event = ev.Event.FromString(payload)
    kind = event.WhichOneof("kind")
    if kind in ("run_started", "task_started"):
        scrub(getattr(event, kind).inputs, doomed)
    elif kind == "run_finished":
        scrub(event.run_finished.outputs, doomed, parameters=how.outputs)
        _silence(event.run_finished, how)
    elif kind == "task_finished":
        finished = event.task_finished
        if finished.HasField("inputs"):
            scrub(finished.inputs, doomed)
        scrub(finished.outputs, doomed, parameters=how.outputs)
        _silence(finished, how)
    elif kind == "attempt_finished":
        _silence(event.attempt_finished, how)
    elif kind == "attempt_launched" and how.words:
        del event.attempt_launched.warnings[:]
    return event.SerializeToString()


@dataclass(frozen=True, slots=True)
class Task:
    """What goes of a task besides the artifacts: `outputs` the values of its output parameters, `words` what it said."""

    outputs: bool = False
    words: bool = False


def _silence(message: ev.TaskFinished | ev.RunFinished | ev.AttemptFinished, how: Task) -> None:
    if how.words and message.HasField("error"):
        silenced(message.error)


def groups_above(paths: Iterable[str]) -> set[str]:
    """The groups that tasks are in; "" is the run itself."""
    found = {""}
    for path in paths:
        at = path
        while at:
            at = lifecycle.parent_path(at)
            found.add(at)
    return found
