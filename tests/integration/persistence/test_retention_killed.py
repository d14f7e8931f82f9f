"""Killed between all steps: whatever call of a pass is its last one, the next pass ends what was begun.

Nothing goes that a run or a cached result uses, nothing is left that nobody knows of, and two agents do nothing twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any, Final

import pytest

from fixtures.fix_retention import Keeping, artifacts
from headrace_persistence.retention.dooming import Doomer
from headrace_persistence.retention.keeping import LEASE, Keeper
from headrace_persistence.retention.looking import Looker, Neighbours
from headrace_persistence.retention.policies import Policies
from headrace_persistence.retention.rules import Rules
from headrace_persistence.retention.sweeping import Sweeper
from headrace_persistence.stores.delivering import Inbox
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database

LANES: Final = 5


class KilledError(BaseException):
    """As by kill -9: nothing that runs afterwards does anything."""


class Mortal:
    """Counts calls of what it stands for, and dies when the last one has taken effect and before it is told so."""

    def __init__(self, last: int) -> None:
        self.left, self.dead = last, False

    async def call(self, work: Any, *args: Any) -> Any:
        if self.dead:
            raise KilledError
        answer = await work(*args)
        self.left -= 1
        if not self.left:
            self.dead = True
            raise KilledError
        return answer


class Dying:
    """A database or stub whose calls a Mortal counts."""

    def __init__(self, inner: Any, mortal: Mortal) -> None:
        self._inner, self._mortal = inner, mortal

    def __getattr__(self, name: str) -> Any:
        work = getattr(self._inner, name)

        async def call(*args: Any) -> Any:
            return await self._mortal.call(work, *args)

        return call


async def nothing(_: int) -> None:
    """No pause."""


def keeper(database: Any, neighbours: Neighbours) -> Keeper:
    rules = Rules(database, Policies())
    looker = Looker(database, neighbours, 100)
    doomer, sweeper = Doomer(database, neighbours, Inbox(database)), Sweeper(database, neighbours, nothing)
    return Keeper(database, rules, looker, doomer, sweeper, lambda: None, nothing)


async def world(keeping: Keeping) -> tuple[list[str], list[str]]:
    """URIs that must go, and that must stay."""
    gone, stay = [], []
    for number in range(2):
        run_id = await keeping.ended("model", "report")
        gone += [keeping.uri(run_id, f"train/1/{name}") for name in ("report", "executor-logs", "attempt.json")]
        model = keeping.uri(run_id, "train/1/model")
        if number:
            await keeping.cached(run_id, artifacts(run_id, [model]))
            stay.append(model)
        else:
            user = await keeping.taking(run_id, [model])
            stay.append(model)
    pinned = await keeping.ended("model")
    stay += [keeping.uri(pinned, f"train/1/{name}") for name in ("model", "executor-logs", "attempt.json")]
    keeping.rows("UPDATE platform.runs SET pinned = true WHERE run_id = ANY(%s) RETURNING 1", [pinned, user])
    old = await keeping.ended()
    gone.append(keeping.uri(old, "train/1/executor-logs"))
    key = await keeping.cached(old, artifacts(old, []), "other")
    keeping.rows("UPDATE cache.entries SET created_at = now() - interval '9 days' WHERE key = %s RETURNING 1", key)
    await keeping.say(runs="0s", artifacts="0s", logs="0s", traces="0s", cache="8d")
    return gone, stay


async def whole(keeping: Keeping, database: Database, gone: list[str], stay: list[str]) -> None:
    """After a pass that nobody killed, all is as if none had been killed. What was asked of the scheduler, it does meanwhile."""
    while keeping.rows("SELECT 1 FROM platform.runs WHERE delete_pending"):
        await asyncio.sleep(0)
    keeping.rows("DELETE FROM platform.leases RETURNING 1")  # it expires by itself, in half a minute
    done = await keeper(database, keeping.neighbours).run_once()
    assert not done.problems, done.problems
    assert [uri for uri in gone if keeping.has(uri)] == []
    assert [uri for uri in stay if not keeping.has(uri)] == []
    assert keeping.rows("SELECT count(*) FROM platform.runs WHERE NOT pinned") == [(0,)]
    assert keeping.rows("SELECT uri FROM platform.remains WHERE kind <> 2 OR doomed_at_us <> 0") == []
    assert {uri for (uri,) in keeping.rows("SELECT uri FROM platform.remains")} == set(stay[:2])
    assert (await keeper(database, keeping.neighbours).plan()).actions == []


@pytest.mark.parametrize("first", range(1, LANES + 1))
async def test_killed_after_every_call(keeping: Keeping, first: int) -> None:
    """A new world for each: after its first call, after its second, until a pass gets to its end. In lanes, each of its own."""
    async with Database(keeping.persistence.database_url, name="killed") as database:
        for step in itertools.count(first, LANES):
            gone, stay = await world(keeping)
            mortal = Mortal(step)
            stubs = Neighbours(Dying(keeping.neighbours.cache, mortal), Dying(keeping.neighbours.artifacts, mortal))
            with contextlib.suppress(KilledError):
                await keeper(Dying(database, mortal), stubs).run_once()
            assert [uri for uri in stay if not keeping.has(uri)] == []
            await whole(keeping, database, gone, stay)
            for table in ("runs", "tasks", "attempts", "events", "links", "artifacts", "uses", "remains"):
                keeping.rows(f"DELETE FROM platform.{table} RETURNING 1")
            keeping.rows("DELETE FROM cache.entries RETURNING 1")
            keeping.revisions.clear()
            if not mortal.dead:
                assert step > 20
                return


async def test_two_agents_do_nothing_twice(keeping: Keeping) -> None:
    async with Database(keeping.persistence.database_url, name="two") as database:
        await world(keeping)
        runs = [keeper(database, keeping.neighbours).run_once() for _ in range(3)]
        answers = await asyncio.gather(*runs, return_exceptions=True)
    done = [one for one in answers if not isinstance(one, BaseException)]
    refused = [one for one in answers if isinstance(one, ServiceError)]
    assert len(done) + len(refused) == 3
    names = [(action.kind, action.name) for one in done for action in one.actions]
    assert len(names) == len(set(names))
    sentence = "another agent does what the policies say just now: ask again in a while"
    assert {(one.reason, one.message) for one in refused} <= {(Reason.WRONG_STATE, sentence)}


async def test_an_agent_that_lost_its_lease_stops(keeping: Keeping) -> None:
    async with Database(keeping.persistence.database_url, name="lost") as database:
        await world(keeping)
        taken = "INSERT INTO platform.leases VALUES (%s, 'another', now() + interval '1 minute') RETURNING 1"
        keeping.rows(taken, LEASE)
        with pytest.raises(ServiceError) as refused:
            await keeper(database, keeping.neighbours).run_once()
        assert refused.value.reason == Reason.WRONG_STATE
        assert len(keeping.rows("SELECT 1 FROM platform.runs")) == 5
