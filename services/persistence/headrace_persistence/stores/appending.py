"""Append: one transaction for the changes of many runs; what is refused is left out, the others commit.

Refusals by revision or shard are seen while the runs are locked; refusals by the transition table come from the counts that
the guarded statements answer with; anything else that Postgres refuses (a CHECK, a value that cannot be stored) splits the
batch until the culprit is alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from headrace_persistence import columns
from headrace_persistence.arrays import literals
from headrace_persistence.projecting import RefusedError, RunChange, RunRow, project
from headrace_persistence.queries import SQL
from headrace_persistence.retention.leaving import leave_remains
from headrace_persistence.stores.sessions import lost
from headrace_protos.lifecycle import TASK_TRANSITIONS
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, QueryError, Row, Transaction

REFUSALS: Final = ("22", "23")  # SQLSTATE classes: data exception, integrity constraint violation


@dataclass(frozen=True, slots=True)
class Appended:
    """The answer, and which runs (bigint ids) have news for readers."""

    runs: list[rs.RunAppended]
    changed: frozenset[int]


class _CulpritsError(Exception):
    """Rows refused these runs (bigint ids): roll back, leave them out, try again."""

    def __init__(self, runs: frozenset[int]) -> None:
        super().__init__(str(sorted(runs)))
        self.runs = runs


@dataclass(slots=True)
class _Batch:
    """One transaction's worth of work and what became of it."""

    outcomes: dict[int, rs.RunAppended]  # by index in the request
    changed: set[int]
    titles: frozenset[str] = frozenset()  # types of artifacts that are there
    new_titles: set[str] = field(default_factory=set)


class Appender:
    """The only writer of events and of the rows that follow from them (a run's creation apart)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._titles: frozenset[str] = frozenset()

    async def append(self, request: rs.AppendRequest) -> Appended:
        """Commit what can be; answers in the request's order."""
        outcomes: dict[int, rs.RunAppended] = {}
        wanted: dict[str, int] = {}
        for index, run in enumerate(request.runs):
            if run.run_id in wanted:
                outcomes[index] = _refused(run, rs.REFUSED_INVALID, "the run is in this append twice")
            else:
                wanted[run.run_id] = index
        batch = _Batch(outcomes, set())
        await self._some(request, sorted(wanted.values()), batch)
        return Appended([outcomes[index] for index in range(len(request.runs))], frozenset(batch.changed))

    async def _some(self, request: rs.AppendRequest, indexes: Sequence[int], batch: _Batch) -> None:
        """Append the runs at INDEXES; split and repeat where Postgres refuses."""
        if not indexes:
            return
        done = _Batch({}, set())
        refused: dict[int, str] = {}
        try:
            while True:
                done = _Batch({}, set(), self._titles)
                try:
                    await self._database.transaction(partial(_commit, request, indexes, refused, done))
                    break
                except _CulpritsError as culprits:
                    refused |= await self._explain(request, culprits.runs)
        except ServiceError as failed:
            if not _is_refusal(failed):
                raise
            if len(indexes) == 1:
                run = request.runs[indexes[0]]
                batch.outcomes[indexes[0]] = _refused(run, rs.REFUSED_INVALID, failed.message)
                return
            middle = len(indexes) // 2
            await self._some(request, indexes[:middle], batch)
            await self._some(request, indexes[middle:], batch)
            return
        self._titles |= done.new_titles
        batch.outcomes |= done.outcomes
        batch.changed |= done.changed

    async def _explain(self, request: rs.AppendRequest, runs: frozenset[int]) -> dict[int, str]:
        """Why the rows refused RUNS: the first event whose task or attempt is not in a state that allows it."""
        reasons: dict[int, str] = {}
        for run in runs:
            found = await self._database.read(SQL["run_id_of"], {"run": run})
            events = [e for one in request.runs for e in one.events if found and one.run_id == found[0][0]]
            paths = sorted({event.path for event in events if event.path})
            rows = await self._database.read(SQL["task_states"], {"run": run, "paths": paths})
            reasons[run] = _first_conflict(events, {row[0]: row for row in rows})
        return reasons


async def _commit(
    request: rs.AppendRequest, indexes: Sequence[int], refused: dict[int, str], done: _Batch, tx: Transaction
) -> None:
    await _Append(tx, request, indexes, refused, done).commit()


