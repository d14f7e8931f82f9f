"""What the policies take and what they leave, and why: a function of what there is. Pure, no clock, no I/O.

The order is that of carrying it out: cached results first, so that nothing begins to use what goes; then runs, logs and traces;
then artifacts, which go with the last of their users. Called by `keeping` and, for the runs alone, by `looking`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from headrace_persistence.retention import policies as p
from headrace_persistence.retention.lying import Uses
from headrace_persistence.retention.policies import Policies


@dataclass(frozen=True, slots=True)
class RunItem:
    """A run. `newer`: how many of its pipeline that may go (ended, not pinned, equally archived) are newer."""

    run_id: str
    namespace: str
    pipeline: str
    created_us: int
    ended_us: int  # 0: it has not
    newer: int = 0
    pinned: bool = False
    archived: bool = False
    resumed_by: str = ""  # a run that has not ended and goes on from this one
    logs_gone_us: int = 0
    events_gone_us: int = 0


@dataclass(frozen=True, slots=True)
class ArtifactItem:
    """What a run put into its own folder. Its maker uses it as long as it stays."""

    uri: str
    run_id: str
    namespace: str
    pipeline: str
    created_us: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class EntryItem:
    """A cached result."""

    key: str
    origin: str
    namespace: str
    pipeline: str
    created_us: int
    newer: int = 0
    uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PackageItem:
    """An archive of packages."""

    uri: str
    namespace: str
    created_us: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """What there is, as far as it matters. `uses`: places outside their own folders that runs use. `noted`: places that
    somebody's ML Metadata names. `there`: runs that are there and not among `runs`.
    """

    now_us: int
    runs: tuple[RunItem, ...] = ()
    artifacts: tuple[ArtifactItem, ...] = ()
    entries: tuple[EntryItem, ...] = ()
    packages: tuple[PackageItem, ...] = ()
    uses: tuple[tuple[str, str], ...] = ()  # uri, run id
    noted: tuple[str, ...] = ()
    there: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Action:
    """Something goes."""

    kind: str
    name: str  # run id, URI, key
    namespace: str
    pipeline: str
    created_us: int
    why: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that a policy would take stays."""

    kind: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done, in this order, and what is not."""

    actions: tuple[Action, ...] = ()
    kept: tuple[Kept, ...] = ()

    def names(self, kind: str) -> list[str]:
        return [action.name for action in self.actions if action.kind == kind]


@dataclass(slots=True)
class _Made:
    actions: list[Action] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)


Users: TypeAlias = "Uses[tuple[str, str]]"  # of whom: a run's id or an entry's key, and the sentence


def plan(world: World, said: Policies) -> Plan:
    """All that the policies take."""
    made = _Made()
    entries_gone = _entries(world, said, made)
    runs_gone = _runs(world, said, made)
    _parts_of_runs(world, said, runs_gone, made)
    _artifacts(world, said, entries_gone, runs_gone, made)
    _packages(world, said, made)
    return Plan(tuple(made.actions), tuple(made.kept))


def runs_going(world: World, said: Policies) -> list[str]:
    """The runs that they take: whose artifacts are to be looked at."""
    return sorted(_runs(world, said, _Made()))


def _entries(world: World, said: Policies, made: _Made) -> set[str]:
    gone = set()
    for one in sorted(world.entries, key=lambda one: (one.created_us, one.key)):
        why = said.of(p.CACHE, one.namespace, one.pipeline).why(world.now_us - one.created_us, one.newer)
        if why:
            gone.add(one.key)
            made.actions.append(Action(p.CACHE, one.key, one.namespace, one.pipeline, one.created_us, why))
    return gone


def _runs(world: World, said: Policies, made: _Made) -> set[str]:
    gone = set()
    for one in sorted(world.runs, key=lambda one: (one.created_us, one.run_id)):
        if not one.ended_us:
            continue
        kind = p.ARCHIVED if one.archived else p.RUNS
        why = said.of(kind, one.namespace, one.pipeline).why(world.now_us - one.ended_us, one.newer)
        if why and one.pinned:
            made.kept.append(Kept(kind, one.run_id, "it is pinned"))
        elif why and one.resumed_by:
            made.kept.append(Kept(kind, one.run_id, f"run {one.resumed_by}, which has not ended, goes on from it"))
        elif why:
            gone.add(one.run_id)
            made.actions.append(Action(kind, one.run_id, one.namespace, one.pipeline, one.created_us, why))
    return gone


def _parts_of_runs(world: World, said: Policies, runs_gone: set[str], made: _Made) -> None:
    """Logs and traces of runs that stay; those of a run that goes are gone with it."""
    staying = [one for one in world.runs if one.ended_us and not one.pinned and one.run_id not in runs_gone]
    for kind in (p.LOGS, p.TRACES):
        for one in sorted(staying, key=lambda one: (one.created_us, one.run_id)):
            gone_us = one.logs_gone_us if kind == p.LOGS else one.events_gone_us
            why = said.of(kind, one.namespace, one.pipeline).why(world.now_us - one.ended_us, one.newer)
            if why and gone_us < one.ended_us:  # a run that was retried since has new ones
                made.actions.append(Action(kind, one.run_id, one.namespace, one.pipeline, one.created_us, why))


def _artifacts(world: World, said: Policies, entries_gone: set[str], runs_gone: set[str], made: _Made) -> None:
    """Those that nothing uses which stays, of each pipeline the newest first."""
    staying = world.there | {one.run_id for one in world.runs} - runs_gone
    users = _users(world, entries_gone, runs_gone)
    unused: dict[tuple[str, str], list[ArtifactItem]] = defaultdict(list)
    for one in world.artifacts:
        if one.run_id in staying:
            continue  # its maker's
        limits = said.of(p.ARTIFACTS, one.namespace, one.pipeline)
        using = users.of(one.uri)
        if using and limits.why(world.now_us - one.created_us, 0):
            made.kept.append(Kept(p.ARTIFACTS, one.uri, min(using)[1]))
        elif not using and not limits.keeps_all:
            unused[one.namespace, one.pipeline].append(one)
    for scope in sorted(unused):
        limits = said.of(p.ARTIFACTS, *scope)
        newest_first = sorted(unused[scope], key=lambda one: (-one.created_us, one.uri))
        for newer, one in reversed(list(enumerate(newest_first))):
            why = limits.why(world.now_us - one.created_us, newer)
            if why:
                made.actions.append(Action(p.ARTIFACTS, one.uri, *scope, one.created_us, f"unused, {why}", one.size))


def _users(world: World, entries_gone: set[str], runs_gone: set[str]) -> Users:
    def all_of() -> Iterable[tuple[str, tuple[str, str]]]:
        for uri, run_id in world.uses:
            if run_id not in runs_gone:
                yield uri, ("0" + run_id, f"run {run_id} uses it")
        for one in world.entries:
            if one.key not in entries_gone:
                for uri in one.uris:
                    yield uri, ("1" + one.key, f"a cached result uses it, that of {one.origin}")
        for uri in world.noted:
            yield uri, ("2", "somebody's ML Metadata names it")

    return Uses(all_of())


def _packages(world: World, said: Policies, made: _Made) -> None:
    of_namespace: dict[str, list[PackageItem]] = defaultdict(list)
    for one in world.packages:
        of_namespace[one.namespace].append(one)
    for namespace in sorted(of_namespace):
        limits = said.of(p.PACKAGES, namespace, "")
        newest_first = sorted(of_namespace[namespace], key=lambda one: (-one.created_us, one.uri))
        for newer, one in reversed(list(enumerate(newest_first))):
            why = limits.why(world.now_us - one.created_us, newer)
            if why:
                made.actions.append(Action(p.PACKAGES, one.uri, namespace, "", one.created_us, why, one.size))
