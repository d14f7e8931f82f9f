"""What people and the API see of runs: reads alone, each from one snapshot of the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from headrace_persistence import reading
from headrace_persistence.listing import COUNTED, RUNS, cut, page_query
from headrace_persistence.places import fits, place
from headrace_persistence.queries import SQL
from headrace_persistence.stores.delivering import no_run
from headrace_persistence.stores.texts import storable as _storable
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_servicekit.postgres import Database, Row, Transaction

PAGE: Final = 1000
LARGEST_PAGE: Final = 10_000
PAGE_BYTES: Final = 1 << 18  # of a watcher's page; one event more where it is larger


@dataclass(frozen=True, slots=True)
class EventsRead:
    """Events after a seq, and where the run was when they were read."""

    events: list[ev.Event]
    revision: int
    state: int
    upto: int = 0  # the seq up to which all events that were asked for are here


class Runs:
    """RunQuery's reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, run_id: str) -> rq.Run:
        """One run."""
        rows = await self._database.read(SQL["get_run"], {"run_id": _storable(run_id)})
        if not rows:
            raise no_run(run_id)
        return reading.run(rows[0])

    async def list(self, request: rq.ListRunsRequest) -> rq.ListRunsResponse:
        """A page of runs."""
        only = {"namespace": request.namespace, "experiment_id": request.experiment_id}
        asked = page_query(RUNS, request.page, only)
        total, rows, following = cut(await self._database.read(asked.text, asked.params), asked.size)
        if total > COUNTED:
            ((plan,),) = await self._database.read(SQL["estimate_runs"].replace("/*where*/", asked.where), asked.params)
            total = max(total, int(plan[0]["Plan"]["Plan Rows"]))
        return rq.ListRunsResponse(runs=[reading.run(row) for row in rows], total=total, next=following)

    async def spec(self, run_id: str) -> rq.GetSpecResponse:
        """The run's spec and plan."""
        rows = await self._database.read(SQL["get_spec"], {"run_id": _storable(run_id)})
        if not rows:
            raise no_run(run_id)
        inputs = ev.Values.FromString(rows[0][2])
        return rq.GetSpecResponse(spec_json=rows[0][0], plan=rows[0][1], inputs=inputs)

    async def tasks(self, request: rq.ListTasksRequest) -> rq.ListTasksResponse:
        """A page of a run's tasks, or one of them."""
        size = min(request.page_size if request.page_size > 0 else PAGE, LARGEST_PAGE)

        async def work(tx: Transaction) -> rq.ListTasksResponse:
            await tx.execute(SQL["read_snapshot"])
            run = await _found(tx, request.run_id)
            if request.path:
                rows = await tx.fetch(SQL["get_task"], {"run": run, "path": _storable(request.path)})
            else:
                page = {"run": run, "after": request.after_id, "limit": size + 1}
                rows = await tx.fetch(SQL["list_tasks"], page)
            more = len(rows) > size
            rows = rows[:size]
            tasks = await _tasks(tx, request.run_id, run, rows)
            return rq.ListTasksResponse(tasks=tasks, next_after_id=rows[-1][0] if more else 0)

        return await self._database.transaction(work)

    async def artifacts(self, run_id: str) -> rq.ListArtifactsResponse:
        """What the run's tasks put out."""

        async def work(tx: Transaction) -> rq.ListArtifactsResponse:
            await tx.execute(SQL["read_snapshot"])
            rows = await tx.fetch(SQL["list_artifacts"], {"run": await _found(tx, run_id)})
            return rq.ListArtifactsResponse(artifacts=[_produced(row) for row in rows])

        return await self._database.transaction(work)

    async def at(self, queries: Sequence[rq.ArtifactQuery]) -> rq.FindArtifactsResponse:
        """For each query the newest artifact that fits."""
        wanted = {
            "places": [place(one) for one in queries],
            "namespaces": [_storable(one.namespace) for one in queries],
            "pipelines": [_storable(one.pipeline_name) for one in queries],
        }
        found = [rq.FoundArtifact() for _ in queries]
        for number, artifact_id, payload in await self._database.read(SQL["artifacts_at"], wanted):
            artifact = ev.Artifact.FromString(payload)
            answer = found[number - 1]
            if not answer.HasField("artifact") and fits(artifact, queries[number - 1]):
                artifact.id = artifact_id
                answer.artifact.CopyFrom(artifact)
        return rq.FindArtifactsResponse(found=found)

    async def find(self, run_id: str) -> int:
        """The run's bigint id."""
        rows = await self._database.read(SQL["find_run"], {"run_id": _storable(run_id)})
        if not rows:
            raise no_run(run_id)
        return int(rows[0][0])

    async def events(self, run_id: str, run: int, after: int, limit: int = PAGE) -> EventsRead:
        """The events after a seq."""
        rows = await self._database.read(SQL["read_events"], {"run": run, "after": after, "limit": limit})
        if not rows:
            raise no_run(run_id)
        events = [ev.Event.FromString(row[2]) for row in rows if row[2] is not None]
        return EventsRead(events, int(rows[0][0]), int(rows[0][1]))

    async def iterations(self, loops: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """How many iterations these loops (run id, path) have; 0 of what is gone."""
        if not loops:
            return {}
        asked = {"run_ids": [run_id for run_id, _ in loops], "paths": [_storable(path) for _, path in loops]}
        rows = await self._database.read(SQL["iterations_of"], asked)
        return dict.fromkeys(loops, 0) | {(run_id, path): int(count) for run_id, path, count in rows}

    async def revision(self, run: int) -> int:
        """The seq of the run's last event; 0 where it is gone."""
        rows = await self._database.read(SQL["revisions"], {"runs": [run]})
        return int(rows[0][1]) if rows else 0

    async def watched(self, run_id: str, run: int, after: int, kinds: Sequence[int]) -> EventsRead:
        """The events of these kinds (none: of all) after a seq: a page, bounded also in bytes."""
        asked = {"run": run, "after": after, "kinds": list(kinds), "limit": PAGE, "bytes": PAGE_BYTES}
        rows = await self._database.read(SQL["watch_events"], asked)
        if not rows:
            raise no_run(run_id)
        payloads = [row[2] for row in rows if row[2] is not None]
        events = [ev.Event.FromString(payload) for payload in payloads]
        whole = len(payloads) < PAGE and sum(map(len, payloads)) < PAGE_BYTES
        revision = int(rows[0][0])
        return EventsRead(events, revision, int(rows[0][1]), revision if whole else events[-1].seq)


async def _found(tx: Transaction, run_id: str) -> int:
    row = await tx.fetch_one(SQL["find_run"], {"run_id": _storable(run_id)})
    if row is None:
        raise no_run(run_id)
    return int(row[0])


async def _tasks(tx: Transaction, run_id: str, run: int, rows: list[Row]) -> list[rq.Task]:
    attempts: dict[str, list[rq.Attempt]] = defaultdict(list)
    for row in await tx.fetch(SQL["attempts_of"], {"run": run, "paths": [row[1] for row in rows]}):
        attempts[row[0]].append(reading.attempt(row[1:]))
    upstream = sorted({path for row in rows for path in reading.upstream_paths(row)})
    unended = {row[0] for row in await tx.fetch(SQL["unended"], {"run": run, "paths": upstream})} if upstream else set()
    tasks = [reading.task(run_id, row, attempts.get(row[1], ()), unended) for row in rows]
    await _number_artifacts(tx, tasks)
    return tasks


async def _number_artifacts(tx: Transaction, tasks: list[rq.Task]) -> None:
    """Give every artifact among inputs and outputs its bigint id, which clients of KFP and ML Metadata need."""
    named = [
        artifact
        for task in tasks
        for values in (task.inputs, task.outputs)
        for group in values.artifacts.values()
        for artifact in group.artifacts
        if artifact.artifact_id
    ]
    if named:
        wanted = {"artifact_ids": sorted({artifact.artifact_id for artifact in named})}
        ids: dict[str, int] = dict(await tx.fetch(SQL["artifact_ids"], wanted))
        for artifact in named:
            artifact.id = ids.get(artifact.artifact_id, 0)


def _produced(row: Row) -> rq.ProducedArtifact:
    artifact = ev.Artifact.FromString(row[3])
    artifact.id = row[2]
    produced = rq.ProducedArtifact(path=row[0], attempt=row[1], artifact=artifact, name=row[4], index=row[5])
    return produced
