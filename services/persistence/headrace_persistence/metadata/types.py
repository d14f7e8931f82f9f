"""Types: stored, found, made and evolved. The rules are in evolving.py; called inside the transaction of an rpc."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace_persistence.metadata.evolving import check_new, evolved, inherited
from headrace_persistence.metadata.kinds import SIMPLE, Kind, base_number
from headrace_persistence.metadata.values import check_text
from headrace_persistence.queries import SQL
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Row, Transaction


def message(kind: Kind, row: Row, *, with_base: bool = False) -> Any:
    """A type from its row; some rpcs tell its base type and others do not, as the official server does."""
    number, name, version, external_id, base, definition = row
    made = kind.type.FromString(definition)
    made.id, made.name = number, name
    if version:
        made.version = version
    if external_id is not None:
        made.external_id = external_id
    if with_base and base and "base_type" in made.DESCRIPTOR.fields_by_name:
        made.base_type = base_number(kind, base)
    return made


async def put(tx: Transaction, kind: Kind, given: Any, *, add: bool, omit: bool) -> int:
    """Make the type or widen the one that is there; its id."""
    for name in ("name", "version", "external_id"):
        check_text(f"the {name} of the {kind.word} type", getattr(given, name))
    key = {"kind": kind.number, "name": given.name, "version": given.version}
    row = await tx.fetch_one(SQL["lock_metadata_type"], key)
    if row is None:
        check_new(kind, given)
        base = inherited(kind, "", given)
        made = await tx.fetch_one(SQL["insert_metadata_type"], {**key, **_columns(given), "base": base})
        if made is not None:
            return int(made[0])
        row = await tx.fetch_one(SQL["lock_metadata_type"], key)  # another call was faster
        if row is None:
            said = f"type {given.name}: another type has the external id {given.external_id}"
            raise ServiceError(Reason.ALREADY_EXISTS, said)
    stored, was = message(kind, row), row[4] or ""
    after = evolved(kind, stored, given, add=add, omit=omit)
    base = inherited(kind, was, given)
    if after is not stored or base != was:
        await tx.execute(
            SQL["update_metadata_type"], {**_columns(after), "kind": kind.number, "base": base, "id": row[0]}
        )
    return int(row[0])


async def named(tx: Transaction, kind: Kind, name: str, version: str) -> Row | None:
    """The row of a type, or None."""
    key = {"kind": kind.number, "name": name, "version": version}
    return await tx.fetch_one(SQL["metadata_types_named"], key)


async def found(tx: Transaction, kind: Kind, name: str, version: str) -> Any:
    """The type of that name, or NOT_FOUND."""
    row = await named(tx, kind, name, version)
    if row is None:
        said = f"no {kind.word} type {name}" + (f" of version {version}" if version else "")
        raise ServiceError(Reason.NOT_FOUND, said)
    return message(kind, row, with_base=kind.word != "context")


async def by_id(tx: Transaction, kind: Kind, ids: Sequence[int], *, with_base: bool = False) -> dict[int, Any]:
    """The types of these ids that there are."""
    if not ids:
        return {}
    rows = await tx.fetch(SQL["metadata_types_by_id"], {"kind": kind.number, "ids": sorted(set(ids))})
    return {row[0]: message(kind, row, with_base=with_base) for row in rows}


async def by_external_id(tx: Transaction, kind: Kind, external_ids: Sequence[str]) -> list[Any]:
    """The types of these external ids; NOT_FOUND where there is none."""
    if not external_ids:
        return []
    if "" in external_ids:
        raise ServiceError(Reason.INVALID_INPUT, "an external id is empty; leave it out")
    asked = {"kind": kind.number, "external_ids": sorted(set(external_ids))}
    rows = await tx.fetch(SQL["metadata_types_by_external_id"], asked)
    if not rows:
        raise ServiceError(Reason.NOT_FOUND, f"no {kind.word} type has any of these external ids")
    return [message(kind, row) for row in rows]


async def every(tx: Transaction, kind: Kind, *, simple: bool) -> list[Any]:
    """All types of a kind; those that others inherit from only where SIMPLE."""
    rows = await tx.fetch(SQL["all_metadata_types"], {"kind": kind.number})
    return [message(kind, row, with_base=not simple) for row in rows if simple or row[1] not in SIMPLE]


def _columns(given: Any) -> dict[str, Any]:
    """External id and the rest of a type, without what other columns hold."""
    rest = type(given)()
    rest.CopyFrom(given)
    for name in ("id", "name", "version", "external_id", "base_type"):
        rest.ClearField(name)
    external_id = given.external_id if given.HasField("external_id") else None
    return {"external_id": external_id, "definition": rest.SerializeToString()}
