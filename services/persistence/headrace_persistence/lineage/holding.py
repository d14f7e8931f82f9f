"""Metadata that artifacts are found by: how it is asked for, and which artifacts have it, where they are few. For finding.py."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from headrace_persistence.metadata.rendering import value as rendered
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Transaction

# In three ways: of an artifact `a`; as a query for all that have it, by the index of values; as a condition on its rows `w`. In
# the first and the last no index of values is to be used, however few are estimated.
HELD: Final[LiteralString] = (
    " AND EXISTS (SELECT FROM platform.metadata_properties p WHERE p.kind = 1 AND p.node = a.id AND p.made"
    " AND p.name = %({name})s AND (p.{column} {unchanged} = %({value})s::{type}) IS TRUE OFFSET 0)"
)
HOLDERS: Final[LiteralString] = (
    "SELECT p.node FROM platform.metadata_properties p WHERE p.kind = 1 AND p.made AND p.name = %({name})s"
)
# In the order of its index, so that it is read, whatever is estimated (with = there would be no order).
NUMBER: Final[LiteralString] = (
    " AND p.{column} >= %({value})s::{type} AND p.{column} <= %({value})s::{type} ORDER BY p.{column}"
)
# As the index of texts has them, so that it is used.
TEXT: Final[LiteralString] = (
    " AND p.string_value = %({value})s::text AND left(p.string_value, 500) = left(%({value})s::text, 500)"
    " AND length(p.name) <= 200"
)
WALKED: Final[LiteralString] = " AND w.name = %({name})s AND (w.{column} {unchanged} = %({value})s::{type}) IS TRUE"
FEW: Final = 5_000  # artifacts that are worth handing over; where more have it, its rows are walked
# Type, and how a value is written for an index of values not to be used.
COLUMNS: Final[dict[str, tuple[LiteralString, LiteralString]]] = {
    "int_value": ("bigint", "+ 0"),
    "double_value": ("float8", "+ 0"),
    "string_value": ("text", "|| ''"),
}
LONGEST_NAME: Final = 200
LONGEST: Final = 1_000  # characters of a text that artifacts are found by


@dataclass(frozen=True, slots=True)
class Held:
    """Metadata that is asked for: HELD, HOLDERS and WALKED, and their parameters."""

    each: LiteralString
    holders: LiteralString
    walked: LiteralString
    params: dict[str, Any]


def held_of(request: pb.FindArtifactRecordsRequest) -> list[Held]:
    """All metadata that is asked for. Raises ServiceError."""
    return [_held(number, given) for number, given in enumerate(request.metadata)]


def _held(number: int, given: str) -> Held:
    """NAME=VALUE: a number, true, false or a quoted text by its kind, anything else as a text."""
    name, equals, text = given.partition("=")
    if not name or not equals:
        raise invalid(f"metadata {given!r}: write NAME=VALUE")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    held = rendered(value)  # as ML Metadata has it, whose properties are asked
    column = held.WhichOneof("value") if held is not None else None
    if held is None or column not in COLUMNS or len(held.string_value) > LONGEST:
        raise invalid(
            f"metadata {name}: artifacts are found by numbers, truth values and texts of up to {LONGEST} characters"
        )
    if len(name) > LONGEST_NAME:
        raise invalid(f"metadata {name[:40]}…: names have at most {LONGEST_NAME} characters")
    key, of = f"n{number}", f"v{number}"
    type_, unchanged = COLUMNS[column]
    each, holders, walked = HELD, HOLDERS + (TEXT if column == "string_value" else NUMBER), WALKED
    marks = ("{name}", key), ("{value}", of), ("{column}", column), ("{type}", type_), ("{unchanged}", unchanged)
    for mark, word in marks:
        each, holders, walked = each.replace(mark, word), holders.replace(mark, word), walked.replace(mark, word)
    return Held(each, holders, walked, {key: checked("metadata", name), of: getattr(held, column)})


async def holders(tx: Transaction, request: pb.FindArtifactRecordsRequest) -> tuple[set[int] | None, list[Held]]:
    """The artifacts that have what is asked for of metadata, where they are few; and of which metadata there are many."""
    among: set[int] | None = None
    many: list[Held] = []
    if request.run_id or request.uri or request.digest:  # fewer have that
        return among, many
    for held in held_of(request):
        if among == set():
            break
        rows = await tx.fetch(f"{held.holders} LIMIT {FEW + 1}", held.params)
        if len(rows) > FEW:
            many.append(held)
        else:
            ids = {row[0] for row in rows}
            among = ids if among is None else among & ids
    return among, many


def checked(name: str, value: str) -> str:
    """VALUE as it is. Raises ServiceError."""
    if "\0" in value:
        raise invalid(f"{name} holds a NUL character; take it out")
    return value


def invalid(message: str) -> ServiceError:
    """What every mistake is answered with."""
    return ServiceError(Reason.INVALID_INPUT, message)
