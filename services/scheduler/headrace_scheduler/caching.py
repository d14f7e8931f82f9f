"""The scheduler's side of the cache: looks tasks up, checks that what a hit names still exists, reserves what is a miss,
renews reservations, commits and releases. Called by dispatching.py; answers are facts. A cache that is down is a miss.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from headrace_protos.v1 import cache_pb2, events_pb2
from headrace_scheduler.engine.commands import AskCache, CommitCache, ReleaseCache
from headrace_scheduler.engine.facts import CacheAnswered
from headrace_scheduler.executors.port import AttemptId
from headrace_scheduler.measuring import cache_away, looked_up
from headrace_servicekit.errors import Reason, ServiceError

logger = logging.getLogger(__name__)
RENEW_EVERY_S = 20.0
ANSWERS_WITHIN_S = 3.0  # a lookup or reservation that tasks wait for; a cache that needs longer is as good as down
LEFT_ALONE_S = 5.0  # a cache that was down; what begins meanwhile runs uncached at once
LOOKS: Final = 3
REFRESH: Final = "a refresh was asked for"
Asked = tuple[str, AskCache]  # run id, command
ImageRan = Callable[[AttemptId], Awaitable[str]]
Checks = Callable[[Sequence[events_pb2.Values]], Awaitable[Sequence[str]]]
"""For each hit's outputs why they cannot be taken; "" = they can."""


async def nobody_knows(attempt: AttemptId) -> str:
    """Of executors whose tasks run in no image."""
    return ""


class Completes(Protocol):
    """What identifying.Identifier does."""

    async def complete(self, asked: Sequence[AskCache | CommitCache]) -> list[cache_pb2.Ingredients | str]: ...


