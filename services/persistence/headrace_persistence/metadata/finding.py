"""Reads: pages of nodes, nodes by what they are known by, and what they are connected with. Each is one snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from headrace_persistence.metadata import listing, paging, reading, types
from headrace_persistence.metadata.filtering import condition
from headrace_persistence.metadata.kinds import ARTIFACT, CONTEXT, EXECUTION, Kind
from headrace_persistence.metadata.lineage import Subgraph
from headrace_persistence.metadata.links import events_of
from headrace_persistence.queries import SQL
from headrace_persistence.stores.texts import storable
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Transaction

T = TypeVar("T")
# A pipeline has artifacts and executions without end; they are walked in the order of their ids. People add nothing to it.
_OF_PIPELINE: Final = {
    "seen_put": " AND false",
    "seen_artifacts": " AND n.id IN (SELECT u.artifact FROM platform.artifact_uses u WHERE u.pipeline = %(of)s)",
    "seen_tasks": " AND n.id IN (SELECT t.task FROM platform.pipeline_tasks t WHERE t.pipeline = %(of)s)",
    "seen_roots": " AND n.id IN (SELECT r.id FROM platform.runs r WHERE NOT r.delete_pending AND left(r.pipeline_name, 200) ="
    " (SELECT p.name FROM platform.pipeline_contexts p WHERE p.id = %(of)s))",
}
_OF_CONTEXTS = {  # the ids of a context's nodes
    ARTIFACT.number: "SELECT a.artifact FROM platform.seen_attributions a WHERE a.context = %(of)s",
    EXECUTION.number: "SELECT a.execution FROM platform.seen_associations a WHERE a.context = %(of)s",
}


async def compiled(kind: Kind, query: str) -> None:
    """Have a filter compiled beside the loop: long ones take their time, the first makes the parser. Mistakes are told later."""
    if query:
        with suppress(ServiceError):
            await asyncio.to_thread(condition, kind, query)


class Finder:
    """ML Metadata's reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def types(self, kind: Kind, ids: Sequence[int]) -> list[Any]:
        """Types by id, in the order asked for; those that are not there are left out."""
        found = await self._read(lambda tx: types.by_id(tx, kind, ids, with_base=kind is not CONTEXT))
        return [found[one] for one in ids if one in found]

    async def all_types(self, kind: Kind) -> list[Any]:
        """All types but the simple ones."""
        return await self._read(lambda tx: types.every(tx, kind, simple=False))

    async def type_named(self, kind: Kind, name: str, version: str) -> Any:
        """One type, or NOT_FOUND."""
        return await self._read(lambda tx: types.found(tx, kind, storable(name), storable(version)))

    async def types_by_external_id(self, kind: Kind, external_ids: Sequence[str]) -> list[Any]:
        """Types by external id."""
        return await self._read(lambda tx: types.by_external_id(tx, kind, [storable(one) for one in external_ids]))

    async def nodes(self, kind: Kind, ids: Sequence[int]) -> list[Any]:
        """Nodes by id."""
        return await self._read(lambda tx: reading.nodes(tx, kind, ids))

    async def artifacts_with_types(self, ids: Sequence[int]) -> tuple[list[Any], list[Any]]:
        """Artifacts by id, and their types."""

        async def work(tx: Transaction) -> tuple[list[Any], list[Any]]:
            found = await reading.nodes(tx, ARTIFACT, ids)
            known = await types.by_id(tx, ARTIFACT, [one.type_id for one in found])
            return found, [known[one] for one in sorted(known)]

        return await self._read(work)

    async def page(
        self, kind: Kind, options: ms.ListOperationOptions | None, only: listing.Only | None = None
    ) -> tuple[list[Any], str]:
        """A page of nodes and where the next one begins; without options, everything."""
        if options is not None and options.filter_query:
            await compiled(kind, options.filter_query)
        listing.asked(kind, options, only)  # refused before anything is read

        async def work(tx: Transaction) -> tuple[list[Any], str]:
            asked, rows = await paging.page(tx, kind, options, only)
            more = asked.size is not None and len(rows) > asked.size
            rows = rows[: asked.size]
            places = {row[0]: at for at, row in enumerate(rows)}
            found = await reading.nodes(tx, kind, list(places))
            found.sort(key=lambda node: places[node.id])
            return found, listing.token(asked.options, rows[-1][1], rows[-1][0]) if more else ""

        return await self._read(work)

    async def of_type(
        self, kind: Kind, name: str, version: str, options: ms.ListOperationOptions | None
    ) -> tuple[list[Any], str | None]:
        """A page of nodes of a type; no token, not even an empty one, where there is no such type."""
        row = await self._read(lambda tx: types.named(tx, kind, storable(name), storable(version)))
        if row is None:
            return [], None
        return await self.page(kind, options, listing.Only(" AND n.type = %(type)s", {"type": row[0]}))

    async def named(self, kind: Kind, type_name: str, version: str, name: str) -> Any:
        """The node of that type and name, or None."""

        async def work(tx: Transaction) -> Any:
            row = await types.named(tx, kind, storable(type_name), storable(version))
            if row is None:
                return None
            key = {"kind": kind.number, "type": row[0], "name": storable(name)}
            found = await tx.fetch_one(SQL["metadata_nodes_named"], key)
            return None if found is None else await reading.one(tx, kind, found[0])

        return await self._read(work)

    async def by_external_id(self, kind: Kind, external_ids: Sequence[str]) -> list[Any]:
        """Nodes by external id; NOT_FOUND where there is none."""
        if "" in external_ids:
            raise ServiceError(Reason.INVALID_INPUT, "an external id is empty; leave it out")

        async def work(tx: Transaction) -> list[Any]:
            asked = {"kind": kind.number, "external_ids": sorted({storable(one) for one in external_ids})}
            rows = await tx.fetch(SQL["metadata_nodes_by_external_id"], asked)
            if external_ids and not rows:
                raise ServiceError(Reason.NOT_FOUND, f"no {kind.word} has any of these external ids")
            return await reading.nodes(tx, kind, [row[0] for row in rows])

        return await self._read(work)

    async def at(self, uris: Sequence[str]) -> list[Any]:
        """Artifacts by URI."""

        async def work(tx: Transaction) -> list[Any]:
            rows = await tx.fetch(SQL["metadata_artifacts_at"], {"uris": sorted({storable(one) for one in uris})})
            return await reading.nodes(tx, ARTIFACT, [row[0] for row in rows])

        return await self._read(work)

    async def of_context(
        self, kind: Kind, context: int, options: ms.ListOperationOptions | None
    ) -> tuple[list[Any], str]:
        """A page of the artifacts or executions of a context."""
        ids = _OF_CONTEXTS[kind.number]
        if await self._database.read(SQL["pipeline_context"], {"id": context}):
            return await self.page(kind, options, listing.Only("", {"of": context}, sources=_OF_PIPELINE))
        return await self.page(kind, options, listing.Only(f" AND n.id IN ({ids})", {"of": context}, ids))

    async def contexts_of(self, kind: Kind, number: int) -> list[Any]:
        """The contexts of an artifact or execution; NOT_FOUND where there is none, as clients expect."""
        query = SQL["attributions_of_artifacts"] if kind is ARTIFACT else SQL["associations_of_executions"]

        async def work(tx: Transaction) -> list[Any]:
            rows = await tx.fetch(query, {"ids": [number]})
            if not rows:
                raise ServiceError(Reason.NOT_FOUND, f"{kind.word} {number} is in no context")
            return await reading.nodes(tx, CONTEXT, [row[0] for row in rows])

        return await self._read(work)

    async def events(self, kind: Kind, ids: Sequence[int]) -> list[ms.Event]:
        """The events of artifacts or executions."""
        other = EXECUTION if kind is ARTIFACT else ARTIFACT
        advice = f"ask for fewer at once, or for the {other.word}s by a filter on events_0, which has pages"
        return await self._read(lambda tx: events_of(tx, kind, ids, advice))

    async def relatives(self, ids: Sequence[int], *, above: bool) -> dict[int, list[Any]]:
        """For each context those right above it, or right below."""

        async def work(tx: Transaction) -> dict[int, list[Any]]:
            rows = await tx.fetch(SQL["parents_of"] if above else SQL["children_of"], {"ids": list(ids)})
            found = {one.id: one for one in await reading.nodes(tx, CONTEXT, [row[1] for row in rows])}
            related: dict[int, list[Any]] = {}
            for of, other in rows:
                if other in found:
                    related.setdefault(of, []).append(found[other])
            return related

        return await self._read(work)

    async def subgraph(self, options: ms.LineageSubgraphQueryOptions, mask: Sequence[str]) -> ms.LineageGraph:
        """What can be reached from the starting nodes."""
        for kind, ends in ((ARTIFACT, options.ending_artifacts), (EXECUTION, options.ending_executions)):
            await compiled(kind, ends.filter_query)
        await compiled(ARTIFACT, options.starting_artifacts.filter_query)
        await compiled(EXECUTION, options.starting_executions.filter_query)

        async def work(tx: Transaction) -> ms.LineageGraph:
            graph = Subgraph(tx, options)
            await graph.walk()
            return await graph.told(mask)

        return await self._read(work)

    async def _read(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async def snapshot(tx: Transaction) -> T:
            await tx.execute(SQL["read_snapshot"])
            return await work(tx)

        return await self._database.transaction(snapshot)
