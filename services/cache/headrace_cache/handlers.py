"""headrace.v1.Cache: the wire side of the store; registered by server.py."""

from __future__ import annotations

import logging
from typing import Any, TypeAlias

import grpc

from headrace_cache.ages import Ages, too_old
from headrace_cache.explaining import explained
from headrace_cache.fingerprint import fingerprint
from headrace_cache.store import CacheStore
from headrace_protos.v1 import cache_pb2, cache_pb2_grpc, events_pb2

logger = logging.getLogger(__name__)
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class CacheService(cache_pb2_grpc.CacheServicer):
    """See cache.proto for what each call promises."""

    def __init__(self, store: CacheStore, ages: Ages) -> None:
        self._store = store
        self._ages = ages

    async def Lookup(self, request: cache_pb2.LookupRequest, context: Context) -> cache_pb2.LookupResponse:  # noqa: N802
        """Keys for all, entries for those that there are."""
        keys = [fingerprint(one) for one in request.ingredients]
        found = await self._store.lookup(keys)
        answer = cache_pb2.LookupResponse()
        asked = dict(enumerate(request.max_age_s))
        for index, (key, ingredients) in enumerate(zip(keys, request.ingredients, strict=True)):
            hit = answer.hits.add(key=key)
            entry = found.get(key)
            if entry is None:
                continue
            hit.why = too_old(entry.age_s, self._ages.limit(asked.get(index, 0.0), ingredients))
            if not hit.why:
                hit.found, hit.origin, hit.created_at_us = True, entry.origin, entry.created_at_us
                hit.outputs.CopyFrom(events_pb2.Values.FromString(entry.outputs))
        return answer

    async def Reserve(self, request: cache_pb2.ReserveRequest, context: Context) -> cache_pb2.ReserveResponse:  # noqa: N802
        """The first of several for one key is granted, the rest learn who has it."""
        outcomes = await self._store.reserve(request.reservations)
        answer = cache_pb2.ReserveResponse()
        served: set[str] = set()
        for wanted in request.reservations:
            one = outcomes.get(wanted.key)
            mine = one is not None and one.token != "" and (wanted.key not in served or one.holder == wanted.holder)
            served.add(wanted.key)
            reserved = answer.reserved.add(key=wanted.key, granted=mine)
            if one is not None:
                reserved.expires_after_s = one.expires_after_s
                reserved.holder = "" if mine else one.holder
                reserved.token = one.token if mine else ""
        return answer

    async def Commit(self, request: cache_pb2.CommitRequest, context: Context) -> cache_pb2.CommitResponse:  # noqa: N802
        """Entries in, reservations out."""
        right: list[cache_pb2.Entry] = []
        wrong: list[cache_pb2.Entry] = []
        for one in request.entries:
            (right if fingerprint(one.ingredients) == one.key else wrong).append(one)
        if right:
            await self._store.commit(right)
        if wrong:
            origins = ", ".join(one.origin for one in wrong[:3])
            logger.info(
                "%d results are not kept, for what they were made of has changed meanwhile: %s", len(wrong), origins
            )
            await self._store.release([cache_pb2.Reservation(key=one.key, token=one.token) for one in wrong])
        return cache_pb2.CommitResponse()

    async def Release(self, request: cache_pb2.ReleaseRequest, context: Context) -> cache_pb2.ReleaseResponse:  # noqa: N802
        """Reservations out."""
        if request.reservations:
            await self._store.release(request.reservations)
        return cache_pb2.ReleaseResponse()

    async def Invalidate(  # noqa: N802
        self, request: cache_pb2.InvalidateRequest, context: Context
    ) -> cache_pb2.InvalidateResponse:
        """Entries out."""
        return cache_pb2.InvalidateResponse(dropped=await self._store.invalidate(request))

    async def ListEntries(  # noqa: N802
        self, request: cache_pb2.ListEntriesRequest, context: Context
    ) -> cache_pb2.EntryRecords:
        """By age and number."""
        return cache_pb2.EntryRecords(entries=await self._store.listed(request))

    async def EntriesUsing(  # noqa: N802
        self, request: cache_pb2.EntriesUsingRequest, context: Context
    ) -> cache_pb2.EntryRecords:
        """By what they need."""
        return cache_pb2.EntryRecords(entries=await self._store.using(request.uris))

    async def ListPipelines(  # noqa: N802
        self, request: cache_pb2.ListPipelinesRequest, context: Context
    ) -> cache_pb2.CachedPipelines:
        """Those that have entries."""
        return cache_pb2.CachedPipelines(pipelines=await self._store.pipelines())

    async def Explain(self, request: cache_pb2.ExplainRequest, context: Context) -> cache_pb2.ExplainResponse:  # noqa: N802
        """Of ingredients as they are now, or of a task as it was."""
        return await explained(self._store, request)
