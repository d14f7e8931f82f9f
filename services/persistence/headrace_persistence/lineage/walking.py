"""Walking lineage: from an artifact over tasks to artifacts, a hop at a time, a few statements each.

Upstream a task that took its results from the cache or another run is passed over where the one that made them is there.
Records of one place are joined where nobody's code made the later one: it was imported from where another run had put it.
Called by handlers/lineage.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from headrace_persistence.lineage.describing import described
from headrace_persistence.lineage.finding import numbered, records, use
from headrace_persistence.queries import SQL
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Row, Transaction

READ, WROTE = 1, 2
IMPORTER: Final = 2  # of a task's kinds
WRITERS: Final = 200  # of one artifact that are looked at: the one that made it is among the first
FIRST_WRITERS: Final = 8  # that are looked at before the others
HOPS: Final = 5
MOST_HOPS: Final = 100
SIZE: Final = 1000
LARGEST: Final = 10_000


@dataclass(slots=True)
class Found:
    """What has been reached. `runs`: the run's number of each task; `steps`: a row that led to it, which says where it is."""

    root: int
    most: int
    artifacts: set[int] = field(default_factory=set)
    runs: dict[int, int] = field(default_factory=dict)
    steps: dict[int, Row] = field(default_factory=dict)
    edges: dict[tuple[int, int, bool, str, int], pb.ArtifactUse] = field(default_factory=dict)
    same: set[tuple[int, int]] = field(default_factory=set)
    truncated: bool = False

    @property
    def room(self) -> int:
        """How much more it may hold."""
        return self.most - len(self.artifacts) - len(self.runs)

    def add_artifacts(self, numbers: Iterable[int]) -> list[int]:
        """Those that are new, as far as there is room."""
        new = [number for number in dict.fromkeys(numbers) if number not in self.artifacts]
        kept = new[: max(self.room, 0)]
        self.truncated |= len(kept) < len(new)
        self.artifacts.update(kept)
        return kept

    def add_tasks(self, rows: Sequence[Row]) -> list[int]:
        """The tasks of steps that are new."""
        new = list(dict.fromkeys(row[1] for row in rows if row[1] not in self.runs))
        kept = set(new[: max(self.room, 0)])
        self.truncated |= len(kept) < len(new)
        self.runs.update({row[1]: row[9] for row in rows if row[1] in kept})
        self.steps.update({row[1]: row for row in rows if row[1] in kept})
        return [number for number in new if number in kept]

    def add_edges(self, rows: Sequence[Row]) -> None:
        """Those between what was reached."""
        for row in rows:
            if row[0] in self.artifacts and row[1] in self.runs:
                self.edges.setdefault((row[0], row[1], row[6], row[4], row[5]), use(row))


def originals(rows: Sequence[Row]) -> list[Row]:
    """Of the steps up from each artifact those of the tasks that made it themselves; all where there is no such task.

    Of importers the first one: those after it found its record.
    """
    made = {row[0] for row in rows if not row[11]}
    first: dict[int, int] = {}
    for row in rows:
        if row[10] == IMPORTER:
            first[row[0]] = min(first.get(row[0], row[1]), row[1])
    own = [row for row in rows if not row[11] or row[0] not in made]
    return [row for row in own if row[10] != IMPORTER or first[row[0]] == row[1]]


def unmade(rows: Sequence[Row]) -> list[int]:
    """The artifacts of which the first writers are looked at, there may be more, and each took it from elsewhere."""
    counted: dict[int, int] = {}
    for row in rows:
        counted[row[0]] = counted.get(row[0], 0) + 1
    made = {row[0] for row in rows if not row[11]}
    return [number for number, count in counted.items() if count >= FIRST_WRITERS and number not in made]


def coded(rows: Sequence[Row]) -> set[int]:
    """The artifacts that user code put out."""
    return {row[0] for row in rows if row[10] == 1}


