"""Reads one run by the official client and prints it as JSON. Runs in .venv-mlmd.

python reading_a_run.py HOST:PORT RUN_ID
"""

from __future__ import annotations

import json
import sys
from typing import Any

from driver import connect
from google.protobuf import json_format
from ml_metadata import ListOptions
from ml_metadata.proto import metadata_store_pb2 as ms

UPSTREAM = ms.LineageSubgraphQueryOptions.UPSTREAM


def plain(message: Any) -> Any:
    return json.loads(json_format.MessageToJson(message, preserving_proto_field_name=True))


def properties(node: Any) -> dict[str, Any]:
    return {name: next(iter(plain(value).values())) for name, value in node.custom_properties.items()}


def main() -> None:
    store = connect(sys.argv[1])
    run = store.get_context_by_type_and_name("system.PipelineRun", sys.argv[2])
    (pipeline,) = store.get_parent_contexts_by_context(run.id)
    executions = store.get_executions_by_context(run.id)
    artifacts = store.get_artifacts_by_context(run.id)
    released = next(one for one in artifacts if one.custom_properties["display_name"].string_value == "released")
    start = ms.LineageSubgraphQueryOptions.StartingNodes(filter_query=f"id = {released.id}")
    graph = store.get_lineage_subgraph(ms.LineageSubgraphQueryOptions(starting_artifacts=start, direction=UPSTREAM))
    best = "type = 'system.Metrics' AND custom_properties.cross_validation_accuracy.double_value > 0.97"
    told = {
        "run": {**plain(run), "properties": properties(run)},
        "pipeline": plain(pipeline),
        "siblings": [one.name for one in store.get_children_contexts_by_context(pipeline.id)],
        "executions": {one.id: {**plain(one), "properties": properties(one)} for one in executions},
        "of the pipeline": sorted(one.id for one in store.get_executions_by_context(pipeline.id)),
        "artifacts": {one.id: {**plain(one), "properties": properties(one)} for one in artifacts},
        "by their UUIDs": len(store.get_artifacts_by_external_ids([one.external_id for one in artifacts])),
        "contexts of the model": [one.name for one in store.get_contexts_by_artifact(released.id)],
        "events": [plain(one) for one in store.get_events_by_execution_ids([one.id for one in executions])],
        "root": plain(store.get_execution_by_type_and_name("system.DAGExecution", f"run/{sys.argv[2]}")),
        "in the root": [
            one.custom_properties["task_name"].string_value
            for one in store.get_executions(
                ListOptions(filter_query=f"custom_properties.parent_dag_id.int_value = {run.id}")
            )
        ],
        "good ones": [one.uri for one in store.get_artifacts(ListOptions(filter_query=best))],
        "released": released.id,
        "lineage": {
            "artifacts": [{"type": one.type, **properties(one)} for one in graph.artifacts],
            "executions": [properties(one)["task_name"] for one in graph.executions],
            "contexts": sorted(one.name for one in graph.contexts),
        },
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
