"""The three kinds of nodes and what differs between them, as data. Pure; everything else here is written once for all kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from headrace_protos.ml_metadata import metadata_store_pb2 as ms


@dataclass(frozen=True, slots=True)
class Kind:
    """`number` is ML Metadata's own; `sources` are the views that its nodes come from."""

    number: int
    word: str
    node: type[Any]
    type: type[Any]
    state: str  # the field that holds a node's state, '' = none
    sources: tuple[str, ...]

    @property
    def has_uri(self) -> bool:
        """Artifacts alone lie somewhere."""
        return self.number == 1

    @property
    def states(self) -> Any:
        """The enum of its states."""
        return self.node.State


EXECUTION: Final = Kind(
    0, "execution", ms.Execution, ms.ExecutionType, "last_known_state", ("seen_put", "seen_tasks", "seen_roots")
)
ARTIFACT: Final = Kind(1, "artifact", ms.Artifact, ms.ArtifactType, "state", ("seen_put", "seen_artifacts"))
CONTEXT: Final = Kind(
    2, "context", ms.Context, ms.ContextType, "", ("seen_put", "seen_run_contexts", "seen_pipeline_contexts")
)


def base_name(kind: Kind, number: int) -> str:
    """The simple type that a base type's number stands for; '' for UNSET and numbers that nobody knows."""
    value = kind.type.SystemDefinedBaseType.DESCRIPTOR.values_by_number.get(number)
    if value is None or number == 0:
        return ""
    return str(value.GetOptions().Extensions[ms.system_type_extension].type_name)


def base_number(kind: Kind, name: str) -> int:
    """The reverse of base_name."""
    numbers = kind.type.SystemDefinedBaseType.DESCRIPTOR.values_by_number
    return next((number for number in numbers if number and base_name(kind, number) == name), 0)


# When a node was last updated where people changed nothing of it, in the views of which an index has that order.
UPDATED: Final = {
    "seen_artifacts": "n.created_ms",
    "seen_run_contexts": "n.created_ms",
    "seen_pipeline_contexts": "n.created_ms",
    "seen_roots": "n.own_ms",
}
SIMPLE: Final = frozenset(
    base_name(kind, number)
    for kind in (EXECUTION, ARTIFACT)
    for number in kind.type.SystemDefinedBaseType.DESCRIPTOR.values_by_number
    if number
)  # the types that others inherit from; lists of types leave them out
