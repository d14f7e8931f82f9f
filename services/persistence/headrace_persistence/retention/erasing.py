"""Erasing an artifact, and on demand whatever was made of it: contents, logs, cached results and what is recorded of them.

One transaction decides and wipes: rows stay as tombstones, so that lineage keeps its shape, and what lies in the stores is
doomed. Then it is swept; what cannot be deleted now the agent deletes later. Who, when and what stays on record. Called by the
handler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from headrace_persistence.lineage.finding import numbered
from headrace_persistence.queries import SQL
from headrace_persistence.retention.leaving import ARTIFACT, ENTRY, FETCHED, OBJECT, Left, leave
from headrace_persistence.retention.lying import run_of
from headrace_persistence.retention.sweeping import Sweeper
from headrace_persistence.retention.wiping import Wiped, wipe
from headrace_protos.v1 import retention_pb2 as pb
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Row, Transaction

MOST: Final = 10_000  # artifacts of one erasure
DEFAULT_SIZE: Final = 50
LARGEST: Final = 1_000
NEWEST: Final = (1 << 63) - 1
SHOWN: Final = 20
LONGEST: Final = 2_000  # characters of a reason
ALWAYS: Final = (
    "backups of Postgres and of the stores, and older versions in buckets that keep them, are not reached",
    "traces that were exported are not reached: they hold names, states and times, no values",
    "copies that user code made elsewhere are not known",
)
FETCHABLE: Final = ("http://", "https://", "s3://", "gs://", "minio://")  # places of which copies may be kept
PARAMETERS: Final = (
    "values that tasks put out as parameters are erased where they were put out; "
    "what other tasks made of them is not followed"
)


@dataclass(frozen=True)
class Reach:
    """What an erasure reaches: artifacts (id, UUID, type, URI, created), and the runs that read or write them (number → id)."""

    artifacts: Sequence[Row]
    runs: Mapping[int, str]
    left: frozenset[str]  # places that deleted runs left

    @cached_property
    def uris(self) -> list[str]:
        """All places."""
        return sorted({row[3] for row in self.artifacts if row[3]} | self.left)

    @cached_property
    def ours(self) -> list[str]:
        """Those that a run put into its own folder."""
        return [uri for uri in self.uris if uri in self.left or self.maker(uri)]

    @cached_property
    def others(self) -> list[str]:
        """Those that no run put there."""
        ours = set(self.ours)
        return [uri for uri in self.uris if uri not in ours]

    @cached_property
    def run_ids(self) -> frozenset[str]:
        """Of the runs."""
        return frozenset(self.runs.values())

    def maker(self, uri: str) -> str:
        """The run in whose folder a place lies; "" where none is known."""
        return run_of(uri, self.run_ids)


class Eraser:
    """`erase` returns when all is gone, or when what is left has to wait for a store."""

    def __init__(self, database: Database, sweeper: Sweeper) -> None:
        self._database, self._sweeper = database, sweeper

    async def erase(self, request: pb.EraseRequest) -> pb.Erasure:
        """What was erased, or would be."""
        if len(request.reason) > LONGEST:
            raise ServiceError(
                Reason.INVALID_INPUT, f"the reason has {len(request.reason)} characters, at most {LONGEST}"
            )

        async def look(tx: Transaction) -> pb.Erasure:
            reach = await _reach(tx, request)
            await _refuse_running(tx, reach)
            made = _told(request, reach)
            made.objects.extend(reach.ours)
            made.object_count = len(made.objects)
            return made

        if request.dry_run:
            return await self._database.transaction(look)
        done = await self._database.transaction(lambda tx: _commit(tx, request))
        _, problems = await self._sweeper.sweep(done.id)
        await finish_erasures(self._database)
        ((done.finished_at_us,),) = await self._database.read(SQL["erasure_finished"], {"id": done.id})
        done.not_erased.extend(f"for now: {problem}" for problem in problems)
        return done

    async def listed(self, request: pb.ListErasuresRequest) -> pb.ListErasuresResponse:
        """The record."""
        if request.page_size < 0 or request.before_id < 0:
            raise ServiceError(Reason.INVALID_INPUT, "page_size and before_id cannot be negative")
        asked = {"before": request.before_id or NEWEST, "limit": min(request.page_size or DEFAULT_SIZE, LARGEST)}
        answer = pb.ListErasuresResponse()
        for row in await self._database.read(SQL["erasures"], asked):
            one = answer.erasures.add()
            one.ParseFromString(row[7])
            one.id, one.artifact_id, one.derived, one.asked_by, one.reason, one.asked_at_us, one.finished_at_us = row[
                :7
            ]
        return answer


async def finish_erasures(database: Database) -> None:
    """Those of which nothing is left."""

    async def work(tx: Transaction) -> None:
        await tx.execute(SQL["finish_erasures"])

    await database.transaction(work)


async def _reach(tx: Transaction, request: pb.EraseRequest) -> Reach:
    """All records of the place, what lies in it, and what was made of that."""
    named, left = await _named(tx, request)
    ids = await _followed(tx, named, derived=request.derived)
    artifacts = await tx.fetch(SQL["erased_artifacts"], {"ids": ids})
    runs: dict[int, str] = dict(await tx.fetch(SQL["runs_of_artifacts"], {"ids": ids}))
    places = {row[3] for row in artifacts if row[3]} | left
    left |= {row[0] for row in await tx.fetch(SQL["remains_at"], {"uris": sorted(places)})}
    return Reach(artifacts, runs, frozenset(left))


async def _named(tx: Transaction, request: pb.EraseRequest) -> tuple[list[int], set[str]]:
    """The artifacts that the request names, and places that deleted runs left. Raises NOT_FOUND."""
    if "://" not in request.artifact_id:
        return [await numbered(tx, request.artifact_id, request.namespace)], set()
    uri = request.artifact_id.replace("\0", "")
    found = [row[0] for row in await tx.fetch(SQL["records_at"], {"uri": uri})]
    left = {row[0] for row in await tx.fetch(SQL["remains_at"], {"uris": [uri]})}
    if not found and not left:
        raise ServiceError(Reason.NOT_FOUND, f"nothing is known of {uri}: give an artifact's id, or its number")
    return found, left


async def _followed(tx: Transaction, new: list[int], *, derived: bool) -> list[int]:
    """With the other records of the same places, and with DERIVED what was made of all of them."""
    found = set(new)
    while new:
        more = {row[0] for row in await tx.fetch(SQL["same_places"], {"ids": new})}
        if derived:
            more |= {row[0] for row in await tx.fetch(SQL["made_of"], {"ids": [*new, *more]})}
        new = sorted(more - found)
        found |= more
        if len(found) > MOST:
            sentence = f"more than {MOST:,} artifacts were made of it: erase some of those that were made last first"
            raise ServiceError(Reason.INVALID_INPUT, sentence)
    return sorted(found)


async def _refuse_running(tx: Transaction, reach: Reach) -> None:
    rows = await tx.fetch(SQL["users_running"], {"uris": reach.uris})
    running = [row[0] for row in rows]
    locked = {row[0]: row for row in await tx.fetch(SQL["lock_runs_to_wipe"], {"runs": sorted(reach.runs)})}
    running += [row[1] for row in locked.values() if row[5]]
    running += [run_id for run, run_id in reach.runs.items() if run not in locked]  # somebody is changing it just now
    if running:
        first = min(running)
        raise ServiceError(
            Reason.WRONG_STATE, f"run {first} has not ended and uses it: wait for its end or terminate it first"
        )


async def _commit(tx: Transaction, request: pb.EraseRequest) -> pb.Erasure:
    await tx.fetch(SQL["take_retention_lock"])
    reach = await _reach(tx, request)
    await _refuse_running(tx, reach)
    made = _told(request, reach)
    asked = {"artifact_id": made.artifact_id, "derived": request.derived}
    record = {**asked, "asked_by": request.asked_by.replace("\0", ""), "reason": request.reason.replace("\0", "")}
    row = await tx.fetch_one(SQL["insert_erasure"], record)
    assert row is not None
    made.id, made.asked_at_us = row
    wiped = await wipe(tx, reach.artifacts, reach.runs, derived=request.derived)
    await _doom(tx, made.id, reach, wiped)
    made.objects.extend(sorted({*reach.ours, *wiped.objects}))
    made.object_count = len(made.objects)
    kept = pb.Erasure()
    kept.CopyFrom(made)
    del kept.objects[:]
    del kept.not_erased[:]
    for one in kept.artifacts:
        one.uri = ""
    await tx.execute(SQL["tell_erasure"], {"id": made.id, "told": kept.SerializeToString()})
    return made


async def _doom(tx: Transaction, erasure: int, reach: Reach, wiped: Wiped) -> None:
    """What is to be deleted, so that the agent goes on with it whoever is killed."""
    waiting = await tx.fetch(SQL["doom_for_erasure"], {"uris": reach.uris, "erasure": erasure})
    there = {row[0] for row in waiting}
    created = {row[3]: row[4] for row in reach.artifacts}

    def left(kind: int, name: str, at: int = 0) -> Left:
        maker = reach.maker(name)
        told: dict[str, Any] = {"namespace": "", "pipeline_name": "", "created_at_us": at, "doomed": True}
        return Left(kind=kind, uri=name, run_id=maker, erasure=erasure, **told)

    remains = [left(ARTIFACT, uri, created.get(uri, 0)) for uri in reach.ours if uri not in there]
    remains += [left(OBJECT, uri) for uri in sorted(wiped.objects)]
    remains += [left(ENTRY, key) for key in sorted(wiped.cache_keys)]
    remains += [left(FETCHED, uri) for uri in reach.others if uri.startswith(FETCHABLE)]
    await leave(tx, remains)


def _told(request: pb.EraseRequest, reach: Reach) -> pb.Erasure:
    named = [row[1] for row in reach.artifacts if request.artifact_id in (row[1], str(row[0]))]
    made = pb.Erasure(
        artifact_id=named[0] if named else reach.artifacts[0][1] if reach.artifacts else "",
        derived=request.derived,
        asked_by=request.asked_by,
        reason=request.reason,
        runs=sorted(reach.runs.values()),
        artifact_count=len(reach.artifacts),
        not_erased=_not_erased(reach, derived=request.derived),
    )
    for number, artifact_id, kind, uri, _ in reach.artifacts:
        made.artifacts.add(id=number, artifact_id=artifact_id, type=kind, uri=uri)
    return made


def _not_erased(reach: Reach, *, derived: bool) -> Sequence[str]:
    said = [f"{uri} was not put there by a run: delete it where it lies" for uri in reach.others[:SHOWN]]
    if len(reach.others) > SHOWN:
        said.append(f"nor were {len(reach.others) - SHOWN} other places")
    return [*said, *([PARAMETERS] if derived else []), *ALWAYS]
