"""Query parameters to request fields: dotted names, snake_case and camelCase, unknown names ignored.

Pure. Called by gateway.transcoding. Errors are ValueErrors whose text a client may see.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

_INTEGERS = frozenset(
    getattr(FieldDescriptor, f"TYPE_{name}")
    for name in ("INT32", "INT64", "UINT32", "UINT64", "SINT32", "SINT64", "FIXED32", "FIXED64", "SFIXED32", "SFIXED64")
)
_FLOATS = frozenset({FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT})
_BOOLEANS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


def fill_from_query(message: Message, pairs: Iterable[tuple[str, str]], bound: frozenset[str]) -> None:
    """Set fields from the query; fields that the path or the body gives (`bound`) and unknown names are left alone."""
    seen: set[str] = set()
    for name, text in pairs:
        path = _resolve(cast(Descriptor, message.DESCRIPTOR), name)
        if path is None or _covered(path, bound):
            continue
        dotted = ".".join(field.name for field in path)
        if dotted in seen and not path[-1].is_repeated:
            raise ValueError(f'parsing field "{dotted}": given more than once')
        seen.add(dotted)
        _set(message, path, dotted, text)


def fill_from_path(message: Message, fields: dict[str, str]) -> None:
    """Set the fields that the path template captured."""
    for dotted, text in fields.items():
        path = _resolve(cast(Descriptor, message.DESCRIPTOR), dotted)
        if path is None:
            raise LookupError(f"{message.DESCRIPTOR.full_name} has no field {dotted}: its path template is wrong")
        _set(message, path, dotted, text)


def _covered(path: list[FieldDescriptor], bound: frozenset[str]) -> bool:
    names = [field.name for field in path]
    return any(".".join(names[: size + 1]) in bound for size in range(len(names)))


def _resolve(descriptor: Descriptor, dotted: str) -> list[FieldDescriptor] | None:
    """The fields along a dotted name; None where one is unknown or the last is no scalar."""
    path: list[FieldDescriptor] = []
    inner: Descriptor | None = descriptor
    for part in dotted.split("."):
        found = [field for field in inner.fields if part in (field.name, field.json_name)] if inner is not None else []
        if not found or (path and path[-1].is_repeated):
            return None
        path.append(found[0])
        inner = found[0].message_type
    last = path[-1].message_type
    return path if last is None or last.full_name == "google.protobuf.Timestamp" else None


def _set(message: Message, path: list[FieldDescriptor], dotted: str, text: str) -> None:
    target = message
    for field in path[:-1]:
        target = getattr(target, field.name)
    last = path[-1]
    value = _value(last, dotted, text)
    if value is None:
        return
    try:
        ParseDict({last.name: [value] if last.is_repeated else value}, target)
    except (ParseError, UnicodeError) as error:
        raise ValueError(f'parsing field "{dotted}": {error}') from None


def _value(field: FieldDescriptor, dotted: str, text: str) -> Any:
    """The JSON value of a query text; None for an empty number, which clients send for "not given"."""
    if field.type == FieldDescriptor.TYPE_STRING:
        return text
    if text == "":
        return None
    if field.type == FieldDescriptor.TYPE_BOOL:
        if text.lower() not in _BOOLEANS:
            raise ValueError(f'parsing field "{dotted}": "{text}" is neither true nor false')
        return _BOOLEANS[text.lower()]
    if field.type in _INTEGERS or (field.type == FieldDescriptor.TYPE_ENUM and text.lstrip("-").isdecimal()):
        return _whole_number(dotted, text)
    if field.type in _FLOATS:
        return text
    return text


def _whole_number(dotted: str, text: str) -> int:
    if len(text) > 20 or not text.removeprefix("-").isdecimal() or not text.isascii():
        raise ValueError(f'parsing field "{dotted}": "{text}" is not a whole number')
    return int(text)
