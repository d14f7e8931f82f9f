"""What a filter may name, as data: attributes of nodes, and of what is connected with them, with their types and SQL.

Pure. Connections are joined, as ML Metadata joins them: a filter that names a property finds only nodes that have it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from headrace_persistence.metadata.kinds import ARTIFACT, CONTEXT, EXECUTION, Kind
from headrace_protos.ml_metadata import metadata_store_pb2 as ms

INTEGER: Final = "an integer"
DOUBLE: Final = "a double"
STRING: Final = "a string"
BOOLEAN: Final = "a boolean"
NULL: Final = "NULL"
PREFIXES: Final = ("properties", "custom_properties")


@dataclass(frozen=True, slots=True)
class Column:
    """A column's SQL after its alias, its type, and the names that an enum's numbers have in filters."""

    sql: str
    type: str
    enum: Mapping[str, int] | None = None


def _states(enum: Any, without: tuple[str, ...] = ()) -> Mapping[str, int]:
    return {name: number for name, number in enum.items() if name not in without}


_ARTIFACT_STATES: Final = _states(ms.Artifact.State, ("ABANDONED", "REFERENCE"))
_EXECUTION_STATES: Final = _states(ms.Execution.State)
_EVENT_TYPES: Final = _states(ms.Event.Type, ("UNKNOWN", "PENDING_OUTPUT"))
_COMMON: Final[Mapping[str, Column]] = {
    "id": Column("id", INTEGER),
    "type_id": Column("type", INTEGER),
    "type": Column("type_name", STRING),
    "name": Column("name", STRING),
    "external_id": Column("external_id", STRING),
    "create_time_since_epoch": Column("created_ms", INTEGER),
    "last_update_time_since_epoch": Column("updated_ms", INTEGER),
}
ATTRIBUTES: Final[Mapping[int, Mapping[str, Column]]] = {
    ARTIFACT.number: {
        **_COMMON,
        "uri": Column("uri", STRING),
        "state": Column("state", INTEGER, _ARTIFACT_STATES),
    },
    EXECUTION.number: {**_COMMON, "last_known_state": Column("state", INTEGER, _EXECUTION_STATES)},
    CONTEXT.number: _COMMON,
}
PROPERTY: Final[Mapping[str, Column]] = {
    "int_value": Column("int_value", INTEGER),
    "double_value": Column("double_value", DOUBLE),
    "string_value": Column("string_value", STRING),
    "bool_value": Column("bool_value", BOOLEAN),
}
PROPERTIES: Final = (
    "SELECT p.int_value, p.double_value, p.string_value, p.bool_value FROM platform.seen_properties p"
    " WHERE p.kind = {kind} AND p.node = n.id AND p.custom = {custom} AND p.name = {name}"
)
LED: Final = 64  # characters of a text that the index of properties holds
RANGES: Final[Mapping[str, tuple[str, ...]]] = {"=": (">=", "<=")}
# What the indexes of values find, and how a value is written for them not to be used.
INDEXED: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "int_value": (("=", "<", "<=", ">", ">="), "+ 0"),
    "double_value": (("=", "<", "<=", ">", ">="), "+ 0"),
    "string_value": (("=",), "|| ''"),
}
PROBED: Final = (
    "SELECT p.node AS id FROM platform.metadata_properties p"
    " WHERE p.kind = {kind} AND p.custom = {custom} AND p.name = {name}"
)
# Properties of what runs made that are no rows of their own: the view seen_properties makes them.
MADE: Final[Mapping[int, frozenset[str]]] = {
    ARTIFACT.number: frozenset({"display_name"}),
    EXECUTION.number: frozenset(
        {"task_name", "parent_dag_id", "iteration_index", "iteration_count", "cache_fingerprint", "namespace"}
    ),
    CONTEXT.number: frozenset({"namespace", "resource_name"}),
}
# How a neighbour is joined with the node `n`, and its columns.
_NEIGHBOUR: Final = (
    "SELECT o.id, o.type_name, o.name, o.uri, o.state, o.external_id, o.created_ms, o.updated_ms FROM {link} l"
    " CROSS JOIN LATERAL (SELECT s.id, s.type_name, s.name, s.uri, s.state, s.external_id, s.created_ms, s.updated_ms"
    " FROM platform.seen_nodes s WHERE s.kind = {kind} AND s.id = l.{other} OFFSET 0) o WHERE l.{own} = n.id"
)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What `PREFIX_alias.column` names."""

    source: str
    columns: Mapping[str, Column]
    ids: str  # which nodes are connected with those that {fits}


def _neighbour(link: str, own: str, other: str, kind: Kind) -> Neighbour:
    named = {name: one for name, one in ATTRIBUTES[kind.number].items() if name != "type_id"}
    source = _NEIGHBOUR.format(link=f"platform.{link}", own=own, other=other, kind=kind.number)
    few = f"SELECT s.id FROM platform.seen_nodes s WHERE s.kind = {kind.number} AND {{fits}}"  # noqa: S608  # our words
    return Neighbour(source, named, f"SELECT l.{own} AS id FROM platform.{link} l WHERE l.{other} = ANY(ARRAY({few}))")  # noqa: S608


def _events(own: str, other: str) -> Neighbour:
    return Neighbour(
        f"SELECT e.type, e.time_ms, e.{other} FROM platform.seen_events e WHERE e.{own} = n.id",  # noqa: S608  # our words
        {
            "type": Column("type", INTEGER, _EVENT_TYPES),
            "milliseconds_since_epoch": Column("time_ms", INTEGER),
            f"{other}_id": Column(other, INTEGER),
        },
        f"SELECT s.{own} AS id FROM platform.seen_events s WHERE {{fits}}",  # noqa: S608  # our words
    )


NEIGHBOURS: Final[Mapping[int, Mapping[str, Neighbour]]] = {
    ARTIFACT.number: {
        "contexts": _neighbour("seen_attributions", "artifact", "context", CONTEXT),
        "events": _events("artifact", "execution"),
    },
    EXECUTION.number: {
        "contexts": _neighbour("seen_associations", "execution", "context", CONTEXT),
        "events": _events("execution", "artifact"),
    },
    CONTEXT.number: {
        "artifacts": _neighbour("seen_attributions", "context", "artifact", ARTIFACT),
        "executions": _neighbour("seen_associations", "context", "execution", EXECUTION),
        "parent_contexts": _neighbour("seen_parents", "child", "parent", CONTEXT),
        "child_contexts": _neighbour("seen_parents", "parent", "child", CONTEXT),
    },
}
KNOWN_BY: Final = frozenset({"id", "name", "artifact_id", "execution_id"})  # what a neighbour is found by
_ALIAS: Final = re.compile(r"(parent_contexts|child_contexts|contexts|artifacts|executions|events)_(\w+)")


def neighbour(kind: Kind, name: str) -> Neighbour | None:
    """The neighbour that NAME is an alias of, where nodes of KIND have it."""
    found = _ALIAS.fullmatch(name)
    return NEIGHBOURS[kind.number].get(found[1]) if found else None
