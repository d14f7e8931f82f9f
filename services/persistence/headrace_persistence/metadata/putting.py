"""Writes: each rpc is one transaction, all of it or nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from headrace_persistence.metadata import edges, reading, types
from headrace_persistence.metadata.kinds import ARTIFACT, CONTEXT, EXECUTION, Kind
from headrace_persistence.metadata.links import Linker
from headrace_persistence.metadata.writing import Putter
from headrace_persistence.queries import SQL
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_protos.ml_metadata import metadata_store_service_pb2 as mss
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Transaction, UniqueViolationError

T = TypeVar("T")
_TAKEN = {
    "metadata_types_external_id": "another type has that external id",
    "metadata_nodes_external_id": "another node has that external id",
    "metadata_nodes_name": "another context of that type has that name",
}


class Writer:
    """ML Metadata's writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def types(self, put: Sequence[tuple[Kind, Any]], *, add: bool, omit: bool) -> list[int]:
        """Types of any kinds."""

        async def work(tx: Transaction) -> list[int]:
            return [await types.put(tx, kind, given, add=add, omit=omit) for kind, given in put]

        return await self._write(work)

    async def nodes(
        self, kind: Kind, given: Sequence[Any], mask: Sequence[str], *, optimistic: bool = False
    ) -> list[int]:
        """Nodes of a kind; OPTIMISTIC refuses those that were changed since they were read."""

        async def work(tx: Transaction) -> list[int]:
            putter = Putter(tx, await _now(tx))
            ids = []
            for node in given:
                if optimistic and node.HasField("id"):
                    await _unchanged(tx, kind, node)
                ids.append(await putter.put(kind, node, mask=mask))
            return ids

        return await self._write(work)

    async def events(self, events: Sequence[ms.Event]) -> None:
        """Events."""

        async def work(tx: Transaction) -> None:
            linker = Linker(tx, await _now(tx))
            for event in events:
                await linker.event(event)

        await self._write(work)

    async def belongings(self, attributions: Sequence[ms.Attribution], associations: Sequence[ms.Association]) -> None:
        """Attributions and associations."""

        async def work(tx: Transaction) -> None:
            linker = Linker(tx, await _now(tx))
            for one in attributions:
                _need(one, "attribution", "context_id", "artifact_id")
                await linker.attribute(one.context_id, one.artifact_id)
            for other in associations:
                _need(other, "association", "context_id", "execution_id")
                await linker.associate(other.context_id, other.execution_id)

        await self._write(work)

    async def parents(self, links: Sequence[ms.ParentContext]) -> None:
        """Parent contexts."""

        async def work(tx: Transaction) -> None:
            linker = Linker(tx, await _now(tx))
            for link in links:
                await linker.parent(link)

        await self._write(work)

    async def execution(self, request: mss.PutExecutionRequest) -> mss.PutExecutionResponse:
        """An execution with its artifacts, events and contexts."""
        if not request.HasField("execution"):
            raise ServiceError(Reason.INVALID_INPUT, "the request has no execution")

        async def work(tx: Transaction) -> mss.PutExecutionResponse:
            putter = Putter(tx, now := await _now(tx))
            return await _Execution(tx, putter, Linker(tx, now, putter.new), request).put()

        return await self._write(work)

    async def subgraph(self, request: mss.PutLineageSubgraphRequest) -> mss.PutLineageSubgraphResponse:
        """Executions, artifacts, contexts and the events between them."""
        edges.check(request)

        async def work(tx: Transaction) -> mss.PutLineageSubgraphResponse:
            putter = Putter(tx, now := await _now(tx))
            return await _subgraph(tx, putter, Linker(tx, now, putter.new), request)

        return await self._write(work)

    async def _write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        try:
            return await self._database.transaction(work)
        except UniqueViolationError as taken:
            said = _TAKEN.get(taken.constraint, "another call was faster with the same key; read it again")
            raise ServiceError(Reason.ALREADY_EXISTS, said) from taken


