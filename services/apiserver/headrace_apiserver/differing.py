"""In what two artifacts differ: in themselves, and in what the tasks that made them ran with. Pure. Called by the handlers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from headrace_protos.v1 import artifacts_pb2 as pb
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import lineage_pb2


def differences(first: lineage_pb2.LineageGraph, second: lineage_pb2.LineageGraph) -> list[pb.ArtifactDifference]:
    """By field, in the order of `facts`; each graph holds an artifact and one hop up from it."""
    ours, theirs = dict(facts(first)), dict(facts(second))
    return [
        pb.ArtifactDifference(field=name, first=ours.get(name, ""), second=theirs.get(name, ""))
        for name in dict.fromkeys((*ours, *theirs))
        if ours.get(name, "") != theirs.get(name, "")
    ]


def facts(graph: lineage_pb2.LineageGraph) -> Iterator[tuple[str, str]]:
    """What is said of the artifact that a graph is about, field by field."""
    by_number = {one.artifact.id: one.artifact for one in graph.artifacts}
    artifact = by_number[graph.root]
    yield "digest", artifact.digest
    yield "type", artifact.schema_title or artifact.instance_schema or artifact.schema_uri
    yield "size", str(artifact.size or "")
    yield from _metadata(artifact)
    makers = {edge.task for edge in graph.edges if edge.output and edge.artifact == graph.root}
    maker = next((task for task in graph.tasks if task.id in makers), None)
    if maker is not None:
        yield from _made_by(maker, graph, by_number)
    yield "uri", artifact.uri


def _metadata(artifact: ev.Artifact) -> Iterator[tuple[str, str]]:
    held: dict[str, Any] = json.loads(artifact.metadata_json or "{}")
    for name in sorted(held):
        yield f"metadata.{name}", json.dumps(held[name], sort_keys=True)


def _made_by(
    maker: lineage_pb2.LineageTask, graph: lineage_pb2.LineageGraph, by_number: Mapping[int, ev.Artifact]
) -> Iterator[tuple[str, str]]:
    yield "made_by.pipeline", maker.pipeline_name
    yield "made_by.component", maker.component
    yield "made_by.code_digest", maker.code_digest
    yield "made_by.image", maker.image
    yield "made_by.image_digest", maker.image_digest
    for name in sorted(maker.parameters):
        value = maker.parameters[name]
        yield f"made_by.parameters.{name}", value.json or value.digest
    read = [edge for edge in graph.edges if edge.task == maker.id and not edge.output and edge.artifact in by_number]
    for edge in sorted(read, key=lambda one: (one.name, one.index)):
        artifact = by_number[edge.artifact]
        place = f"{edge.name}[{edge.index}]" if edge.index else edge.name
        yield f"made_by.inputs.{place}", artifact.digest or artifact.uri
    yield "made_by.run", f"{maker.run_id}/{maker.path}"
