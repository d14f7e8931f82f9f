"""Why a task was a hit or a miss: the answer to Cache.Explain, made of what the store has. Called by handlers.py."""

from __future__ import annotations

from typing import Any

from headrace_cache.comparing import first_difference, nearest
from headrace_cache.fingerprint import canonical, fingerprint
from headrace_cache.store import CacheStore, Near
from headrace_protos.v1 import cache_pb2


async def explained(store: CacheStore, request: cache_pb2.ExplainRequest) -> cache_pb2.ExplainResponse:
    """By ingredients as they are now, or of a task of a run as it was."""
    if not request.run_id:
        key = fingerprint(request.ingredients)
        found = key in await store.lookup([key])
        answer = cache_pb2.ExplainResponse(key=key, found=found)
        return await _compared(store, answer, request.ingredients, 0)
    if request.cached_from:
        return await _hit(store, request)
    miss = await store.miss(request.run_id, request.path)
    if miss is None:
        return cache_pb2.ExplainResponse(key=request.key, unknown=True)
    answer = cache_pb2.ExplainResponse(key=miss.key or request.key, why=miss.why)
    if not miss.key:
        return answer
    return await _compared(store, answer, miss.ingredients, miss.asked_at_us)


async def _hit(store: CacheStore, request: cache_pb2.ExplainRequest) -> cache_pb2.ExplainResponse:
    answer = cache_pb2.ExplainResponse(
        key=request.key, found=True, nearest_key=request.key, nearest_origin=request.cached_from
    )
    entry = await store.entry(request.key)
    if entry is not None:
        answer.nearest_created_at_us = entry.created_at_us if entry.origin == request.cached_from else 0
        answer.fields.extend(_fields(canonical(entry.ingredients)))
    return answer


async def _compared(
    store: CacheStore, answer: cache_pb2.ExplainResponse, ingredients: cache_pb2.Ingredients, before_us: int
) -> cache_pb2.ExplainResponse:
    """Beside the nearest entry of the component, else of the pipeline."""
    ours = canonical(ingredients)
    answer.fields.extend(_fields(ours))
    entries: list[Near] = await store.nearest(ingredients, answer.key, before_us)
    found = nearest(ours, [(entry, canonical(entry.ingredients)) for entry in entries])
    if found is not None:
        entry, theirs = found
        different = first_difference(ours, theirs)
        answer.nearest_key, answer.nearest_origin = entry.key, entry.origin
        answer.nearest_created_at_us = entry.created_at_us
        answer.first_difference, answer.ours, answer.theirs = different.path, different.ours, different.theirs
    return answer


def _fields(form: dict[str, Any]) -> list[str]:
    return [name for name in form if name != "version"]