class Walker:
    """`walk` is one read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def walk(self, request: pb.GetLineageRequest) -> pb.LineageGraph:
        """The graph round an artifact."""
        hops, most = _bounded("hops", request.hops, HOPS, MOST_HOPS), _bounded("most", request.most, SIZE, LARGEST)

        async def work(tx: Transaction) -> pb.LineageGraph:
            await tx.execute(SQL["keep_plans"])
            root = await numbered(tx, request.artifact_id, request.namespace)
            walk = _Walk(tx, Found(root, most), request.namespace)
            walk.found.artifacts.add(root)
            if request.direction != pb.DOWNSTREAM_OF:
                await walk.up(hops)
            if request.direction != pb.UPSTREAM_OF:
                await walk.down(hops)
            return await walk.told()

        return await self._database.transaction(work)


@dataclass(slots=True)
class _Walk:
    tx: Transaction
    found: Found
    namespace: str

    async def up(self, hops: int) -> None:
        frontier = [self.found.root]
        for _ in range(hops):
            steps = originals(await self._writers(frontier))
            outside = [number for number in frontier if number not in coded(steps)]
            earlier = await self._same("lineage_earlier", outside)
            if earlier:
                steps += originals(await self._writers(earlier))
            tasks = self.found.add_tasks(steps)
            self.found.add_edges(steps)
            frontier = await self._beyond(tasks, READ)
            if not frontier:
                return

    async def down(self, hops: int) -> None:
        frontier = [self.found.root]
        for _ in range(hops):
            frontier += await self._same("lineage_later", frontier)
            steps = await self._steps(frontier, READ, self.found.most + 1)
            tasks = self.found.add_tasks(steps)
            self.found.add_edges(steps)
            frontier = await self._beyond(tasks, WROTE)
            if not frontier:
                return

    async def _writers(self, artifacts: list[int]) -> list[Row]:
        """The maker is most often the first; only where it is not among a few, more are looked at."""
        rows = await self._steps(artifacts, WROTE, FIRST_WRITERS)
        if again := unmade(rows):
            more = await self._steps(again, WROTE, min(self.found.most + 1, WRITERS))
            rows = [row for row in rows if row[0] not in again] + more
            rows.sort(key=lambda row: (row[1], row[4], row[5]))
        return rows

    async def _steps(self, artifacts: list[int], direction: int, each: int) -> list[Row]:
        if not artifacts:
            return []
        limit = self.found.most + 1
        told = {"ids": artifacts, "directions": [direction], "namespace": self.namespace, "limit": limit, "each": each}
        rows = await self.tx.fetch(SQL["lineage_steps"], told)
        self.found.truncated |= direction == READ and len(rows) == limit
        return list(rows)

    async def _beyond(self, tasks: list[int], direction: int) -> list[int]:
        """The artifacts on the other side of tasks, which are new."""
        if not tasks:
            return []
        limit = self.found.most + 1
        told = {"runs": [self.found.runs[one] for one in tasks], "tasks": tasks, "direction": direction, "limit": limit}
        links = await self.tx.fetch(SQL["lineage_links"], told)
        self.found.truncated |= len(links) == limit
        rows = [
            (
                artifact,
                task,
                *self.found.steps[task][2:4],
                name,
                position,
                direction == WROTE,
                *self.found.steps[task][7:9],
            )
            for artifact, task, name, position in links
        ]
        new = self.found.add_artifacts(row[0] for row in rows)
        self.found.add_edges(rows)
        return new

    async def _same(self, query: str, artifacts: list[int]) -> list[int]:
        """Other records of the artifacts' places, which are new."""
        if not artifacts:
            return []
        told = {"ids": artifacts, "namespace": self.namespace, "limit": self.found.most + 1}
        pairs = [(later, earlier) for later, earlier in await self.tx.fetch(SQL[query], told)]
        others = [earlier if query == "lineage_earlier" else later for later, earlier in pairs]
        new = self.found.add_artifacts(others)
        self.found.same.update(pair for pair in pairs if set(pair) <= self.found.artifacts)
        return new

    async def told(self) -> pb.LineageGraph:
        """The message."""
        rows = await self.tx.fetch(SQL["artifact_records"], {"ids": sorted(self.found.artifacts)})
        return pb.LineageGraph(
            root=self.found.root,
            artifacts=await records(self.tx, rows),
            tasks=await described(self.tx, self.found.runs),
            edges=[self.found.edges[key] for key in sorted(self.found.edges)],
            same=[pb.SamePlace(artifact=later, earlier=earlier) for later, earlier in sorted(self.found.same)],
            truncated=self.found.truncated,
        )


def _bounded(name: str, given: int, default: int, most: int) -> int:
    if not 0 <= given <= most:
        raise ServiceError(Reason.INVALID_INPUT, f"{name} is {given}; give a number up to {most:,}, 0 for {default:,}")
    return given or default
