"""Whether what a hit of the cache names is still whole in the stores: there, and on request the same by its digest.
Called by caching.py. What lies in other places than our stores is somebody else's to keep, and counts as there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Literal

from headrace_companion.store import ArtifactStore, ObjectMissing, StoreError
from headrace_protos.v1 import events_pb2
from headrace_scheduler.caching import Checks, uris_of
from headrace_scheduler.handlers.artifacts import exists
from headrace_servicekit.errors import Reason, ServiceError

MEASURED: Final = "sha256:"  # other digests are not those of the content that a store has


def checks(store: ArtifactStore, how: Literal["none", "exists", "digest"]) -> Checks:
    """What CacheClient asks of hits; HOW is HEADRACE_CACHE_VERIFY."""

    async def check(hits: Sequence[events_pb2.Values]) -> list[str]:
        needed = [(i, uri, digest) for i, values in enumerate(hits) for uri, digest in uris_of(values)]
        why = ["" for _ in hits]
        if how == "none" or not needed:
            return why
        there = await exists(store, [uri for _, uri, _ in needed])
        for (i, uri, digest), good in zip(needed, there, strict=True):
            if not good:
                why[i] = why[i] or f"{uri} is not there any more"
            elif how == "digest" and not why[i] and digest.startswith(MEASURED):
                why[i] = await asyncio.to_thread(_changed, store, uri, digest)
        return why

    return check


def _changed(store: ArtifactStore, uri: str, digest: str) -> str:
    key = store.key(uri)
    if key is None:
        return ""
    try:
        found = store.describe(key).digest
    except ObjectMissing:
        return f"{uri} is not there any more"
    except StoreError as failed:
        raise ServiceError(Reason.UNAVAILABLE, str(failed)) from failed
    return "" if found == digest else f"what lies at {uri} is not what was put there"
