"""How a type that is stored meets the same type as it is put again: unchanged, widened, or refused. Pure."""

from __future__ import annotations

from typing import Any

from headrace_persistence.metadata.kinds import Kind, base_name
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_servicekit.errors import Reason, ServiceError


def check_new(kind: Kind, given: Any) -> None:
    """Refuse a type that cannot be made."""
    if not given.name:
        raise ServiceError(Reason.INVALID_INPUT, f"an {kind.word} type needs a name")
    _check_properties(kind, given)


def evolved(kind: Kind, stored: Any, given: Any, *, add: bool, omit: bool) -> Any:
    """The type as it is after GIVEN: STORED itself where nothing changes. Base types are `inherited`'s matter."""
    missing = [name for name in stored.properties if name not in given.properties]
    for name in stored.properties:
        if name in given.properties and stored.properties[name] != given.properties[name]:
            now = ms.PropertyType.Name(stored.properties[name])
            raise _different(kind, stored, f"property {name} is {now} there")
    if missing and not omit:
        raise _different(kind, stored, f"it has {_listed(missing)}; set can_omit_fields to leave them out")
    new = [name for name in given.properties if name not in stored.properties]
    if new and not add:
        raise _different(kind, stored, f"it lacks {_listed(new)}; set can_add_fields to add them")
    renamed = bool(given.external_id) and given.external_id != stored.external_id
    if not new and not renamed:
        return stored
    _check_properties(kind, given)
    wider = kind.type()
    wider.CopyFrom(stored)
    for name in new:
        wider.properties[name] = given.properties[name]
    if renamed:
        wider.external_id = given.external_id
    return wider


def inherited(kind: Kind, stored_base: str, given: Any) -> str:
    """The base type's name after GIVEN; STORED_BASE is '' where there was none."""
    if not given.HasField("base_type"):
        return stored_base
    wanted = base_name(kind, given.base_type)
    if not wanted:
        raise ServiceError(Reason.NOT_IMPLEMENTED, f"type {given.name}: a base type cannot be taken away")
    if stored_base not in ("", wanted):
        raise ServiceError(
            Reason.NOT_IMPLEMENTED, f"type {given.name} inherits from {stored_base}: that cannot be changed to {wanted}"
        )
    return wanted


def _check_properties(kind: Kind, given: Any) -> None:
    for name, number in given.properties.items():
        if number == ms.UNKNOWN:
            said = f"{kind.word} type {given.name}: property {name} has the type UNKNOWN; take another"
            raise ServiceError(Reason.INVALID_INPUT, said)


def _different(kind: Kind, stored: Any, why: str) -> ServiceError:
    version = f" (version {stored.version})" if stored.version else ""
    return ServiceError(Reason.ALREADY_EXISTS, f"{kind.word} type {stored.name}{version} exists already: {why}")


def _listed(names: list[str]) -> str:
    few = ", ".join(sorted(names)[:5])
    return f"the properties {few}{' and others' if len(names) > 5 else ''}" if len(names) > 1 else f"the property {few}"
