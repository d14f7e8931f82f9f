"""What a run leaves in the stores when its rows are deleted, written down in the same transaction: its folder, and each artifact
in it that its policy decides about. Called by stores/appending.py.

A user who deletes a run wants the results that it put into the cache gone too; a policy leaves them to the cache's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from headrace_persistence.queries import SQL
from headrace_persistence.retention.lying import folder_of
from headrace_protos.v1 import events_pb2 as ev
from headrace_servicekit.postgres import Transaction

FOLDER, ARTIFACT, LOGS, EVENTS, OBJECT, ENTRY, FETCHED = range(1, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A row of `remains`."""

    kind: int
    run_id: str
    namespace: str
    pipeline_name: str
    created_at_us: int
    uri: str = ""
    size: int = 0
    drop_cache: bool = False
    doomed: bool = False
    upto: int = 0
    erasure: int = 0


async def leave(tx: Transaction, remains: Iterable[Left]) -> None:
    """Store them; what is there already stays as it is."""
    rows = list(remains)
    if rows:
        columns: dict[str, Any] = {one.name: [getattr(row, one.name) for row in rows] for one in fields(Left)}
        await tx.execute(SQL["insert_remains"], columns)


async def leave_remains(tx: Transaction, runs: Mapping[int, str]) -> None:
    """Of RUNS (number → id), which are locked and go in this transaction."""
    numbers = {"runs": list(runs)}
    scopes = {row[0]: row[1:] for row in await tx.fetch(SQL["scopes_of_runs"], numbers)}
    folders: dict[int, set[str]] = defaultdict(set)
    for run, folder, launched, finished in await tx.fetch(SQL["folders_of_runs"], numbers):
        folders[run].update({folder} if folder else _folders(runs[run], logs_of(launched, finished)))
    unknown = [run for run in runs if not folders[run]]
    if unknown:
        for run, inputs, outputs in await tx.fetch(SQL["values_of_runs"], {"runs": unknown}):
            folders[run] |= _folders(runs[run], [*value_uris(inputs), *value_uris(outputs)])

    def left(run: int, kind: int, uri: str, **more: Any) -> Left:
        namespace, pipeline, created, _ = scopes[run]
        told = {"created_at_us": created, **more}
        return Left(kind=kind, uri=uri, run_id=runs[run], namespace=namespace, pipeline_name=pipeline, **told)

    await leave(
        tx,
        (left(run, FOLDER, one, drop_cache=not scopes[run][3]) for run in sorted(runs) for one in sorted(folders[run])),
    )
    found = await tx.fetch(SQL["artifacts_left_by"], numbers)
    sizes = {(row[0], row[1]): (row[2], ev.Artifact.FromString(row[3]).size) for row in found}
    await leave(
        tx,
        (left(run, ARTIFACT, uri, created_at_us=at, size=size) for (run, uri), (at, size) in sorted(sizes.items())),
    )


def logs_of(launched: bytes, finished: bytes) -> list[str]:
    """Where an attempt logs."""
    told = [ev.AttemptLaunched.FromString(launched).log_uri, ev.AttemptFinished.FromString(finished).log_uri]
    return [uri for uri in dict.fromkeys(told) if uri]


def value_uris(values: bytes) -> Iterator[str]:
    """Where values by reference lie."""
    for value in ev.Values.FromString(values).parameters.values():
        if value.uri:
            yield value.uri


def _folders(run_id: str, uris: Iterable[str]) -> set[str]:
    return {folder for uri in uris if (folder := folder_of(uri, run_id))}
