"""What there is, for a plan: runs, artifacts, cached results, packages and who uses what, as far as the policies may take it.

Reads alone. Rows say most of it; the cache is asked for its entries, the scheduler for packages. Called by `keeping`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from headrace_persistence.queries import SQL
from headrace_persistence.retention import planning as pl
from headrace_persistence.retention import policies as p
from headrace_persistence.retention.lying import above
from headrace_persistence.retention.policies import Limits, Policies
from headrace_protos.v1 import cache_pb2, scheduler_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.postgres import Database

CHUNK: Final = 500  # URIs in one question
MOST_ENTRIES: Final = 10_000
MOST_LEFTOVERS: Final = 100_000  # artifacts of one pipeline's deleted runs that one plan looks at


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Stubs of Cache and ArtifactAccess."""

    cache: Any
    artifacts: Any


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is; `more`: not all that may go is in it."""

    world: pl.World
    more: bool


class Looker:
    """One look for each plan."""

    def __init__(self, database: Database, neighbours: Neighbours, most: int) -> None:
        self._database, self.neighbours, self._most = database, neighbours, most

    async def look(self, said: Policies, namespace: str = "") -> Seen:
        """The world of a namespace, or all of it."""
        ((now_us,),) = await self._database.read(SQL["retention_now"])
        world = pl.World(now_us)
        if not said.limits_any(*p.KINDS):
            return Seen(world, more=False)
        rows = await self._database.read(SQL["retention_pipelines"])
        pipelines = [(row[0], row[1]) for row in rows if namespace in ("", row[0])]
        runs, more = await self._runs(said, pipelines, now_us)
        entries, more_entries = await self._entries(said, namespace, now_us)
        world = replace(world, runs=runs, entries=entries, packages=await self._packages(said, namespace))
        world = await self._with_artifacts(world, said, pipelines, pl.runs_going(world, said))
        return Seen(world, more or more_entries)

    async def _runs(
        self, said: Policies, pipelines: Iterable[p.Scope], now_us: int
    ) -> tuple[tuple[pl.RunItem, ...], bool]:
        kinds = (p.RUNS, p.ARCHIVED, p.LOGS, p.TRACES)
        if not said.limits_any(*kinds):
            return (), False
        resuming = {
            rs.Resume.FromString(resume).run_id: run_id
            for run_id, resume in await self._database.read(SQL["resuming_runs"])
        }
        found: list[pl.RunItem] = []
        left = self._most
        for scope in pipelines:
            wanted = {kind: said.of(kind, *scope) for kind in kinds}
            if all(limits.keeps_all for limits in wanted.values()) or left <= 0:
                continue
            asked = {"namespace": scope[0], "pipeline_name": scope[1], "most": left}
            for kind, limits in wanted.items():
                asked[f"{kind}_before"] = _before(limits, now_us)
                asked[f"{kind}_beyond"] = limits.max_count
            for row in await self._database.read(SQL["retention_runs"], asked):
                run_id, created, ended, newer, pinned, archived, logs, events = row
                resumed_by = resuming.get(run_id, "")
                found.append(
                    pl.RunItem(run_id, *scope, created, ended, newer, pinned, archived, resumed_by, logs, events)
                )
                left -= not pinned  # they are told, and keep no others out
        return tuple(found), left <= 0

    async def _entries(self, said: Policies, namespace: str, now_us: int) -> tuple[tuple[pl.EntryItem, ...], bool]:
        if not said.limits_any(p.CACHE):
            return (), False
        listed = await self.neighbours.cache.ListPipelines(cache_pb2.ListPipelinesRequest())
        found: list[pl.EntryItem] = []
        for one in listed.pipelines:
            limits = said.of(p.CACHE, one.namespace, one.pipeline_name)
            if limits.keeps_all or namespace not in ("", one.namespace) or len(found) >= MOST_ENTRIES:
                continue
            request = cache_pb2.ListEntriesRequest(
                namespace=one.namespace,
                pipeline_name=one.pipeline_name,
                created_before_us=_before(limits, now_us) or 0,
                beyond=limits.max_count or 0,
                counted=limits.max_count is not None,
                most=MOST_ENTRIES - len(found),
            )
            found += [_entry(entry) for entry in (await self.neighbours.cache.ListEntries(request)).entries]
        return tuple(found), len(found) >= MOST_ENTRIES

    async def _packages(self, said: Policies, namespace: str) -> tuple[pl.PackageItem, ...]:
        if not said.limits_any(p.PACKAGES):
            return ()
        names = [row[0] for row in await self._database.read(SQL["namespaces_of_runs"]) if namespace in ("", row[0])]
        request = scheduler_pb2.ListPackagesRequest(namespaces=names)
        found = await self.neighbours.artifacts.ListPackages(request)
        return tuple(pl.PackageItem(one.uri, one.namespace, one.modified_at_us, one.size) for one in found.packages)

    async def _with_artifacts(
        self, world: pl.World, said: Policies, pipelines: Iterable[p.Scope], going: Sequence[str]
    ) -> pl.World:
        """Of runs that go, and of those that went before; with all who use them."""
        if not said.limits_any(p.ARTIFACTS):
            return world
        found: list[pl.ArtifactItem] = []
        rows = await self._database.read(SQL["artifacts_of_runs"], {"run_ids": list(going)}) if going else []
        for uri, run_id, namespace, pipeline, created, payload in rows:
            size = ev.Artifact.FromString(payload).size
            found.append(pl.ArtifactItem(uri, run_id, namespace, pipeline, created, size))
        for scope in pipelines:
            if said.of(p.ARTIFACTS, *scope).keeps_all:
                continue
            asked = {"namespace": scope[0], "pipeline_name": scope[1], "most": MOST_LEFTOVERS}
            rows = await self._database.read(SQL["leftovers"], asked)
            found += [pl.ArtifactItem(uri, run_id, *scope, created, size) for uri, run_id, created, size in rows]
        makers = sorted({one.run_id for one in found} - set(going))
        there = await self._database.read(SQL["runs_there"], {"run_ids": makers}) if makers else []
        places = sorted({one.uri.rstrip("/") for one in found})
        users = await self.users(places)
        known = {one.key for one in world.entries}
        return replace(
            world,
            artifacts=tuple(dict.fromkeys(found)),
            uses=tuple(users.runs),
            noted=tuple(users.noted),
            entries=(*world.entries, *(one for one in users.entries if one.key not in known)),
            there=frozenset(row[0] for row in there),
        )

    async def users(self, places: Sequence[str]) -> Users:
        """Who uses the places: runs outside whose folder they lie, cached results, people's ML Metadata."""
        runs: set[tuple[str, str]] = set()
        noted: set[str] = set()
        entries: dict[str, pl.EntryItem] = {}
        for start in range(0, len(places), CHUNK):
            uris = list(places[start : start + CHUNK])
            runs |= {(row[0], row[1]) for row in await self._database.read(SQL["users_among"], asked_of(uris))}
            noted |= {row[0] for row in await self._database.read(SQL["noted_among"], {"uris": uris})}
            answer = await self.neighbours.cache.EntriesUsing(cache_pb2.EntriesUsingRequest(uris=uris))
            entries.update((one.key, _entry(one)) for one in answer.entries)
        return Users(tuple(sorted(runs)), tuple(sorted(noted)), tuple(entries.values()))


@dataclass(frozen=True, slots=True)
class Users:
    """Of places: (place, run id), places, entries."""

    runs: tuple[tuple[str, str], ...]
    noted: tuple[str, ...]
    entries: tuple[pl.EntryItem, ...]


def asked_of(uris: Sequence[str]) -> dict[str, list[str]]:
    """The parameters of users_among."""
    pairs = [(uri, folder) for uri in uris for folder in above(uri)]
    return {"uris": list(uris), "below": [uri for uri, _ in pairs], "above": [folder for _, folder in pairs]}


def _before(limits: Limits, now_us: int) -> int | None:
    return None if limits.max_age_s is None else max(now_us - int(limits.max_age_s * 1e6), 1)


def _entry(one: cache_pb2.EntryRecord) -> pl.EntryItem:
    uris = tuple(uri.rstrip("/") for uri in one.uris)
    return pl.EntryItem(one.key, one.origin, one.namespace, one.pipeline_name, one.created_at_us, one.newer, uris)
