"""The scheduler's side of the cache: looks tasks up, checks that what a hit names still exists, reserves what is a miss,
renews reservations, commits and releases. Called by dispatching.py; answers are facts. A cache that is down is a miss.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace_protos.v1 import cache_pb2, events_pb2
from headrace_scheduler.engine.commands import AskCache, CommitCache, ReleaseCache
from headrace_scheduler.engine.facts import CacheAnswered
from headrace_servicekit.errors import ServiceError

logger = logging.getLogger(__name__)
RENEW_EVERY_S = 20.0
Exists = Callable[[Sequence[str]], Awaitable[Sequence[bool]]]
Asked = tuple[str, AskCache]  # run id, command


@dataclass(slots=True)
class CacheClient:
    """`stub` is a Cache stub, `exists` tells which artifact URIs are there."""

    stub: Any
    exists: Exists
    _reserved: dict[str, tuple[str, str]] = field(default_factory=dict)  # key → token, holder

    async def ask(self, asked: Sequence[Asked]) -> list[tuple[str, CacheAnswered]]:
        """Answers in the order asked, each with its run id."""
        try:
            looked = await self.stub.Lookup(cache_pb2.LookupRequest(ingredients=[c.ingredients for _, c in asked]))
            intact = await self._intact(looked.hits)
            stale = [hit.key for hit, good in zip(looked.hits, intact, strict=True) if hit.found and not good]
            if stale:
                await self.stub.Invalidate(cache_pb2.InvalidateRequest(keys=stale))
            misses = [i for i, good in enumerate(intact) if not good]
            reserved = await self._reserve([(looked.hits[i].key, asked[i]) for i in misses])
        except ServiceError as down:
            logger.warning("the cache does not answer, %d tasks run uncached: %s", len(asked), down)
            return [(run, CacheAnswered(c.path, key="", unavailable=True)) for run, c in asked]
        answers: list[tuple[str, CacheAnswered]] = []
        for (run, command), hit, good in zip(asked, looked.hits, intact, strict=True):
            if good:
                fact = CacheAnswered(command.path, hit.key, found=True, outputs=hit.outputs, origin=hit.origin)
            else:
                one = next(reserved)
                held_by = "" if one.granted else one.holder
                fact = CacheAnswered(command.path, hit.key, token=one.token if one.granted else "", held_by=held_by)
            answers.append((run, fact))
        return answers

    async def _intact(self, hits: Iterable[cache_pb2.Hit]) -> list[bool]:
        """Which hits are there with all their artifacts: a task downstream must never meet a missing one."""
        uris = [(i, uri) for i, hit in enumerate(hits) if hit.found for uri in uris_of(hit.outputs)]
        there = await self.exists([uri for _, uri in uris]) if uris else []
        broken = {i for (i, _), good in zip(uris, there, strict=True) if not good}
        return [hit.found and i not in broken for i, hit in enumerate(hits)]

    async def _reserve(self, wanted: Sequence[tuple[str, Asked]]) -> Any:
        if not wanted:
            return iter(())
        request = cache_pb2.ReserveRequest()
        for key, (run, command) in wanted:
            holder = f"{run}/{command.path}"
            token, owner = self._reserved.get(key, ("", ""))
            request.reservations.add(key=key, token=token if owner == holder else "", holder=holder)
        answer = await self.stub.Reserve(request)
        for one, (key, (run, command)) in zip(answer.reserved, wanted, strict=True):
            if one.granted:
                self._reserved[key] = (one.token, f"{run}/{command.path}")
        return iter(answer.reserved)

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
        """Store outputs; raises ServiceError where the cache is down: the caller asks again."""
        request = cache_pb2.CommitRequest()
        for run, c in commands:
            request.entries.add(
                key=c.key, token=c.token, origin=f"{run}/{c.path}", outputs=c.outputs, ingredients=c.ingredients
            )
        await self.stub.Commit(request)
        for _, c in commands:
            self._reserved.pop(c.key, None)

    async def release(self, commands: Sequence[tuple[str, ReleaseCache]]) -> None:
        """Give reservations back; raises ServiceError where the cache is down: they expire then."""
        request = cache_pb2.ReleaseRequest()
        for run, c in commands:
            request.reservations.add(key=c.key, token=c.token, holder=f"{run}/{c.path}")
            self._reserved.pop(c.key, None)
        await self.stub.Release(request)


def uris_of(values: events_pb2.Values) -> list[str]:
    """Everything that a hit needs in the store: artifacts that have content (metrics often are metadata alone), and values
    that lie there."""
    uris = [a.uri for group in values.artifacts.values() for a in group.artifacts if a.digest]
    return [*uris, *(value.uri for value in values.parameters.values() if value.WhichOneof("kind") == "uri")]
