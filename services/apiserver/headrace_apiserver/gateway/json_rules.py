"""How messages become JSON and JSON becomes messages: KFP's gateway rules, such as proto names out and both name forms in.

Pure. Called by gateway.transcoding and gateway.uploads. Errors are ValueErrors whose text a client may see.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

SHOWN: Final = 40  # characters of what is no object
_OPAQUE = frozenset(
    f"google.protobuf.{name}"
    for name in ("Any", "Struct", "Value", "ListValue", "Timestamp", "Duration", "FieldMask", "Empty")
)


def message_to_json(message: Message) -> bytes:
    """The answer's body."""
    tree = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def json_to_tree(body: bytes) -> Any:
    """Parse strictly: UTF-8, no NaN or Infinity, bounded depth. An empty body is None, as for KFP's gateway."""
    if not body.strip():
        return None
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError:
        raise ValueError("the body is not UTF-8 text") from None
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error}") from None


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the body is not JSON: {text[:30]} is too large a number")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"the body is not JSON: {name} is no JSON number")


def body_keys(body: bytes) -> frozenset[str]:
    """The top-level names of a JSON body that was read before; what a message cannot tell: given but empty."""
    tree = json_to_tree(body)
    return frozenset(tree) if isinstance(tree, dict) else frozenset()


def tree_to_message(tree: Any, message: Message) -> None:
    """Fill the message; an unknown field is refused with its place, and so is what is no JSON object."""
    if not isinstance(tree, dict):
        kind = cast(Descriptor, message.DESCRIPTOR).name
        raise ValueError(f"proto: {json.dumps(tree)[:SHOWN]} is no JSON object; expected one with fields of {kind}")
    unknown = unknown_fields(tree, cast(Descriptor, message.DESCRIPTOR))
    if unknown:
        raise ValueError("; ".join(unknown))
    try:
        json_format.ParseDict(tree, message)
    except (json_format.ParseError, OverflowError, UnicodeError, RecursionError) as error:
        # protobuf 6 lets the last three through for numbers above a double, lone surrogates and deep nesting.
        raise ValueError(f"proto: {error}") from None


def unknown_fields(tree: Any, descriptor: Descriptor, place: str = "") -> list[str]:
    """A sentence for each key that the message does not have; camelCase and proto names are both known."""
    if not isinstance(tree, dict) or descriptor.full_name in _OPAQUE:
        return []
    by_name = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    problems: list[str] = []
    for key, value in tree.items():
        field = by_name.get(key)
        here = f"{place}.{key}" if place else str(key)
        if field is None:
            problems.append(f'proto: unknown field "{key}"' + (f" in {place}" if place else ""))
        elif field.message_type is not None:
            problems += _unknown_below(field, value, here)
    return problems


def _unknown_below(field: FieldDescriptor, value: Any, here: str) -> list[str]:
    inner = cast(Descriptor, field.message_type)
    if inner.GetOptions().map_entry:
        item_type = inner.fields_by_name["value"].message_type
        if not isinstance(value, dict) or item_type is None:
            return []
        return [p for key, item in value.items() for p in unknown_fields(item, item_type, f"{here}.{key}")]
    if isinstance(value, list):
        return [p for index, item in enumerate(value) for p in unknown_fields(item, inner, f"{here}[{index}]")]
    return unknown_fields(value, inner, here)