class _Append:
    """One transaction of an append."""

    def __init__(
        self,
        tx: Transaction,
        request: rs.AppendRequest,
        indexes: Sequence[int],
        refused: dict[int, str],
        done: _Batch,
    ) -> None:
        self._tx, self._request, self._indexes, self._refused, self._done = tx, request, indexes, refused, done

    async def commit(self) -> None:
        """Guard, lock, project, write. Starts anew where the transaction is tried again."""
        self._done.outcomes.clear()
        self._done.changed.clear()
        locked = await self._locked()
        changes: list[RunChange] = []
        consumed: list[tuple[int, int]] = []
        deleted: list[Row] = []
        for index in self._indexes:
            run = self._request.runs[index]
            row = locked.get(run.run_id)
            refusal = self._refusal(run, row)
            if refusal is None and row is not None:
                if run.delete:
                    deleted.append(row)
                else:
                    try:
                        changes.append(project(_run_row(row), run.events))
                    except RefusedError as wrong:
                        refusal = _refused(run, rs.REFUSED_INVALID, f"Run {run.run_id}: {wrong}", row[2])
                    else:
                        consumed += [(row[1], inbox_id) for inbox_id in run.consumed]
            if refusal is not None:
                self._done.outcomes[index] = refusal
            elif row is not None:
                revision = row[2] + len(run.events)
                self._done.outcomes[index] = rs.RunAppended(run_id=run.run_id, outcome=rs.COMMITTED, revision=revision)
                self._done.changed.add(row[1])
        changes, consumed = await self._without_doomed(changes, consumed)
        await self._write(changes, consumed)
        if deleted:
            await self._delete(deleted)

    async def _without_doomed(
        self, changes: list[RunChange], consumed: list[tuple[int, int]]
    ) -> tuple[list[RunChange], list[tuple[int, int]]]:
        """Uses of other runs' places are stored under retention's lock. Who takes a result that is being deleted is refused as if
        the run had moved on: the scheduler loads it again, asks the cache again, and runs the task.
        """
        if not any(change.places for change in changes):
            return changes, consumed
        await self._tx.fetch(SQL["share_retention_lock"])
        taken = sorted({uri for change in changes for uri in change.taken})
        found = await self._tx.fetch(SQL["doomed_among"], {"uris": taken}) if taken else []
        doomed = {row[0] for row in found}
        late = {change.row.run for change in changes if change.taken & doomed}
        for index in [index for index in self._indexes if late]:
            row = next(
                (c.row for c in changes if c.row.run in late and c.row.run_id == self._request.runs[index].run_id), None
            )
            if row is not None:
                run = self._request.runs[index]
                why = f"Run {run.run_id} takes a result that is being deleted: load it again"
                self._done.outcomes[index] = _refused(run, rs.REFUSED_REVISION, why, row.revision)
                self._done.changed.discard(row.run)
        kept = [change for change in changes if change.row.run not in late]
        return kept, [pair for pair in consumed if pair[0] not in late]

    async def _locked(self) -> dict[str, Row]:
        session = {"session_id": self._request.session_id, "epoch": self._request.epoch}
        run_ids = [self._request.runs[index].run_id for index in self._indexes]
        async with self._tx.connection.pipeline():
            guard = await self._tx.connection.execute(SQL["guard_session"], session)
            runs = await self._tx.connection.execute(SQL["lock_runs"], {**session, "run_ids": run_ids})
            if await guard.fetchone() is None:
                raise lost(self._request.session_id)
            return {row[0]: row for row in await runs.fetchall()}

    def _refusal(self, run: rs.RunAppend, row: Row | None) -> rs.RunAppended | None:
        if row is None:
            return _refused(run, rs.REFUSED_REVISION, f"Run {run.run_id} is not there")
        if not row[6]:
            return _refused(run, rs.REFUSED_SHARD, f"Run {run.run_id}: the session does not hold its shard", row[2])
        if row[2] != run.expected_revision:
            at = f"Run {run.run_id} is at revision {row[2]}, not {run.expected_revision}: load it again"
            return _refused(run, rs.REFUSED_REVISION, at, row[2])
        if row[1] in self._refused:
            return _refused(run, rs.REFUSED_INVALID, f"Run {run.run_id}: {self._refused[row[1]]}", row[2])
        if run.delete and run.events:
            return _refused(run, rs.REFUSED_INVALID, f"Run {run.run_id}: a deletion has no events", row[2])
        return None

    async def _write(self, changes: list[RunChange], consumed: list[tuple[int, int]]) -> None:
        counts = {change.row.run: list(change.row.counts) for change in changes}
        expected = _expected(changes)
        async with self._tx.connection.pipeline():
            await self._run("insert_events", columns.events(changes))
            tasks = [
                await self._run("insert_tasks", columns.new_tasks(changes)),
                await self._run("update_tasks", columns.changed_tasks(changes)),
            ]
            attempts = [
                await self._run("insert_attempts", columns.new_attempts(changes)),
                await self._run("update_attempts", columns.changed_attempts(changes)),
            ]
            await self._artifacts(changes)
            await self._run("insert_links", columns.links(changes))
            await self._run("insert_uses", columns.uses(changes))
            if consumed:
                pairs = {"run": [run for run, _ in consumed], "inbox_id": [one for _, one in consumed]}
                await self._tx.connection.execute(SQL["consume_inbox"], pairs)
            for cursor in tasks:
                for run, source, target, count in await _rows(cursor):
                    _count(counts[run], source, target, count)
                    expected[run] -= count
            accelerated = False
            for cursor in attempts:
                for run, count, counts_use in await _rows(cursor):
                    expected[run] -= count
                    accelerated = accelerated or counts_use
            culprits = frozenset(run for run, missing in expected.items() if missing)
            if not culprits:
                if accelerated:
                    await self._run("add_accelerator_use", columns.ended_attempts(changes))
                updated = await self._run("update_runs", columns.runs(changes, counts))
                kept = {row[0] for row in await _rows(updated)}
                culprits = frozenset(change.row.run for change in changes if change.row.run not in kept)
        if culprits:
            raise _CulpritsError(culprits)

    async def _artifacts(self, changes: list[RunChange]) -> None:
        artifacts = columns.artifacts(changes)
        titles = set(artifacts["type_name"]) - self._done.titles
        await self._run("insert_artifact_types", {"name": sorted(titles)})
        await self._run("insert_artifacts", artifacts)
        await self._run("insert_artifact_metadata", columns.artifact_metadata(changes))
        self._done.new_titles |= titles

    async def _run(self, name: str, rows: columns.Columns) -> Any:
        """The cursor of statement NAME over ROWS, or None where there are none."""
        if not next(iter(rows.values())):
            return None
        return await self._tx.connection.execute(SQL[name], literals(name, rows))

    async def _delete(self, rows: list[Row]) -> None:
        runs = {"runs": [row[1] for row in rows]}
        await leave_remains(self._tx, {row[1]: row[0] for row in rows})
        artifacts = [row[0] for row in await self._tx.fetch(SQL["lock_artifacts_of"], runs)]
        await self._tx.execute(SQL["delete_links"], runs)
        await self._tx.execute(SQL["delete_uses"], runs)
        await self._tx.execute(SQL["delete_artifact_uses"], {**runs, "artifacts": artifacts})
        await self._tx.execute(SQL["delete_orphans"], {"artifacts": artifacts})
        await self._tx.execute(SQL["delete_metadata_of_artifacts"], {"artifacts": artifacts})
        await self._tx.execute(SQL["delete_metadata_of_runs"], runs)
        await self._tx.execute(SQL["delete_runs"], {**runs, "days": [row[4] for row in rows]})


