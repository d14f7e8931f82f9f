"""Property values between messages and columns. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_servicekit.errors import Reason, ServiceError

# The field of Value that each property type wants, and the columns that hold values, in the order of the statements.
FIELDS: Final[Mapping[int, str]] = {
    ms.INT: "int_value",
    ms.DOUBLE: "double_value",
    ms.STRING: "string_value",
    ms.STRUCT: "struct_value",
    ms.PROTO: "proto_value",
    ms.BOOLEAN: "bool_value",
}
COLUMNS: Final = ("int_value", "double_value", "string_value", "bool_value", "other")

LONGEST: Final = 1_000  # bytes of names and external ids, which indexes hold


def check_text(what: str, text: str, longest: int = LONGEST) -> None:
    """Refuse a text that cannot be stored."""
    if "\0" in text:
        raise ServiceError(Reason.INVALID_INPUT, f"{what} holds a NUL character; take it out")
    if len(text.encode()) > longest:
        raise ServiceError(
            Reason.INVALID_INPUT, f"{what} has {len(text.encode())} bytes, at most {longest} can be stored"
        )


def columns(name: str, value: ms.Value) -> tuple[Any, ...]:
    """VALUE of property NAME for COLUMNS, of which one is not None."""
    field = value.WhichOneof("value")
    if field is None:
        raise ServiceError(Reason.INVALID_INPUT, f"property {name} holds no value; leave it out or give it one")
    if field in ("struct_value", "proto_value"):
        return (None, None, None, None, value.SerializeToString())
    held = getattr(value, field)
    if field == "string_value" and "\0" in held:
        raise ServiceError(Reason.INVALID_INPUT, f"property {name} holds a NUL character; take it out")
    return tuple(held if field == column else None for column in COLUMNS)


def value(row: Sequence[Any]) -> ms.Value:
    """The reverse: ROW has COLUMNS."""
    if row[4] is not None:
        return ms.Value.FromString(row[4])
    for column, held in zip(COLUMNS, row[:4], strict=False):
        if held is not None:
            return ms.Value(**{column: held})
    raise AssertionError("a property's row holds a value")


def check(
    word: str, properties: Mapping[str, ms.Value], declared: Mapping[str, Any], only: frozenset[str] | None
) -> None:
    """Refuse PROPERTIES that the type does not declare, or declares of another type; ONLY names those to look at."""
    for name, given in properties.items():
        if only is not None and name not in only:
            continue
        if name not in declared:
            said = f"the {word}'s type declares no property {name}; add it to the type or make it a custom property"
            raise ServiceError(Reason.INVALID_INPUT, said)
        wanted = FIELDS.get(declared[name])
        if given.WhichOneof("value") != wanted:
            is_, type_ = given.WhichOneof("value") or "no value", ms.PropertyType.Name(declared[name])
            # The client's own tests look for the first words.
            said = f"Found unmatched property type: {name}: the {word} has {is_}, its type declares {type_}"
            raise ServiceError(Reason.INVALID_INPUT, said)