class _Execution:
    """PutExecution, in one transaction."""

    def __init__(self, tx: Transaction, putter: Putter, linker: Linker, request: mss.PutExecutionRequest) -> None:
        self._tx, self._putter, self._linker, self._request = tx, putter, linker, request

    async def put(self) -> mss.PutExecutionResponse:
        request, options = self._request, self._request.options
        reuse = options.reuse_artifact_if_already_exist_by_external_id
        own = [
            await _artifact(self._tx, self._putter, pair.artifact, reuse=reuse) if pair.HasField("artifact") else None
            for pair in request.artifact_event_pairs
        ]
        number = await self._putter.put(EXECUTION, request.execution, force=options.force_update_time)
        told = mss.PutExecutionResponse(execution_id=number)
        for pair, artifact in zip(request.artifact_event_pairs, own, strict=True):
            written = -1 if artifact is None else artifact
            if pair.HasField("event"):
                event = edges.event_of_pair(pair, number, artifact)
                await self._linker.event(event)
                written = event.artifact_id
            told.artifact_ids.append(written)
        for context in request.contexts:
            told.context_ids.append(await self._context(context))
            await _fill(self._linker, told.context_ids[-1], [one for one in told.artifact_ids if one != -1], [number])
        return told

    async def _context(self, context: ms.Context) -> int:
        options = self._request.options
        if context.HasField("id") and options.force_reuse_context:
            if await reading.one(self._tx, CONTEXT, context.id) is None:
                raise ServiceError(Reason.NOT_FOUND, f"there is no context {context.id}")
            return context.id
        return await _context(self._tx, self._putter, context, reuse=options.reuse_context_if_already_exist)


async def _subgraph(
    tx: Transaction, putter: Putter, linker: Linker, request: mss.PutLineageSubgraphRequest
) -> mss.PutLineageSubgraphResponse:
    for kind, nodes in ((ARTIFACT, request.artifacts), (EXECUTION, request.executions), (CONTEXT, request.contexts)):
        for node in nodes:
            await putter.check(kind, node)
    told, options = mss.PutLineageSubgraphResponse(), request.options
    for context in request.contexts:
        told.context_ids.append(await _context(tx, putter, context, reuse=options.reuse_context_if_already_exist))
    reuse = options.reuse_artifact_if_already_exist_by_external_id
    for artifact in request.artifacts:
        told.artifact_ids.append(await _artifact(tx, putter, artifact, reuse=reuse))
    for execution in request.executions:
        told.execution_ids.append(await putter.put(EXECUTION, execution))
    for number in dict.fromkeys(told.context_ids):
        await _fill(linker, number, told.artifact_ids, told.execution_ids)
    for edge in request.event_edges:
        event = ms.Event()
        event.CopyFrom(edge.event)
        if not event.HasField("execution_id"):
            event.execution_id = told.execution_ids[edge.execution_index]
        if not event.HasField("artifact_id"):
            event.artifact_id = told.artifact_ids[edge.artifact_index]
        await linker.event(event)
    return told


async def _artifact(tx: Transaction, putter: Putter, given: ms.Artifact, *, reuse: bool) -> int:
    """The artifact as it is put; with REUSE the one that has its external id is changed."""
    if reuse and given.external_id and not given.HasField("id"):
        asked = {"kind": ARTIFACT.number, "external_ids": [given.external_id]}
        row = await tx.fetch_one(SQL["metadata_nodes_by_external_id"], asked)
        if row is not None:
            known = ms.Artifact(id=row[0])
            known.MergeFrom(given)
            given = known
    return await putter.put(ARTIFACT, given)


async def _context(tx: Transaction, putter: Putter, given: ms.Context, *, reuse: bool) -> int:
    """The context as it is put; with REUSE the one of its type and name as it is."""
    _need(given, "context", "type_id", "name")
    if reuse and not given.HasField("id"):
        key = {"kind": CONTEXT.number, "type": given.type_id, "name": given.name}
        row = await tx.fetch_one(SQL["metadata_nodes_named"], key)
        if row is not None:
            return int(row[0])
    try:
        return await putter.put(CONTEXT, given)
    except ServiceError as failed:
        if reuse and failed.reason == Reason.ALREADY_EXISTS:  # made by another call since we looked
            raise ServiceError(Reason.REVISION_CONFLICT, f"{failed.message}: try again, it will be reused") from None
        raise


async def _fill(linker: Linker, context: int, artifacts: Sequence[int], executions: Sequence[int]) -> None:
    for execution in dict.fromkeys(executions):
        await linker.associate(context, execution)
    for artifact in dict.fromkeys(artifacts):
        await linker.attribute(context, artifact)


async def _unchanged(tx: Transaction, kind: Kind, given: Any) -> None:
    await tx.execute(SQL["lock_metadata_node"], {"id": given.id})
    stored = await reading.one(tx, kind, given.id)
    if stored is not None and stored.last_update_time_since_epoch != given.last_update_time_since_epoch:
        said = (
            f"{kind.word} {given.id} was changed at {stored.last_update_time_since_epoch}, after it was read at"
            f" {given.last_update_time_since_epoch}: read it again, then put"
        )
        raise ServiceError(Reason.WRONG_STATE, said)


def _need(given: Any, word: str, *names: str) -> None:
    for name in names:
        if not given.HasField(name):
            raise ServiceError(Reason.INVALID_INPUT, f"an {word} needs a {name}")


async def _now(tx: Transaction) -> int:
    row = await tx.fetch_one(SQL["metadata_now"])
    return int(row[0]) if row else 0
