"""Nodes as they are put: made anew, or changed as changing.py says. Called inside the transaction of an rpc."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from headrace_persistence.metadata import made, reading, types, values
from headrace_persistence.metadata.changing import Change, change, change_made, columns_of, masked
from headrace_persistence.metadata.kinds import CONTEXT, Kind
from headrace_persistence.metadata.values import LONGEST, check_text
from headrace_persistence.queries import SQL
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Transaction

LONGEST_URI: Final = 1 << 20  # bytes


class Putter:
    """The nodes of one transaction; `new`: those (kind, id) that it made."""

    def __init__(self, tx: Transaction, now_ms: int) -> None:
        self.tx, self.now_ms = tx, now_ms
        self.new: set[tuple[int, int]] = set()
        self._types: dict[tuple[int, int], Any] = {}

    async def put(self, kind: Kind, given: Any, *, mask: Sequence[str] = (), force: bool = False) -> int:
        """Make GIVEN, or change the node of its id; the id."""
        if given.HasField("id"):
            return await self._change(kind, given, mask, force=force)
        return await self._make(kind, given)

    async def type_of(self, kind: Kind, number: int) -> Any:
        """The type of that id, or NOT_FOUND."""
        key = (kind.number, number)
        if key not in self._types:
            found = await types.by_id(self.tx, kind, [number])
            if number not in found:
                raise ServiceError(Reason.NOT_FOUND, f"no {kind.word} type has the id {number}; put the type first")
            self._types[key] = found[number]
        return self._types[key]

    async def check(self, kind: Kind, given: Any) -> None:
        """Refuse a node whose type is not there or does not declare its properties."""
        if not given.HasField("type_id"):
            raise ServiceError(Reason.INVALID_INPUT, f"an {kind.word} needs a type_id")
        values.check(kind.word, given.properties, (await self.type_of(kind, given.type_id)).properties, None)

    async def _make(self, kind: Kind, given: Any) -> int:
        await self.check(kind, given)
        if kind is CONTEXT and not given.name:
            raise ServiceError(Reason.INVALID_INPUT, "a context needs a name")
        new = columns_of(kind, given)
        row = {**new, "kind": kind.number, "type": given.type_id, "now_ms": self.now_ms}
        if kind.has_uri:
            row["uri"] = given.uri
        _check_texts(kind, row)
        if made.is_for_runs(kind, type_ := (await self.type_of(kind, given.type_id)).name):
            said = f"contexts of type {type_} are made by runs alone; put one of another type"
            raise ServiceError(Reason.FORBIDDEN, said)
        inserted = await self.tx.fetch_one(SQL["insert_metadata_node"], row)
        if inserted is None:
            raise await self._taken(kind, given)
        number = int(inserted[0])
        self.new.add((kind.number, number))
        await self._write_properties(kind, number, change(kind, kind.node(name=given.name), given, (), force=False))
        return number

    async def _change(self, kind: Kind, given: Any, mask: Sequence[str], *, force: bool) -> int:
        await self.tx.execute(SQL["lock_metadata_node"], {"id": given.id})
        stored, own = await reading.stored(self.tx, kind, given.id)
        if stored is None:
            raise ServiceError(
                Reason.INVALID_INPUT, f"there is no {kind.word} {given.id}; leave the id out to make one"
            )
        if given.HasField("type_id") and given.type_id != stored.type_id:
            said = f"{kind.word} {given.id} has the type {stored.type_id}, not {given.type_id}; types stay"
            raise ServiceError(Reason.INVALID_INPUT, said)
        declared = (await self.type_of(kind, stored.type_id)).properties
        values.check(kind.word, given.properties, declared, masked(mask, "properties"))
        if own is not None:
            changes = change_made(kind, stored, given, mask, own)
            if changes.touched or force:
                await self.tx.execute(
                    SQL["touch_made_node"], {"kind": kind.number, "id": given.id, "now_ms": self.now_ms}
                )
        else:
            changes = change(kind, stored, given, mask, force=force)
            if changes.touched:
                _check_texts(kind, changes.columns)
                await self.tx.execute(
                    SQL["update_metadata_node"], {**changes.columns, "id": given.id, "now_ms": self.now_ms}
                )
        await self._write_properties(kind, given.id, changes)
        return int(given.id)

    async def _write_properties(self, kind: Kind, number: int, changes: Change) -> None:
        gone = [key for key, value in changes.properties.items() if value is None]
        new = [(key, value) for key, value in changes.properties.items() if value is not None]
        of = {"kind": kind.number, "id": number}
        if gone:
            keys = {"custom": [custom for custom, _ in gone], "name": [name for _, name in gone]}
            await self.tx.execute(SQL["delete_metadata_properties"], {**of, **keys})
        if new:
            for (_, name), _ in new:
                _check_texts(kind, {"property name": name})
            rows = [values.columns(name, value) for (_, name), value in new]
            columns: dict[str, Any] = {name: [row[at] for row in rows] for at, name in enumerate(values.COLUMNS)}
            columns |= {"custom": [custom for (custom, _), _ in new], "name": [name for (_, name), _ in new]}
            await self.tx.execute(SQL["put_metadata_properties"], {**of, **columns})

    async def _taken(self, kind: Kind, given: Any) -> ServiceError:
        if given.HasField("name"):
            key = {"kind": kind.number, "type": given.type_id, "name": given.name}
            if await self.tx.fetch_one(SQL["metadata_nodes_named"], key) is not None:
                said = (
                    f"there is an {kind.word} {given.name} of that type; give its id to change it, or take another name"
                )
                return ServiceError(Reason.ALREADY_EXISTS, said)
        return ServiceError(Reason.ALREADY_EXISTS, f"another {kind.word} has the external id {given.external_id}")


def _check_texts(kind: Kind, row: dict[str, Any]) -> None:
    for name, value in row.items():
        if isinstance(value, str):
            check_text(f"the {name} of the {kind.word}", value, LONGEST_URI if name == "uri" else LONGEST)
