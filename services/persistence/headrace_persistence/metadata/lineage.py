"""Lineage subgraphs: from starting nodes over events, hop by hop, to a depth and up to ending nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headrace_persistence.metadata import listing, paging, types
from headrace_persistence.metadata.kinds import ARTIFACT, CONTEXT, EXECUTION, Kind
from headrace_persistence.metadata.links import events_of
from headrace_persistence.queries import SQL
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Transaction

MOST_HOPS: Final = 20  # as in the official server
MOST_STARTS: Final = 100
_OUTPUTS: Final = frozenset(
    (ms.Event.DECLARED_OUTPUT, ms.Event.INTERNAL_OUTPUT, ms.Event.PENDING_OUTPUT, ms.Event.OUTPUT)
)
_INPUTS: Final = frozenset((ms.Event.DECLARED_INPUT, ms.Event.INTERNAL_INPUT, ms.Event.INPUT))
_DIRECTED: Final = (ms.LineageSubgraphQueryOptions.UPSTREAM, ms.LineageSubgraphQueryOptions.DOWNSTREAM)


def follows(event_type: int, direction: int, *, from_artifacts: bool) -> bool:
    """Whether an event leads on in DIRECTION from the node that is left."""
    if direction not in _DIRECTED:
        return True
    upstream = direction == ms.LineageSubgraphQueryOptions.UPSTREAM
    return event_type in (_OUTPUTS if upstream == from_artifacts else _INPUTS)


class Subgraph:
    """One walk."""

    def __init__(self, tx: Transaction, options: ms.LineageSubgraphQueryOptions) -> None:
        self._tx, self._options = tx, options
        self._visited: dict[int, list[int]] = {ARTIFACT.number: [], EXECUTION.number: []}
        self._ending: dict[int, set[int]] = {ARTIFACT.number: set(), EXECUTION.number: set()}
        self._events: list[ms.Event] = []

    async def walk(self) -> None:
        """Visit what can be reached; raises where nothing can be started from."""
        kind, query, hops = self._checked()
        start = ms.ListOperationOptions(filter_query=query, max_result_size=MOST_STARTS)
        _, found = await paging.page(self._tx, kind, start)
        rows = found[:MOST_STARTS]
        if not rows:
            raise ServiceError(Reason.NOT_FOUND, f"no {kind.word} fits the filter of the starting nodes")
        reached = await self._without_ending(kind, [row[0] for row in rows])
        self._visited[kind.number] = list(reached)
        for _ in range(hops):
            reached, kind = await self._hop(kind, reached), ARTIFACT if kind is EXECUTION else EXECUTION
            if not reached:
                break

    def _checked(self) -> tuple[Kind, str, int]:
        which = self._options.WhichOneof("starting_nodes")
        if which is None:
            raise ServiceError(Reason.INVALID_INPUT, "starting_artifacts or starting_executions is needed")
        query = getattr(self._options, which).filter_query
        if not query:
            raise ServiceError(Reason.INVALID_INPUT, f"{which} needs a filter_query")
        hops = self._options.max_num_hops if self._options.HasField("max_num_hops") else MOST_HOPS
        if hops < 0:
            raise ServiceError(Reason.INVALID_INPUT, f"max_num_hops is {hops}; it cannot be negative")
        return ARTIFACT if which == "starting_artifacts" else EXECUTION, query, min(hops, MOST_HOPS)

    async def _hop(self, kind: Kind, ids: Sequence[int]) -> list[int]:
        """From nodes of KIND to those of the other kind that are new."""
        from_artifacts = kind is ARTIFACT
        other = EXECUTION if from_artifacts else ARTIFACT
        events = [
            event
            for event in await events_of(self._tx, kind, ids, "give fewer hops (max_num_hops), or ending nodes")
            if follows(event.type, self._options.direction, from_artifacts=from_artifacts)
        ]
        visited, ending = set(self._visited[other.number]), self._ending[other.number]
        new = {_far(event, other) for event in events} - visited - ending
        reached = await self._without_ending(other, sorted(new))
        for event in events:
            far = _far(event, other)
            if far in ending:
                kept = self._endings(other).include_ending_nodes
            else:  # a walk both ways has told the events between nodes that it visited before
                kept = far not in visited or self._options.direction in _DIRECTED
            if kept:
                self._events.append(event)
        self._visited[other.number] += reached
        return reached

    async def _without_ending(self, kind: Kind, ids: Sequence[int]) -> list[int]:
        """IDS without those at which the walk ends, which are remembered."""
        ends = self._endings(kind)
        if not ends.filter_query or not ids:
            return list(ids)
        found = listing.filtered(kind, ends.filter_query, listing.among(None, ids))
        ending = {row[0] for row in await self._tx.fetch(found.text, found.params)}
        self._ending[kind.number] |= ending
        return [one for one in ids if one not in ending]

    def _endings(self, kind: Kind) -> ms.LineageSubgraphQueryOptions.EndingNodes:
        return self._options.ending_artifacts if kind is ARTIFACT else self._options.ending_executions

    def _ids(self, kind: Kind) -> list[int]:
        kept = self._ending[kind.number] if self._endings(kind).include_ending_nodes else set()
        return sorted({*self._visited[kind.number], *kept})

    async def told(self, mask: Sequence[str]) -> ms.LineageGraph:
        """What was visited, as far as MASK names it; nodes are ids alone, as the official server tells them."""
        graph = ms.LineageGraph()
        wanted = set(mask) or {field.name for field in ms.LineageGraph.DESCRIPTOR.fields}
        artifacts, executions = self._ids(ARTIFACT), self._ids(EXECUTION)
        if "artifacts" in wanted:
            graph.artifacts.extend(ms.Artifact(id=one) for one in artifacts)
        if "executions" in wanted:
            graph.executions.extend(ms.Execution(id=one) for one in executions)
        if "events" in wanted:
            graph.events.extend(self._events)
        await self._tell_contexts(graph, wanted, artifacts, executions)
        for name, kind in (("artifact_types", ARTIFACT), ("execution_types", EXECUTION), ("context_types", CONTEXT)):
            if name in wanted:
                getattr(graph, name).extend(await types.every(self._tx, kind, simple=True))
        return graph

    async def _tell_contexts(
        self, graph: ms.LineageGraph, wanted: set[str], artifacts: Sequence[int], executions: Sequence[int]
    ) -> None:
        if not wanted & {"contexts", "attributions", "associations"}:
            return
        attributed = await self._tx.fetch(SQL["attributions_of_artifacts"], {"ids": artifacts})
        associated = await self._tx.fetch(SQL["associations_of_executions"], {"ids": executions})
        if "contexts" in wanted:
            graph.contexts.extend(ms.Context(id=one) for one in sorted({row[0] for row in (*attributed, *associated)}))
        if "attributions" in wanted:
            graph.attributions.extend(ms.Attribution(context_id=row[0], artifact_id=row[1]) for row in attributed)
        if "associations" in wanted:
            graph.associations.extend(ms.Association(context_id=row[0], execution_id=row[1]) for row in associated)


def _far(event: ms.Event, kind: Kind) -> int:
    return int(event.artifact_id if kind is ARTIFACT else event.execution_id)
