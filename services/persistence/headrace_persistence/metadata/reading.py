"""Nodes by id: rows and properties → messages, in the order of their ids. Called inside the transaction of an rpc."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from headrace_persistence.metadata import made, values
from headrace_persistence.metadata.kinds import Kind
from headrace_persistence.queries import SQL
from headrace_servicekit.postgres import Row, Transaction


async def nodes(tx: Transaction, kind: Kind, ids: Sequence[int]) -> list[Any]:
    """The nodes of these ids that there are."""
    if not ids:
        return []
    found, _ = await _by_runs(tx, kind, ids)
    await _by_people(tx, kind, found)
    return list(found.values())


async def one(tx: Transaction, kind: Kind, number: int) -> Any:
    """The node of an id, or None."""
    found = await nodes(tx, kind, [number])
    return found[0] if found else None


async def stored(tx: Transaction, kind: Kind, number: int) -> tuple[Any, Collection[str] | None]:
    """The node of an id, or None; and the custom properties that only its run gives to it, None for a node that people put."""
    found, ours = await _by_runs(tx, kind, [number])
    own = made.own_properties(kind, found[number]) if ours else None
    await _by_people(tx, kind, found)
    return found.get(number), own


async def _by_runs(tx: Transaction, kind: Kind, ids: Sequence[int]) -> tuple[dict[int, Any], list[Row]]:
    """Nodes with what runs gave to them, and the rows of those that runs made."""
    rows = await tx.fetch(SQL["metadata_nodes"], {"kind": kind.number, "ids": sorted(set(ids))})
    found = {row[0]: _node(kind, row) for row in rows}
    ours = [row for row in rows if row[9]]
    if ours:
        await made.fill(tx, kind, ours, found)
    return found, ours


async def _by_people(tx: Transaction, kind: Kind, found: Mapping[int, Any]) -> None:
    """Add what people gave to them."""
    asked = {"kind": kind.number, "ids": list(found)}
    for node, custom, name, *held in await tx.fetch(SQL["metadata_properties"], asked):
        holder = found[node].custom_properties if custom else found[node].properties
        holder[name].CopyFrom(values.value(held))


def _node(kind: Kind, row: Row) -> Any:
    number, type_, type_name, name, uri, state, external_id, created, updated, _ = row
    node = kind.node(
        id=number,
        type_id=type_,
        type=type_name,
        name=name,
        external_id=external_id,
        create_time_since_epoch=created,
        last_update_time_since_epoch=updated,
    )
    if kind.has_uri:
        node.uri = uri or ""
    if state is not None:
        setattr(node, kind.state, state)
    return node
