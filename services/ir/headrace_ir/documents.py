"""YAML and JSON text to plain values, exactly and within limits: what a package holds before anything is interpreted.

Integers stay integers, dates stay text, a key given twice is refused, and neither depth nor aliases can make a small
file big. YAML is read from libyaml's events, not by a recursive constructor. Called by `reading` only.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from headrace_ir.problems import MAX_PROBLEMS, Problem, SpecError

MAX_DEPTH = 200
MAX_VALUES = 2_000_000
"""Scalars, lists and mappings in one file, aliases counted as often as they are used."""

_TAG = "tag:yaml.org,2002:"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_UNSET: Any = object()
_MERGE: Any = object()


def read_json(data: bytes) -> Any:
    """The value of a JSON file."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in items:
            if key in result:
                raise SpecError.of(f"not readable as JSON: the key '{key}' is given twice")
            result[key] = value
        return result

    def refuse(text: str) -> Any:
        raise SpecError.of(f"not readable as JSON: {text} is not a JSON number")

    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise SpecError.of(f"not readable as JSON: {text[:30]} is too large a number")
        return value

    try:
        text = data.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=pairs, parse_constant=refuse, parse_float=number)
    except UnicodeDecodeError:
        raise SpecError.of("not readable as JSON: the file is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise SpecError.of(f"not readable as JSON: line {error.lineno}: {error.msg}") from None
    except RecursionError:
        raise SpecError.of("not readable as JSON: values are nested too deeply") from None
    except SpecError:
        raise
    except ValueError:  # int() refuses thousands of digits
        raise SpecError.of("not readable as JSON: a number has too many digits") from None


def read_yaml(data: bytes) -> list[Any]:
    """The documents of a YAML stream, in order; empty ones are None."""
    builder = _Builder()
    try:
        for event in yaml.parse(data, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise SpecError.of(f"not readable as YAML: {place}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise SpecError.of(f"not readable as YAML: {str(error).splitlines()[0]}") from None
    if builder.problems:
        raise SpecError(builder.problems)
    return builder.documents


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is being filled."""

    value: Any
    anchor: str | None
    first: int
    key: Any = _UNSET
    merges: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class _Builder:
    documents: list[Any] = field(default_factory=list)
    stack: list[_Frame] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    """Keys that are given twice: all of them are said, where any other mistake ends the reading."""
    count: int = 0
    line: int = 0

    def take(self, event: yaml.Event) -> None:
        self.line = event.start_mark.line + 1 if event.start_mark else self.line
        if isinstance(event, yaml.ScalarEvent):
            self._counted(1)
            self._add(self._scalar(event), event.anchor, 1, plain=event.implicit[0])
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self._error(f"the alias *{event.anchor} names nothing that is complete before it")
            value, size = self.anchors[event.anchor]
            self._counted(size)
            self._add(value, None, size)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.anchors.clear()

    def _open(self, value: Any, event: yaml.CollectionStartEvent) -> None:
        if event.tag not in (None, _TAG + "map", _TAG + "seq"):
            raise self._error(f"the tag {event.tag} is not supported")
        if len(self.stack) >= MAX_DEPTH:
            raise self._error(f"values are nested more than {MAX_DEPTH} deep")
        self._counted(1)
        self.stack.append(_Frame(value, event.anchor, self.count - 1))

    def _close(self) -> None:
        frame = self.stack.pop()
        for merged in frame.merges:
            frame.value = merged | frame.value
        self._add(frame.value, frame.anchor, self.count - frame.first)

    def _add(self, value: Any, anchor: str | None, size: int, *, plain: bool = False) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, size)
        if not self.stack:
            self.documents.append(value)
            return
        frame = self.stack[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.key is _UNSET:
            frame.key = _MERGE if value == "<<" and plain else self._key(value, frame.value)
        elif frame.key is _MERGE:
            frame.merges.extend(self._merged(value))
            frame.key = _UNSET
        else:
            frame.value[frame.key] = value
            frame.key = _UNSET

    def _key(self, value: Any, mapping: dict[str, Any]) -> str:
        if isinstance(value, (dict, list)) or value is None:
            raise self._error("a key must be text")
        key = value if isinstance(value, str) else json.dumps(value)
        if key in mapping and len(self.problems) < MAX_PROBLEMS:
            self.problems += self._error(f"the key '{key}' is given twice").problems
        mapping[key] = None  # holds the place, so that a second one is seen at once
        return key

    def _merged(self, value: Any) -> Iterator[dict[str, Any]]:
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                raise self._error("'<<' takes a mapping or a list of mappings")
            yield part

    def _counted(self, size: int) -> None:
        self.count += size
        if self.count > MAX_VALUES:
            raise self._error(f"the file holds more than {MAX_VALUES:,} values (aliases counted as often as used)")

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        text = event.value
        if event.tag is None or event.tag == "!":
            return self._plain(text) if event.implicit[0] and event.tag is None else text
        if event.tag == _TAG + "str":
            return text
        kinds: dict[str, tuple[type, ...]] = {
            _TAG + "int": (int,), _TAG + "float": (int, float), _TAG + "bool": (bool,), _TAG + "null": (type(None),)
        }  # fmt: skip
        if event.tag not in kinds:
            raise self._error(f"the tag {event.tag} is not supported")
        value = self._plain(text)
        if type(value) not in kinds[event.tag]:
            raise self._error(f"'{text[:30]}' does not fit the tag {event.tag}")
        return float(value) if event.tag == _TAG + "float" else value

    def _plain(self, text: str) -> Any:
        if text in _NULLS:
            return None
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        if len(text) > 400 or text[0] not in "+-.0123456789":
            return text
        return self._number(text)

    def _number(self, text: str) -> Any:
        if _INTEGER.fullmatch(text):
            digits = text.replace("_", "")
            if re.fullmatch(r"[-+]?0[0-7]+", digits):
                return int(digits, 8)
            return int(digits, 0)
        if _NUMBER.fullmatch(text):
            value = float(text.replace("_", ""))
            if math.isfinite(value):
                return value
        elif not _NOT_FINITE.fullmatch(text):
            return text
        raise self._error(f"{text[:30]} is not a finite number; JSON values cannot hold it")

    def _error(self, message: str) -> SpecError:
        return SpecError.of(f"not readable as YAML: line {self.line}: {message}")
