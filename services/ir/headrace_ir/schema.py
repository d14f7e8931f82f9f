"""Reads JSON objects by the messages of `kfp-pipeline-spec`: right names and kinds, every deviation reported at once.

The result is a plain tree with snake_case field names, without unset (null) fields, enum values by name and durations in
seconds. Values of type Value and Struct are kept exactly as given, so integers stay integers, which a real protobuf
Value could not do. The messages' module is imported at first use, because the CLI must start fast.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from headrace_ir.kubernetes_fields import MESSAGES, camel
from headrace_ir.problems import MAX_PROBLEMS, Problem, hint, nearest
from headrace_ir.values import ValueProblem, canonical, encode

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

_DURATION = re.compile(r"(-?[0-9]{1,12}(?:\.[0-9]{1,9})?)s")
_INT32 = 1 << 31


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message, as reading needs it."""

    name: str
    json_name: str
    kind: str
    message: str = ""
    choices: tuple[str, ...] = ()
    repeated: bool = False
    is_map: bool = False
    oneof: str = ""
    bits: int = 64


@dataclass(frozen=True, slots=True)
class Shape:
    """A message: its fields by either spelling, and the names that are shown to people."""

    fields: dict[str, Field]
    shown: tuple[str, ...]


def read_message(
    raw: Any, message: str, path: str, problems: list[Problem], *, tolerant: bool = False
) -> dict[str, Any]:
    """The tree of `raw` read as `message`. `tolerant` lets unknown fields pass that resemble no known one."""
    return _Reader(problems, tolerant).message(raw, shape(message), path)


@dataclass(frozen=True, slots=True)
class _Reader:
    problems: list[Problem]
    tolerant: bool

    def message(self, raw: Any, shape_: Shape, path: str) -> dict[str, Any]:
        if not isinstance(raw, dict):
            self._report(path, f"expected an object with named fields, got {describe(raw)}")
            return {}
        result: dict[str, Any] = {}
        chosen: dict[str, str] = {}
        for key, value in raw.items():
            field = shape_.fields.get(key) or self._misspelt(key, raw, shape_, path)
            if field is None or (value is None and field.kind != "value"):
                continue
            place = f"{path}.{key}" if path else key
            if field.name in result:
                self._report(place, f"given twice (as '{field.name}' and as '{field.json_name}')")
                continue
            if field.oneof and chosen.setdefault(field.oneof, key) != key:
                self._report(place, f"only one of '{chosen[field.oneof]}' and '{key}' can be given")
                continue
            result[field.name] = self._field(value, field, place)
        return result

    def _misspelt(self, key: str, raw: dict[str, Any], shape_: Shape, path: str) -> Field | None:
        """Report an unknown field. Where its meaning is clear it is read as what was meant, to avoid follow-up errors."""
        if len(self.problems) >= MAX_PROBLEMS:
            return None
        place = f"{path}.{key}" if path else key
        meant = nearest(key, shape_.shown)
        if meant is None:
            if not self.tolerant:
                self._report(place, f"unknown field '{key}'; {hint(key, shape_.shown, kind='fields')}")
            return None
        self._report(place, f"unknown field '{key}'; did you mean '{meant}'?")
        field = shape_.fields[meant]
        return None if field.name in raw or field.json_name in raw else field

    def _field(self, value: Any, field: Field, path: str) -> Any:
        if field.is_map:
            if not isinstance(value, dict):
                self._report(path, f"expected an object with named entries, got {describe(value)}")
                return {}
            return {
                key: self._single(entry, field, f"{path}.{key}")
                for key, entry in value.items()
                if self._named(key, path)
            }
        if field.repeated:
            if not isinstance(value, list):
                self._report(path, f"expected a list, got {describe(value)}")
                return []
            return [self._single(entry, field, f"{path}[{index}]") for index, entry in enumerate(value)]
        return self._single(value, field, path)

    def _named(self, key: str, path: str) -> bool:
        if is_text(key) and key:
            return True
        self._report(path, "a name here is empty or not valid Unicode text")
        return False

    def _single(self, value: Any, field: Field, path: str) -> Any:
        if field.kind == "message":
            return self.message(value, shape(field.message), path)
        return getattr(self, f"_{field.kind}")(value, field, path)

    def _text(self, value: Any, field: Field, path: str) -> str:
        if isinstance(value, str):
            if is_text(value):
                return value
            self._report(path, "the text is not valid Unicode (a lone surrogate) or holds a NUL")
        else:
            quotes = " (put it in quotes)" if isinstance(value, (bool, int, float)) else ""
            self._report(path, f"expected text, got {describe(value)}{quotes}")
        return ""

    def _integer(self, value: Any, field: Field, path: str) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        limit = 1 << (field.bits - 1)
        if isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit:
            return value
        size = f" of at most {field.bits} bits" if isinstance(value, int) and not isinstance(value, bool) else ""
        self._report(path, f"expected a whole number{size}, got {describe(value)}")
        return 0

    def _number(self, value: Any, field: Field, path: str) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e308:
            return float(value)
        self._report(path, f"expected a number, got {describe(value)}")
        return 0.0

    def _boolean(self, value: Any, field: Field, path: str) -> bool:
        if isinstance(value, bool):
            return value
        self._report(path, f"expected true or false, got {describe(value)}")
        return False

    def _enum(self, value: Any, field: Field, path: str) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(field.choices):
            return field.choices[value]
        if isinstance(value, str) and value in field.choices:
            return value
        choices = [choice for choice in field.choices[1:] if choice != "NONE"]
        meant = nearest(value.upper(), choices) if isinstance(value, str) else None
        end = f"did you mean '{meant}'?" if meant else f"expected one of {', '.join(choices)}"
        self._report(path, f"{describe(value)} is not valid here; {end}")
        return meant or ""

    def _duration(self, value: Any, field: Field, path: str) -> float:
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match and float(match[1]) >= 0:
            return float(match[1])
        self._report(path, f"expected a duration such as '30s', got {describe(value)}")
        return 0.0

    def _struct(self, value: Any, field: Field, path: str) -> dict[str, Any]:
        if isinstance(value, dict):
            result: dict[str, Any] | None = self._value(value, field, path)
            return result or {}
        self._report(path, f"expected an object, got {describe(value)}")
        return {}

    def _value(self, value: Any, field: Field, path: str) -> Any:
        try:
            encode(value)
            return canonical(value)
        except ValueProblem as problem:
            self._report(path, f"the value {problem.sentence}")
            return None

    def _report(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))


