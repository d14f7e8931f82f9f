"""Wiping the rows that speak of erased artifacts: those of the artifacts, of tasks and groups that read or wrote them, of their
attempts, events and runs, and what people put into ML Metadata. In the transaction of `erasing`, which holds the runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from headrace_persistence.queries import SQL
from headrace_persistence.retention import scrubbing
from headrace_persistence.retention.leaving import logs_of
from headrace_persistence.retention.lying import folder_of
from headrace_persistence.retention.scrubbing import Doomed, Task, groups_above, scrubbed, scrubbed_event
from headrace_protos.v1 import events_pb2 as ev
from headrace_servicekit.postgres import Row, Transaction

RUNTIME: Final = ev.RUNTIME
BESIDE_LOGS: Final = (
    "attempt.json",
    "partial",
)  # what an attempt stores beside its log, as headrace_companion.results has it
Place = tuple[int, str]
PLACE: Final = ("run", "path")


@dataclass(slots=True)
class Wiped:
    """What is to be deleted besides the artifacts."""

    objects: set[str] = field(default_factory=set)  # URIs: logs, reports and values of tasks that read or wrote them
    cache_keys: set[str] = field(default_factory=set)  # of tasks that did


async def wipe(tx: Transaction, artifacts: Sequence[Row], runs: Mapping[int, str], *, derived: bool) -> Wiped:
    """ARTIFACTS: (id, UUID, type, URI, …). With DERIVED, values that their readers put out go too."""
    ids = [row[0] for row in artifacts]
    uris = [row[3] for row in artifacts if row[3]]
    doomed = Doomed(frozenset(row[1] for row in artifacts), frozenset(uri.rstrip("/") for uri in uris))
    wiped = Wiped()
    how = await _tasks(tx, ids, runs, doomed, wiped, derived=derived)
    await _attempts(tx, runs, how, wiped)
    await _events(tx, doomed, how)
    await _runs(tx, runs, doomed, how, wiped)
    tombs = [ev.Artifact(artifact_id=row[1], schema_title=row[2]).SerializeToString() for row in artifacts]
    await tx.execute(SQL["wipe_artifacts"], {"id": ids, "payload": tombs})
    await tx.execute(SQL["wipe_properties"], {"ids": ids})
    await tx.execute(SQL["wipe_nodes"], {"uris": uris})
    await tx.execute(SQL["wipe_uses"], {"uris": sorted({*uris, *(uri.rstrip("/") for uri in uris)})})
    wiped.objects = {uri for uri in wiped.objects if not doomed.covers(uri)}
    return wiped


async def _tasks(
    tx: Transaction, ids: list[int], runs: Mapping[int, str], doomed: Doomed, wiped: Wiped, *, derived: bool
) -> dict[Place, Task]:
    """What goes of which task, group and (path "") run."""
    rows = await tx.fetch(SQL["tasks_of_artifacts"], {"ids": ids})
    how: dict[Place, Task] = {(run, ""): Task() for run in runs}
    readers: dict[int, list[str]] = defaultdict(list)
    for run, path, kind, reads, *_, key in rows:
        outputs = derived and reads and kind == RUNTIME
        how[run, path] = Task(outputs=outputs, words=kind == RUNTIME)
        if outputs:
            readers[run].append(path)
        if key and (outputs or not reads):
            wiped.cache_keys.add(key)
    known = {(row[0], row[1]) for row in rows}
    above = {(run, group) for run, paths in readers.items() for group in groups_above(paths)}
    how.update(dict.fromkeys(above, Task(outputs=True, words=True)))  # groups pass on what is in them
    groups = await tx.fetch(SQL["tasks_at"], _columns(PLACE, sorted(place for place in above - known if place[1])))
    after = [_task(row, how, runs, doomed, wiped) for row in (*rows, *groups)]
    await tx.execute(SQL["wipe_tasks"], _columns((*PLACE, "inputs", "outputs", "error"), after))
    return how


def _task(
    row: Row, how: Mapping[Place, Task], runs: Mapping[int, str], doomed: Doomed, wiped: Wiped
) -> tuple[int, str, bytes, bytes, bytes]:
    run, path, _, _, inputs, outputs, error, _ = row
    task = how[run, path]
    made, stored = scrubbed(outputs, doomed, parameters=task.outputs)
    wiped.objects |= {uri for uri in stored if folder_of(uri, runs.get(run, ""))}
    return run, path, scrubbed(inputs, doomed)[0], made, scrubbing.silenced_bytes(error) if task.words else error


async def _attempts(tx: Transaction, runs: Mapping[int, str], how: Mapping[Place, Task], wiped: Wiped) -> None:
    """Logs and reports hold content: those of tasks that read or wrote go."""
    places = sorted(place for place, task in how.items() if task.words and place[1])
    after = []
    for run, path, number, launched, finished in await tx.fetch(SQL["attempts_at"], _columns(PLACE, places)):
        for log in logs_of(launched, finished):
            if folder_of(log, runs.get(run, "")):
                folder = log.rpartition("/")[0]
                wiped.objects |= {log, *(f"{folder}/{name}" for name in BESIDE_LOGS)}
        launch, finish = ev.AttemptLaunched.FromString(launched), ev.AttemptFinished.FromString(finished)
        del launch.warnings[:]
        if finish.HasField("error"):
            scrubbing.silenced(finish.error)
        after.append((run, path, number, launch.SerializeToString(), finish.SerializeToString()))
    await tx.execute(SQL["wipe_attempts"], _columns((*PLACE, "number", "launched", "finished"), after))


async def _events(tx: Transaction, doomed: Doomed, how: Mapping[Place, Task]) -> None:
    after = []
    for run, seq, day, path, payload in await tx.fetch(SQL["events_at"], _columns(PLACE, sorted(how))):
        made = scrubbed_event(payload, doomed, how[run, path])
        if made != payload:
            after.append((run, seq, day, made))
    await tx.execute(SQL["wipe_events"], _columns(("run", "seq", "day", "payload"), after))


async def _runs(
    tx: Transaction, runs: Mapping[int, str], doomed: Doomed, how: Mapping[Place, Task], wiped: Wiped
) -> None:
    after = []
    for row in await tx.fetch(SQL["lock_runs_to_wipe"], {"runs": sorted(runs)}):
        run, inputs, outputs, error = row[0], row[6], row[7], row[8]
        task = how[run, ""]
        made, stored = scrubbed(outputs, doomed, parameters=task.outputs)
        wiped.objects |= {uri for uri in stored if folder_of(uri, runs[run])}
        silent = scrubbing.silenced_bytes(error) if task.words else error
        after.append((run, scrubbed(inputs, doomed)[0], made, silent))
    await tx.execute(SQL["wipe_runs"], _columns(("run", "inputs", "outputs", "error"), after))


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """Parameters for unnest."""
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}
