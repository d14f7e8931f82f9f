"""Lineage subgraphs: from artifacts and executions, both ways, to depths, up to ending nodes, under read masks."""

from __future__ import annotations

from typing import Any

from google.protobuf import field_mask_pb2
from making import event, node, type_of
from ml_metadata.proto import metadata_store_pb2 as ms
from ml_metadata.proto import metadata_store_service_pb2 as mss

O = ms.LineageSubgraphQueryOptions  # noqa: E741
LISTS = ("artifacts", "executions", "contexts", "events", "attributions", "associations")


def run(store: Any) -> None:
    ids = made(store)
    for start in ("artifacts", "executions"):
        for number in range(0, len(ids[start]), 2):
            for direction in (O.UPSTREAM, O.DOWNSTREAM, O.BIDIRECTIONAL, O.DIRECTION_UNSPECIFIED):
                for hops in (0, 1, 2, 3, None):
                    walked(
                        store,
                        start,
                        f"id = {ids[start][number]}",
                        direction,
                        hops,
                        note=f"{start} {number} {direction} {hops}",
                    )
    ended(store, ids)
    told(store, ids)
    wrong(store, ids)


def made(store: Any) -> dict[str, list[int]]:
    """Branches that meet, one that leaves, a piece apart: a0 → e0 → a1 → e1 → a3; a2 → e1; a1 → e2 → a4, a5; a6 → e3."""
    artifact = store.put_artifact_type(type_of("artifact", "walked artifact", n=ms.INT), kind="artifact type")
    execution = store.put_execution_type(type_of("execution", "walked execution", n=ms.INT), kind="execution type")
    context = store.put_context_type(type_of("context", "walked context"), kind="context type")
    a = store.put_artifacts(
        [node("artifact", artifact, name=f"walked {n}", uri=f"u{n}", properties={"n": n}) for n in range(7)],
        kind="artifact",
    )
    e = store.put_executions(
        [node("execution", execution, name=f"walked {n}", properties={"n": n}) for n in range(4)], kind="execution"
    )
    c = store.put_contexts([node("context", context, name=f"walked {n}") for n in range(2)], kind="context")
    edges = ((0, 0, "INPUT"), (0, 1, "OUTPUT"), (1, 1, "DECLARED_INPUT"), (1, 2, "INTERNAL_INPUT"), (1, 3, "DECLARED_OUTPUT"),
             (2, 1, "INPUT"), (2, 4, "INTERNAL_OUTPUT"), (2, 5, "PENDING_OUTPUT"), (3, 6, "INPUT"))  # fmt: skip
    store.put_events([event(e[one], a[other], ms.Event.Type.Value(type_)) for one, other, type_ in edges])
    store.put_attributions_and_associations(
        [ms.Attribution(context_id=c[n % 2], artifact_id=a[n]) for n in range(5)],
        [ms.Association(context_id=c[n % 2], execution_id=e[n]) for n in range(3)],
    )
    return {"artifacts": list(a), "executions": list(e), "contexts": list(c)}


def walked(
    store: Any, start: str, query: str, direction: int, hops: int | None, *, note: str, mask: Any = LISTS, **ends: Any
) -> None:
    options = O(direction=direction)
    getattr(options, f"starting_{start}").filter_query = query
    if hops is not None:
        options.max_num_hops = hops
    for name, (filter_query, included) in ends.items():
        getattr(options, name).filter_query = filter_query
        getattr(options, name).include_ending_nodes = included
    request = mss.GetLineageSubgraphRequest(
        lineage_subgraph_query_options=options, read_mask=field_mask_pb2.FieldMask(paths=mask)
    )
    store.raw("GetLineageSubgraph", request, mss.GetLineageSubgraphResponse(), note=note)


def ended(store: Any, ids: dict[str, list[int]]) -> None:
    first = f"id = {ids['artifacts'][0]}"
    for included in (False, True):
        for number in (1, 2, 3):
            walked(store, "artifacts", first, O.DOWNSTREAM, None, note=f"to execution {number} {included}",
                   ending_executions=(f"properties.n.int_value = {number}", included))  # fmt: skip
            walked(store, "artifacts", first, O.BIDIRECTIONAL, None, note=f"to artifact {number} {included}",
                   ending_artifacts=(f"name = 'walked {number}'", included))  # fmt: skip
        walked(
            store,
            "artifacts",
            first,
            O.DOWNSTREAM,
            None,
            note=f"ends where it begins {included}",
            ending_artifacts=("uri = 'u0'", included),
        )
        walked(store, "executions", f"id = {ids['executions'][1]}", O.UPSTREAM, None, note=f"both ends {included}",
               ending_artifacts=("uri = 'u2'", included), ending_executions=("name = 'walked 0'", included))  # fmt: skip
        walked(
            store,
            "artifacts",
            "type = 'walked artifact'",
            O.UPSTREAM,
            4,
            note=f"from all, to none {included}",
            ending_artifacts=("id < 0", included),
        )


def told(store: Any, ids: dict[str, list[int]]) -> None:
    first = f"id = {ids['artifacts'][1]}"
    for one in LISTS:
        walked(store, "artifacts", first, O.BIDIRECTIONAL, None, note=f"{one} alone", mask=[one])
    for types in (["artifact_types"], ["execution_types", "context_types"]):
        walked(store, "artifacts", first, O.BIDIRECTIONAL, 1, note=str(types), mask=types)
    walked(store, "artifacts", first, O.BIDIRECTIONAL, 1, note="without a mask", mask=[])
    walked(
        store, "artifacts", "name LIKE 'walked %' AND type = 'walked artifact'", O.BIDIRECTIONAL, 1, note="from several"
    )
    options = O(starting_artifacts=O.StartingNodes(filter_query=first), max_num_hops=3, direction=O.BIDIRECTIONAL)
    graph = store.store.get_lineage_subgraph(options)
    store.called.add("get_lineage_subgraph")
    store.same(
        "whole nodes, by the client",
        [sorted(one.name for one in graph.artifacts), sorted(one.name for one in graph.executions)],
    )
    store.same("their contexts", sorted(one.name for one in graph.contexts))
    store.get_lineage_subgraph(options, ["events", "artifacts"], note="under a mask, by the client")


def wrong(store: Any, ids: dict[str, list[int]]) -> None:
    first = f"id = {ids['artifacts'][0]}"
    walked(store, "artifacts", "", O.UPSTREAM, 1, note="no filter")
    walked(store, "artifacts", "id < 0", O.UPSTREAM, 1, note="nothing to start from")
    walked(store, "artifacts", "nonsense", O.UPSTREAM, 1, note="a wrong filter")
    walked(store, "artifacts", first, O.UPSTREAM, -1, note="hops below 0")
    walked(store, "artifacts", first, O.DOWNSTREAM, 1000, note="many hops")
    walked(store, "artifacts", first, O.DOWNSTREAM, 3, note="a wrong end", ending_executions=("nonsense = 1", True))
    store.raw("GetLineageSubgraph", mss.GetLineageSubgraphRequest(), mss.GetLineageSubgraphResponse(), note="no start")
    walked(store, "artifacts", first, O.DOWNSTREAM, 1, note="a mask of nothing", mask=["nonsense"])