async def _rows(cursor: Any) -> list[Row]:
    return [] if cursor is None else await cursor.fetchall()


def _expected(changes: Sequence[RunChange]) -> dict[int, int]:
    """How many rows of tasks and attempts the guarded statements must have touched, for each run."""
    return {change.row.run: len(change.tasks) + len(change.attempts) for change in changes}


def _count(counts: list[int], source: int, target: int, number: int) -> None:
    if source:
        counts[source - 1] -= number
    counts[target - 1] += number


def _run_row(row: Row) -> RunRow:
    return RunRow(run=row[1], run_id=row[0], revision=row[2], state=row[3], day=row[4], counts=tuple(row[5]))


def _refused(run: rs.RunAppend, outcome: rs.AppendOutcome.ValueType, message: str, revision: int = 0) -> rs.RunAppended:
    return rs.RunAppended(run_id=run.run_id, outcome=outcome, revision=revision, message=message)


def _is_refusal(failed: ServiceError) -> bool:
    if isinstance(failed, QueryError):
        return failed.sqlstate[:2] in REFUSALS
    return failed.reason == Reason.INVALID_INPUT


def _first_conflict(events: Sequence[ev.Event], tasks: dict[str, Row]) -> str:
    """A sentence about the first task of EVENTS that is not as its first event needs it."""
    seen: set[str] = set()
    for event in events:
        kind = event.WhichOneof("kind") or ""
        if not event.path or kind.startswith("run_") or event.path in seen:
            continue
        seen.add(event.path)
        task = tasks.get(event.path)
        if task is None and kind != "task_created":
            return f"event {event.seq}: {kind} of task {event.path}, which does not exist"
        if task is not None and kind == "task_created":
            return f"event {event.seq}: task {event.path} exists already"
        if task is not None and kind.startswith("attempt_") and _attempt_conflicts(kind, event, task):
            state = ev.AttemptState.Name(task[3])
            return f"event {event.seq}: {kind} of attempt {event.path}#{event.attempt}: the last one is #{task[2]} ({state})"
        if task is not None and kind.startswith("task_") and _task_conflicts(kind, event, task[1]):
            return (
                f"event {event.seq}: {kind} is not allowed where task {event.path} is {ev.TaskState.Name(task[1])[5:]}"
            )
    return "its rows forbid these events"


def _attempt_conflicts(kind: str, event: ev.Event, task: Row) -> bool:
    if kind == "attempt_started":
        return event.attempt <= int(task[2])
    return event.attempt > int(task[2]) or int(task[3]) not in (ev.ATTEMPT_STARTING, ev.ATTEMPT_RUNNING)


def _task_conflicts(kind: str, event: ev.Event, state: int) -> bool:
    return not any(s == state and k == kind for s, k, _ in TASK_TRANSITIONS)
