"""Plans against a naive reference, on thousands of random worlds: what goes, what stays, and nothing that somebody uses."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from headrace_persistence.retention import policies as p
from headrace_persistence.retention.lying import Uses, folder_of, is_within, run_of
from headrace_persistence.retention.planning import (
    Action,
    ArtifactItem,
    EntryItem,
    Kept,
    PackageItem,
    RunItem,
    World,
    plan,
)
from headrace_persistence.retention.policies import Limits, Policies, declared

NOW = 1_000_000_000
DAY = 86_400_000_000
SCOPES = [("a", "x"), ("a", "y"), ("b", "x")]


def random_policies(rng: random.Random) -> Policies:
    said = {}
    for scope in [("", ""), ("a", ""), *SCOPES]:
        for kind in p.KINDS:
            if rng.random() < 0.4 and not (scope[1] and kind == p.PACKAGES):
                age = rng.choice([None, None, 0.0, 50.0, 300.0])
                said[(*scope, kind)] = Limits(age, rng.choice([None, 0, 1, 3]))
    return Policies(said)


def ranked(runs: list[RunItem]) -> list[RunItem]:
    """Each with how many of its pipeline that may go are newer."""

    def newer(one: RunItem) -> int:
        key = (one.created_us, one.run_id)
        return sum(
            (other.namespace, other.pipeline, other.archived) == (one.namespace, one.pipeline, one.archived)
            and other.ended_us > 0
            and not other.pinned
            and (other.created_us, other.run_id) > key
            for other in runs
        )

    return [replace(one, newer=newer(one)) for one in runs]


def random_world(rng: random.Random) -> World:
    def ago() -> int:
        return NOW - rng.choice([1, 10, 60, 200, 400]) * 1_000_000

    runs = []
    for number in range(rng.randint(0, 8)):
        created = ago()
        ended = rng.choice([0, created + 1, created + 2])
        archived, pinned, resumed = rng.random() < 0.3, rng.random() < 0.2, rng.choice(["", "", "", "other"])
        gone = rng.choice([0, 0, ended + 1, ended - 1])
        runs.append(
            RunItem(f"run{number}", *rng.choice(SCOPES), created, ended, 0, pinned, archived, resumed, gone, gone)
        )
    makers = [one.run_id for one in runs] + ["gone1", "gone2", "there1"]
    artifacts = {}
    for number in range(rng.randint(0, 8)):
        maker = rng.choice(makers)
        scope = next(((one.namespace, one.pipeline) for one in runs if one.run_id == maker), rng.choice(SCOPES))
        uri = f"s3://b/{maker}/t{number % 3}" + ("/deep" if number > 5 else "")
        artifacts[uri] = ArtifactItem(uri, maker, *scope, ago(), number)
    uris = sorted(artifacts)
    near = [*uris, *(f"{uri}/part" for uri in uris), *(uri.rpartition("/")[0] for uri in uris), "gs://else"]
    users = [one.run_id for one in runs] + ["there1", "there2"]
    uses = {(rng.choice(near), rng.choice(users)) for _ in range(rng.randint(0, 6))}
    entries = [
        EntryItem(f"k{n}", f"run{n}/t", *rng.choice(SCOPES), ago(), rng.randint(0, 4), tuple(rng.sample(near, 1)))
        for n in range(rng.randint(0, 4))
    ]
    packages = [PackageItem(f"s3://b/packages/{n}", rng.choice("ab"), ago()) for n in range(rng.randint(0, 3))]
    noted = tuple(rng.sample(uris, min(len(uris), rng.choice([0, 0, 1]))))
    return World(
        NOW,
        tuple(ranked(runs)),
        tuple(artifacts.values()),
        tuple(entries),
        tuple(packages),
        tuple(sorted(uses)),
        noted,
        frozenset({"there1"}),
    )


def touches(one: str, other: str) -> bool:
    """Whether one of them is the other, or lies below it: what is done to one is done to both."""
    return is_within(one, other) or is_within(other, one)


def goes(said: Policies, kind: str, scope: tuple[str, str], age_us: int, newer: int) -> bool:
    """By the book: the first scope that says something."""
    places = [(*scope, kind), (scope[0], "", kind), ("", "", kind)]
    if kind == p.ARCHIVED:
        places += [(*scope, p.RUNS), (scope[0], "", p.RUNS), ("", "", p.RUNS)]
    for place in places:
        if place in said.said:
            limits = said.said[place]
            too_old = limits.max_age_s is not None and age_us > limits.max_age_s * 1e6
            return too_old or (limits.max_count is not None and newer >= limits.max_count)
    return False


def reference(world: World, said: Policies) -> set[tuple[str, str]]:
    """What goes, in the plainest words."""
    gone = set()
    for entry in world.entries:
        if goes(said, p.CACHE, (entry.namespace, entry.pipeline), NOW - entry.created_us, entry.newer):
            gone.add((p.CACHE, entry.key))
    for run in world.runs:
        if not run.ended_us or run.pinned:
            continue
        scope, age = (run.namespace, run.pipeline), NOW - run.ended_us
        kind = p.ARCHIVED if run.archived else p.RUNS
        if goes(said, kind, scope, age, run.newer) and not run.resumed_by:
            gone.add((kind, run.run_id))
            continue
        if goes(said, p.LOGS, scope, age, run.newer) and run.logs_gone_us < run.ended_us:
            gone.add((p.LOGS, run.run_id))
        if goes(said, p.TRACES, scope, age, run.newer) and run.events_gone_us < run.ended_us:
            gone.add((p.TRACES, run.run_id))
    stay = {run.run_id for run in world.runs if not {(p.RUNS, run.run_id), (p.ARCHIVED, run.run_id)} & gone}
    stay |= {"there1", "there2"}

    def used(uri: str, maker: str) -> bool:
        return (
            (maker in stay and maker != "there2")
            or any(run in stay and touches(place, uri) for place, run in world.uses)
            or any(
                (p.CACHE, one.key) not in gone and any(touches(place, uri) for place in one.uris)
                for one in world.entries
            )
            or any(touches(place, uri) for place in world.noted)
        )

    free = [one for one in world.artifacts if not used(one.uri, one.run_id)]
    for one in free:
        newer = sum(
            (other.namespace, other.pipeline) == (one.namespace, one.pipeline)
            and (-other.created_us, other.uri) < (-one.created_us, one.uri)
            for other in free
        )
        if goes(said, p.ARTIFACTS, (one.namespace, one.pipeline), NOW - one.created_us, newer):
            gone.add((p.ARTIFACTS, one.uri))
    for package in world.packages:
        newer = sum(
            other.namespace == package.namespace and (-other.created_us, other.uri) < (-package.created_us, package.uri)
            for other in world.packages
        )
        if goes(said, p.PACKAGES, (package.namespace, ""), NOW - package.created_us, newer):
            gone.add((p.PACKAGES, package.uri))
    return gone


@pytest.mark.parametrize("seed", range(20))
def test_plans_are_what_the_plain_words_say(seed: int):
    rng = random.Random(seed)
    went = 0
    for _ in range(150):
        world, said = random_world(rng), random_policies(rng)
        made = plan(world, said)
        assert {(one.kind, one.name) for one in made.actions} == reference(world, said), (world, said)
        assert all(one.why for one in made.actions)
        assert not {(one.kind, one.name) for one in made.kept} & {(one.kind, one.name) for one in made.actions}
        went += len(made.actions)
    assert went > 100


def test_the_order_is_that_of_carrying_it_out():
    rng = random.Random(7)
    order = {kind: at for at, kind in enumerate((p.CACHE, p.RUNS, p.LOGS, p.TRACES, p.ARTIFACTS, p.PACKAGES))}
    order[p.ARCHIVED] = order[p.RUNS]
    for _ in range(200):
        kinds = [order[one.kind] for one in plan(random_world(rng), random_policies(rng)).actions]
        assert kinds == sorted(kinds)


def test_what_is_kept_says_by_whom():
    old = NOW - 10 * 1_000_000
    world = World(
        NOW,
        runs=(
            RunItem("pinned", "a", "x", old, old, pinned=True),
            RunItem("origin", "a", "x", old, old, resumed_by="next"),
        ),
        artifacts=(
            ArtifactItem("s3://b/g/1", "g", "a", "x", old, 5),
            ArtifactItem("s3://b/g/2", "g", "a", "x", old),
            ArtifactItem("s3://b/g/3", "g", "a", "x", old),
            ArtifactItem("s3://b/g/4", "g", "a", "x", old, 7),
        ),
        entries=(EntryItem("k", "g/t", "a", "x", old, 0, ("s3://b/g/2",)),),
        uses=(("s3://b/g/1/part", "pinned"),),
        noted=("s3://b/g/3",),
    )
    made = plan(world, declared("runs=1s artifacts=1s"))
    assert made.kept == (
        Kept("runs", "origin", "run next, which has not ended, goes on from it"),
        Kept("runs", "pinned", "it is pinned"),
        Kept("artifacts", "s3://b/g/1", "run pinned uses it"),
        Kept("artifacts", "s3://b/g/2", "a cached result uses it, that of g/t"),
        Kept("artifacts", "s3://b/g/3", "somebody's ML Metadata names it"),
    )
    assert made.actions == (Action("artifacts", "s3://b/g/4", "a", "x", old, "unused, older than 1s", 7),)


def test_an_artifact_goes_with_the_last_of_its_users():
    old = NOW - 10 * 1_000_000
    runs = tuple(RunItem(name, "a", "x", old, old) for name in ("maker", "user"))
    world = World(
        NOW, runs, (ArtifactItem("s3://b/maker/t", "maker", "a", "x", old),), uses=(("s3://b/maker/t", "user"),)
    )
    said = declared("runs=1s artifacts=1s")
    assert plan(world, said).names(p.ARTIFACTS) == ["s3://b/maker/t"]
    kept = replace(world, runs=(runs[0], replace(runs[1], pinned=True)))
    assert plan(kept, said).names(p.ARTIFACTS) == []


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("s3://b/root/p/R/t/1/model", "s3://b/root/p/R"),
        ("s3://b/root/p/R", ""),
        ("s3://b/root/p/R/", ""),
        ("s3://b/root/p/Rx/t", ""),
        ("file:///data/R/x", "file:///data/R"),
    ],
)
def test_the_folder_of_a_run(uri: str, folder: str):
    assert folder_of(uri, "R") == folder
    assert run_of(uri, {"other", "R"}) == ("R" if folder else "")


def test_a_place_in_nobodys_folder_has_no_run():
    assert run_of("s3://R/p/t", {"R"}) == ""  # a bucket of that name
    assert run_of("key", {"key"}) == ""
    assert run_of("s3://b/p/R/t", {"other"}) == ""


def test_users_are_found_by_what_touches_a_place():
    rng = random.Random(3)
    names = ["s3://b/a", "s3://b/a/b", "s3://b/a/b/c", "s3://b/ab", "s3://b/a/bc", "s3://b", "file:///x/y", "file:///x"]
    for _ in range(300):
        uses = [(rng.choice(names), number) for number in range(rng.randint(0, 6))]
        place = rng.choice(names)
        assert sorted(Uses(uses).of(place)) == sorted(n for uri, n in uses if touches(uri, place)), (uses, place)
