"""One page of ids: the probes of a filter first, which are quick, then the list among what they found, where that is little, or
by way of a property of which they found much.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from headrace_persistence.metadata import listing
from headrace_persistence.metadata.kinds import Kind
from headrace_persistence.metadata.listing import Asked, Only
from headrace_persistence.metadata.probing import Probe
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Row, Transaction

FEW: Final = 5_000  # ids of a probe that are worth handing over
MOST: Final = 50_000  # nodes of an answer without options, which has no pages


async def page(
    tx: Transaction, kind: Kind, options: ms.ListOperationOptions | None, only: Only | None = None
) -> tuple[Asked, list[Row]]:
    """What was asked, and its rows: ids and places in the order, one more than the page has."""
    asked = listing.asked(kind, options, only, MOST + 1)
    among: set[int] | None = None
    if only is not None and only.ids:
        among = await _few(tx, only.ids, only.params or {})
        only = only if among is None else None  # they are all that ONLY names
    known: set[str] = set()
    many: list[Probe] = []
    for probe in asked.probes:
        if among != set() and (ids := await _few(tx, probe.text, probe.params)) is not None:
            among = ids if among is None else among & ids
            known |= probe.answers
        elif probe.walk and among is None:
            many.append(probe)
    if among is None and many and listing.walkable(options, only):
        asked = listing.asked(kind, options, only, by=many[0])
    if among is not None:
        if not among:
            return asked, []
        asked = listing.asked(kind, options, listing.among(only, sorted(among)), MOST + 1, frozenset(known))
    rows = await tx.fetch(asked.text, asked.params)
    if asked.size is None and len(rows) > MOST:
        said = f"there are more than {MOST} {kind.word}s: give options, which bring pages (list_options in the client)"
        raise ServiceError(Reason.TOO_LARGE, said)
    return asked, rows


async def _few(tx: Transaction, query: str, params: Mapping[str, Any]) -> set[int] | None:
    """The ids that QUERY finds; None where they are many."""
    rows = await tx.fetch(f"{query} LIMIT {FEW + 1}", params)
    return {row[0] for row in rows} if len(rows) <= FEW else None
