"""What the official store answers in another way than Headrace, each with its reason (docs/reference/ml-metadata.md lists them).

The steps are compared too: one that is no longer different fails the test.
"""

from __future__ import annotations

import math
from typing import Any

from making import event, node, type_of
from ml_metadata import ListOptions
from ml_metadata.proto import metadata_store_pb2 as ms
from ml_metadata.proto import metadata_store_service_pb2 as mss

NOBODY = 1 << 41


def run(store: Any) -> None:
    artifact = store.store.put_artifact_type(
        type_of("artifact", "differing artifact", external_id="differing one", x=ms.INT)
    )
    execution = store.store.put_execution_type(type_of("execution", "differing execution"))
    context = store.store.put_context_type(type_of("context", "differing context"))
    types = {one.name: one.external_id for one in store.store.get_artifact_types()}
    store.same("D1 external ids in lists of types", types["differing artifact"])
    dangling(store, execution)
    overwritten(store, artifact)
    quoted(store, artifact, context)
    unstorable(store, artifact)
    taken(store, artifact)


def dangling(store: Any, execution: int) -> None:
    edge = mss.PutLineageSubgraphRequest.EventEdge(execution_index=0, event=event(None, NOBODY, ms.Event.INPUT))
    request = mss.PutLineageSubgraphRequest(
        executions=[node("execution", execution, name="dangling")], event_edges=[edge]
    )
    store.raw(
        "PutLineageSubgraph",
        request,
        mss.PutLineageSubgraphResponse(),
        note="D2 an event with an artifact that is not there",
    )


def overwritten(store: Any, artifact: int) -> None:
    number = store.store.put_artifacts(
        [node("artifact", artifact, name="overwritten", properties={"x": 1}, custom={"x": 2})]
    )[0]
    store.store.put_artifacts(
        [node("artifact", artifact, id=number, name="overwritten", properties={"x": 3}, custom={"x": 2})]
    )
    found = store.store.get_artifacts_by_id([number])[0]
    store.same(
        "D3 a property changes its custom namesake",
        [found.properties["x"].int_value, found.custom_properties["x"].int_value],
    )


def quoted(store: Any, artifact: int, context: int) -> None:
    number = store.store.put_artifacts([node("artifact", artifact, name='it\'s "quoted"', external_id="in a context")])[
        0
    ]
    quoted = ListOptions(filter_query="name = 'it\\'s \"quoted\"'")
    store.get_artifacts(list_options=quoted, note="D4 both kinds of quotes in a filter")
    around = store.store.put_contexts([node("context", context, name="around")])[0]
    store.store.put_attributions_and_associations([ms.Attribution(context_id=around, artifact_id=number)], [])
    by = ListOptions(filter_query="artifacts_a.external_id = 'in a context'")
    store.get_contexts(list_options=by, note="D5 external ids of neighbours in a filter")


def unstorable(store: Any, artifact: int) -> None:
    put = store.put_artifacts
    put(
        [node("artifact", artifact, name="not a number", custom={"n": math.nan})],
        kind="artifact",
        note="D6 NaN in a property",
    )
    put([node("artifact", artifact, name="nul", custom={"n": "a\0b"})], kind="artifact", note="D7 NUL in a text")
    # A custom property without a value ends the official store's process: it cannot be compared.


def taken(store: Any, artifact: int) -> None:
    first, second = store.store.put_artifacts(
        [node("artifact", artifact, external_id="taken"), node("artifact", artifact, external_id="free")]
    )
    del first
    changed = node("artifact", artifact, id=second, external_id="taken")
    store.put_artifacts([changed], kind="artifact", note="D8 an external id that is taken, in a change")
    query = "type = 'differing artifact' AND (state = LIVE OR (uri = 'x' AND state = LIVE))"
    store.get_artifacts(
        list_options=ListOptions(filter_query=query), note="D9 one comparison of a state twice in a filter"
    )