def describe(value: Any) -> str:
    """A value in a sentence: `the number 3`, `'text'`, `a list`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        text = str(value) if isinstance(value, float) or abs(value) < 10**30 else "(huge)"
        return f"the number {text}"
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 60 else f"'{value[:57]}…'"
    return "a list" if isinstance(value, list) else "an object"


def is_text(value: str) -> bool:
    """Whether a name can travel in messages and in Postgres text columns."""
    return (value.isascii() and "\0" not in value) or not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)


@cache
def shape(message: str) -> Shape:
    """The shape of a message of the package `ml_pipelines` (such as `PipelineSpec`), or of Kubernetes settings."""
    if message in MESSAGES:
        return _shape([_described(name, kind) for name, kind in MESSAGES[message].items()])
    from kfp.pipeline_spec import pipeline_spec_pb2

    outer, *inner = message.split(".")
    descriptor: Descriptor = pipeline_spec_pb2.DESCRIPTOR.message_types_by_name[outer]
    for part in inner:
        descriptor = descriptor.nested_types_by_name[part]
    return _shape([_field(described) for described in descriptor.fields])


def _shape(fields: list[Field]) -> Shape:
    by_name = {field.name: field for field in fields} | {field.json_name: field for field in fields}
    return Shape(by_name, tuple(field.json_name for field in fields))


def _described(name: str, text: str) -> Field:
    """A field of `kubernetes_fields`."""
    text, _, oneof = text.partition("|")
    repeated = text.startswith("[")
    kind = text.strip("[]")
    is_message = kind[0].isupper()
    return Field(
        name=name,
        json_name=camel(name),
        kind="message" if is_message else "integer" if kind == "integer32" else kind.removesuffix("s"),
        message=kind if is_message else "",
        repeated=repeated,
        is_map=kind == "texts",
        oneof=oneof,
        bits=32 if kind == "integer32" else 64,
    )


def _field(described: FieldDescriptor) -> Field:
    element, is_map = described, False
    if described.message_type is not None and described.message_type.GetOptions().map_entry:
        element, is_map = described.message_type.fields_by_name["value"], True
    kind, message = _kind(element)
    oneof = described.containing_oneof
    return Field(
        name=described.name,
        json_name=described.json_name,
        kind=kind,
        message=message,
        choices=tuple(value.name for value in element.enum_type.values) if element.enum_type else (),
        repeated=described.is_repeated,
        is_map=is_map,
        oneof=oneof.name if oneof is not None and not oneof.name.startswith("_") else "",
        bits=32 if element.cpp_type in (element.CPPTYPE_INT32, element.CPPTYPE_UINT32) else 64,
    )


def _kind(element: FieldDescriptor) -> tuple[str, str]:
    if element.message_type is not None:
        name = element.message_type.full_name
        well_known = {"Struct": "struct", "Value": "value", "Duration": "duration"}
        if name.startswith("google.protobuf."):
            return well_known[name.rpartition(".")[2]], ""
        return "message", name.removeprefix("ml_pipelines.")
    kinds = {
        element.CPPTYPE_STRING: "text",
        element.CPPTYPE_BOOL: "boolean",
        element.CPPTYPE_ENUM: "enum",
        element.CPPTYPE_DOUBLE: "number",
        element.CPPTYPE_FLOAT: "number",
    }
    return kinds.get(element.cpp_type, "integer"), ""
