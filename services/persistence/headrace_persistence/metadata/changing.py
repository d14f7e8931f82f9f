"""What putting a node that is there already changes: the whole of it, what a mask names, or the additions to one that a run made.

Pure. writing.py reads the stored node under lock, asks here, and writes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from headrace_persistence.metadata.kinds import CONTEXT, Kind
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_servicekit.errors import Reason, ServiceError

PREFIXES: Final = ("properties", "custom_properties")
OWN: Final = ("uri", "state", "last_known_state", "name", "external_id")  # what a run's node has and nobody changes


@dataclass(slots=True)
class Change:
    """The node's new columns, and its properties by (custom, name): None = taken away."""

    columns: dict[str, Any]
    properties: dict[tuple[bool, str], ms.Value | None] = field(default_factory=dict)
    touched: bool = False


def masked(mask: Sequence[str], prefix: str) -> frozenset[str] | None:
    """The properties that MASK names below PREFIX; None = all of them."""
    if not mask or prefix in mask:
        return None
    return frozenset(path.removeprefix(f"{prefix}.") for path in mask if path.startswith(f"{prefix}."))


def change(kind: Kind, stored: Any, given: Any, mask: Sequence[str], *, force: bool) -> Change:
    """What GIVEN makes of STORED, a node that people put. MASK is empty for the whole."""
    after = kind.node()
    after.CopyFrom(stored)
    for name in _fields(kind):
        if mask and name not in mask:
            continue
        if given.HasField(name):
            setattr(after, name, getattr(given, name))
        else:
            after.ClearField(name)
    if kind is CONTEXT and not after.name:
        raise ServiceError(Reason.INVALID_INPUT, "a context needs a name")
    made = Change(columns_of(kind, after), touched=force)
    made.touched |= columns_of(kind, stored) != made.columns
    for prefix in PREFIXES:
        _properties(made, prefix, getattr(stored, prefix), getattr(given, prefix), masked(mask, prefix))
    return made


def change_made(kind: Kind, stored: Any, given: Any, mask: Sequence[str], own: Collection[str]) -> Change:
    """What GIVEN adds to STORED, which a run made: custom properties other than OWN, else PERMISSION_DENIED."""
    for name in OWN:
        told = name in given.DESCRIPTOR.fields_by_name and given.HasField(name) and (not mask or name in mask)
        if told and getattr(given, name) != getattr(stored, name):
            raise _of_a_run(kind, stored, f"its {name}")
    if given.properties and masked(mask, "properties") != frozenset():
        raise _of_a_run(kind, stored, "its properties")
    only = masked(mask, "custom_properties")
    made = Change({})
    _properties(made, "custom_properties", stored.custom_properties, given.custom_properties, only)
    for _, name in list(made.properties):
        if name in own:
            if name in given.custom_properties:
                raise _of_a_run(kind, stored, f"its custom property {name}")
            del made.properties[True, name]  # left out of what was put: it stays
    made.touched = bool(made.properties)
    return made


def columns_of(kind: Kind, node: Any) -> dict[str, Any]:
    """A node's own columns, None where a field is not set."""
    told = {name: getattr(node, name) if node.HasField(name) else None for name in ("name", "external_id")}
    told["uri"] = node.uri if kind.has_uri else None
    told["state"] = getattr(node, kind.state) if kind.state and node.HasField(kind.state) else None
    return told


def _fields(kind: Kind) -> list[str]:
    """The fields that a put replaces; artifacts and executions keep their names."""
    names = ["external_id", *([kind.state] if kind.state else []), *(["uri"] if kind.has_uri else [])]
    return ["name", *names] if kind is CONTEXT else names


def _properties(made: Change, prefix: str, stored: Any, given: Any, only: frozenset[str] | None) -> None:
    custom = prefix == "custom_properties"
    for name in sorted({*stored, *given} if only is None else only):
        if name in given:
            if name not in stored or stored[name] != given[name]:
                made.properties[custom, name] = given[name]
        elif name in stored:
            made.properties[custom, name] = None
    made.touched |= bool(made.properties)


def _of_a_run(kind: Kind, stored: Any, what: str) -> ServiceError:
    said = (
        f"{kind.word} {stored.id} was made by a run, which alone decides {what}: add custom properties of other names"
    )
    return ServiceError(Reason.FORBIDDEN, said)
