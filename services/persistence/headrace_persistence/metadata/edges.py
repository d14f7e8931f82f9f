"""Which execution and artifact an event means among PutLineageSubgraph's edges and PutExecution's pairs. Pure."""

from __future__ import annotations

from typing import Any

from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_protos.ml_metadata import metadata_store_service_pb2 as mss
from headrace_servicekit.errors import Reason, ServiceError


def check(request: mss.PutLineageSubgraphRequest) -> None:
    """Refuse edges that name no node, one outside the request, or two that differ."""
    for edge in request.event_edges:
        if not edge.HasField("event"):
            raise _invalid("an event edge has no event")
        _check_end(edge, "execution", request.executions)
        _check_end(edge, "artifact", request.artifacts)


def _check_end(edge: mss.PutLineageSubgraphRequest.EventEdge, word: str, nodes: Any) -> None:
    has_index, has_id = edge.HasField(f"{word}_index"), edge.event.HasField(f"{word}_id")  # type: ignore[arg-type]  # two names
    if not has_index and not has_id:
        raise _invalid(f"an event edge names no {word}: it needs an {word}_index or an event with an {word}_id")
    if not has_index:
        return
    index = getattr(edge, f"{word}_index")
    if not 0 <= index < len(nodes):
        said = f"an event edge has the {word}_index {index}; the request has {len(nodes)} {word}s"
        raise ServiceError(Reason.OUT_OF_RANGE, said)
    wanted = getattr(edge.event, f"{word}_id")
    if has_id and nodes[index].id != wanted:
        raise _invalid(f"an event edge names the {word} {wanted}, but {word}s[{index}] is not that one")


def event_of_pair(pair: mss.PutExecutionRequest.ArtifactAndEvent, execution: int, artifact: int | None) -> ms.Event:
    """The pair's event with both its ends; ARTIFACT is the pair's own, None where it has none."""
    event = ms.Event()
    event.CopyFrom(pair.event)
    if event.HasField("execution_id") and event.execution_id != execution:
        raise _invalid(f"an event names the execution {event.execution_id}, but it is put with execution {execution}")
    event.execution_id = execution
    if artifact is None:
        if not event.HasField("artifact_id"):
            raise _invalid("an event without an artifact beside it needs an artifact_id")
    elif event.HasField("artifact_id") and event.artifact_id != artifact:
        raise _invalid(f"an event names the artifact {event.artifact_id}, but it is put with artifact {artifact}")
    else:
        event.artifact_id = artifact
    return event


def _invalid(said: str) -> ServiceError:
    return ServiceError(Reason.INVALID_INPUT, said)