@dataclass(slots=True)
class CacheClient:
    """`stub` is a Cache stub, `check` tells which results are still whole, `identify` what keys are made of.
    `enabled`: HEADRACE_CACHE_ENABLED, the switch for the whole installation. `image_ran` is the executor's.
    """

    stub: Any
    check: Checks
    identify: Completes
    enabled: bool = True
    clock: Callable[[], float] = time.monotonic
    image_ran: ImageRan = nobody_knows
    _away_until: float = 0.0
    _reserved: dict[str, tuple[str, str]] = field(default_factory=dict)  # key → token, holder

    async def ask(self, asked: Sequence[Asked]) -> list[tuple[str, CacheAnswered]]:
        """Answers in the order asked, each with its run id."""
        none = [CacheAnswered(c.path, key="", unavailable=True) for _, c in asked]
        if not self.enabled or self.clock() < self._away_until:
            return [(run, fact) for (run, _), fact in zip(asked, none, strict=True)]
        made = await self.identify.complete([c for _, c in asked])
        known = [i for i, one in enumerate(made) if not isinstance(one, str)]
        try:
            found = await self._find([asked[i] for i in known], [one for one in made if not isinstance(one, str)])
            await self._tell([(one, asked[i]) for i, one in enumerate(made) if isinstance(one, str)])
        except ServiceError as down:
            cache_away(len(asked))
            logger.warning("the cache does not answer, %d tasks run uncached: %s", len(asked), down)
            self._away_until = self.clock() + LEFT_ALONE_S
            found = []
        facts = dict(zip(known, found, strict=True)) if found else {}
        return [(run, facts.get(i, none[i])) for i, (run, _) in enumerate(asked)]

    async def _find(
        self, asked: Sequence[Asked], made: Sequence[cache_pb2.Ingredients], looks: int = LOOKS
    ) -> list[CacheAnswered]:
        """Hits that can be taken, and reservations for the rest. LOOKS: how often a key that was committed or given back
        between looking and reserving is looked up again.
        """
        if not asked:
            return []
        ages = [c.max_age_s for _, c in asked]
        looked = await _soon(self.stub.Lookup(cache_pb2.LookupRequest(ingredients=made, max_age_s=ages)))
        why = await self._reasons(asked, looked.hits)
        looked_up(looked.hits, why, REFRESH)
        stale = [
            hit.key for hit, reason in zip(looked.hits, why, strict=True) if hit.found and reason not in ("", REFRESH)
        ]
        if stale:
            await _soon(self.stub.Invalidate(cache_pb2.InvalidateRequest(keys=stale)))
        misses = [i for i, hit in enumerate(looked.hits) if not hit.found or why[i]]
        wanted = [
            cache_pb2.Reservation(
                key=looked.hits[i].key,
                holder=f"{asked[i][0]}/{asked[i][1].path}",
                ingredients=made[i],
                why=why[i],
            )
            for i in misses
        ]
        reserved = dict(zip(misses, await self._reserve(wanted), strict=True))
        moved = [i for i, one in reserved.items() if not one.granted and not one.holder] if looks > 1 else []
        anew = await self._find([asked[i] for i in moved], [made[i] for i in moved], looks - 1)
        again = dict(zip(moved, anew, strict=True))
        facts = []
        for i, ((_, command), hit) in enumerate(zip(asked, looked.hits, strict=True)):
            one = reserved.get(i)
            if i in again:
                fact = again[i]
            elif one is None:
                fact = CacheAnswered(command.path, hit.key, found=True, outputs=hit.outputs, origin=hit.origin)
            else:
                held_by = "" if one.granted else one.holder
                fact = CacheAnswered(command.path, hit.key, token=one.token if one.granted else "", held_by=held_by)
            facts.append(fact)
        return facts

    async def _reasons(self, asked: Sequence[Asked], hits: Sequence[cache_pb2.Hit]) -> list[str]:
        """Why a hit cannot be taken, or what the cache says of a miss."""
        why = [REFRESH if c.refresh and hit.found else hit.why for (_, c), hit in zip(asked, hits, strict=True)]
        for i, hit in enumerate(hits):
            if hit.found and not why[i]:
                why[i] = lacking(asked[i][1].ingredients, hit.outputs)
        taken = [i for i, hit in enumerate(hits) if hit.found and not why[i]]
        if taken:
            for i, problem in zip(taken, await self.check([hits[i].outputs for i in taken]), strict=True):
                why[i] = problem
        return why

    async def _reserve(self, wanted: Sequence[cache_pb2.Reservation]) -> list[cache_pb2.Reserved]:
        if not wanted:
            return []
        for one in wanted:
            token, owner = self._reserved.get(one.key, ("", ""))
            one.token = token if owner == one.holder else ""
        answer = await _soon(self.stub.Reserve(cache_pb2.ReserveRequest(reservations=wanted)))
        for one, reserved in zip(wanted, answer.reserved, strict=True):
            if reserved.granted:
                self._reserved[one.key] = (reserved.token, one.holder)
            elif one.token:
                self._reserved.pop(one.key, None)  # it was ours
        return list(answer.reserved)

    async def _tell(self, unknown: Sequence[tuple[str, Asked]]) -> None:
        """Why tasks have no key, for whoever asks later."""
        if unknown:
            told = [
                cache_pb2.Reservation(holder=f"{run}/{c.path}", ingredients=c.ingredients, why=why)
                for why, (run, c) in unknown
            ]
            await _soon(self.stub.Reserve(cache_pb2.ReserveRequest(reservations=told)))

    async def renew(self) -> None:
        """Renew every reservation in one call; those that were lost meanwhile are forgotten."""
        held = list(self._reserved.items())
        if not held:
            return
        request = cache_pb2.ReserveRequest()
        for key, (token, holder) in held:
            request.reservations.add(key=key, token=token, holder=holder)
        answer = await self.stub.Reserve(request)
        for one in answer.reserved:
            if not one.granted:
                self._reserved.pop(one.key, None)

    async def commit(self, commands: Sequence[tuple[str, CommitCache]]) -> None:
        """Store outputs; raises ServiceError where the cache is down: the caller asks again. What an input's URI or the image's
        tag names may have changed while the task ran: its ingredients are completed again, and the cache compares.
        """
        ran = await asyncio.gather(*(self._ran(run, c) for run, c in commands))
        made = await self.identify.complete(
            [replace(c, image_ran=one) for (_, c), one in zip(commands, ran, strict=True)]
        )
        request = cache_pb2.CommitRequest()
        changed = cache_pb2.ReleaseRequest()
        for (run, c), one in zip(commands, made, strict=True):
            origin = f"{run}/{c.path}"
            if isinstance(one, str):
                changed.reservations.add(key=c.key, token=c.token, holder=origin)
            else:
                request.entries.add(key=c.key, token=c.token, origin=origin, outputs=c.outputs, ingredients=one)
        await self.stub.Commit(request)
        if changed.reservations:
            await self.stub.Release(changed)
        for _, c in commands:
            self._reserved.pop(c.key, None)

    async def _ran(self, run: str, command: CommitCache) -> str:
        """The digest of the image that made it; of a short task it may be told a little after its end."""
        if command.image_ran or command.ingredients.custom_key:
            return command.image_ran
        return await self.image_ran(AttemptId(run, command.path, command.number))

    async def forget_artifacts(self, uris: Sequence[str]) -> None:
        """They are deleted: results that need them are no hits any more. A cache that is down finds out at the next lookup."""
        await self._invalidate(cache_pb2.InvalidateRequest(uris=uris))

    async def forget_run(self, run_id: str) -> None:
        """It is deleted, and with it what it has put into the cache."""
        await self._invalidate(cache_pb2.InvalidateRequest(run_id=run_id))

    async def _invalidate(self, request: cache_pb2.InvalidateRequest) -> None:
        try:
            await self.stub.Invalidate(request)
        except ServiceError as down:
            logger.warning("the cache was not told of a deletion: %s", down)

    async def release(self, commands: Sequence[tuple[str, ReleaseCache]]) -> None:
        """Give reservations back; raises ServiceError where the cache is down: they expire then."""
        request = cache_pb2.ReleaseRequest()
        for run, c in commands:
            request.reservations.add(key=c.key, token=c.token, holder=f"{run}/{c.path}")
            self._reserved.pop(c.key, None)
        await self.stub.Release(request)


async def _soon(answer: Awaitable[Any]) -> Any:
    """An answer that tasks wait for; a cache that takes connections and says nothing more must not hold them up."""
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            return await answer
    except TimeoutError:
        raise ServiceError(Reason.DEADLINE, f"no answer within {ANSWERS_WITHIN_S:g} s") from None


def lacking(wanted: cache_pb2.Ingredients, outputs: events_pb2.Values) -> str:
    """What a hit's outputs lack of what the component declares now: with a key of its own it may have been another one."""
    for name, kind in wanted.output_parameters.items():
        if not kind.endswith(" optional") and name not in outputs.parameters:
            return f"its results lack the output '{name}'"
    for name, kind in wanted.output_artifacts.items():
        if " optional" not in kind and name not in outputs.artifacts:
            return f"its results lack the output '{name}'"
    return ""


def uris_of(values: events_pb2.Values) -> list[tuple[str, str]]:
    """Everything that a hit needs in the store, with its digest: artifacts that have content (metrics often are metadata
    alone), and values that lie there.
    """
    uris = [(a.uri, a.digest) for group in values.artifacts.values() for a in group.artifacts if a.digest]
    stored = (value for value in values.parameters.values() if value.WhichOneof("kind") == "uri")
    return [*uris, *((value.uri, value.digest) for value in stored)]
