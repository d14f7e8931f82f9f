"""One page of ids: the probes of a filter first, which are quick, then the list among what they found, where that is little."""

from __future__ import annotations

from typing import Final

from headrace_persistence.metadata import listing
from headrace_persistence.metadata.kinds import Kind
from headrace_persistence.metadata.listing import Asked, Only
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
    least: list[int] | None = None
    for probe in asked.probes:
        ids = [row[0] for row in await tx.fetch(f"{probe.text} LIMIT {FEW + 1}", probe.params)]
        if len(ids) <= FEW and (least is None or len(ids) < len(least)):
            least = sorted(set(ids))
        if not ids:
            return asked, []
    if least is not None:
        asked = listing.asked(kind, options, listing.among(only, least))
    rows = await tx.fetch(asked.text, asked.params)
    if asked.size is None and len(rows) > MOST:
        said = f"there are more than {MOST} {kind.word}s: give options, which bring pages (list_options in the client)"
        raise ServiceError(Reason.TOO_LARGE, said)
    return asked, rows
