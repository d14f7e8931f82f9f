"""Values on the command line: those of -p, -a, --metadata and --tag, numbers, ages. Pure; called by the grammar and by verbs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from headrace.errors import BadInput

UNITS: Final = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


def _number(what: str, most: int) -> Callable[[str], int]:
    """The reader of a whole number that a message's field can hold."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = -1
        if not 0 <= number <= most:
            raise argparse.ArgumentTypeError(f"{text[:40]} is no {what}")
        return number

    return read


limit = _number("number of them; give one from 1 up, or 0 for all", 2**31 - 1)
hops = _number("number of tasks; give one from 1 to 100, or 0 for 5", 100)
sequence = _number("sequence number; events have theirs, and 0 is before the first", 2**63 - 1)
version = _number("version; `headrace retention show` has it, and 0 is that there is none", 2**63 - 1)


def age(text: str) -> float:
    """Seconds, more than none."""
    found = seconds(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is no age; give a number and a unit, such as 30m, 12h or 7d")
    return found


def seconds(text: str) -> float | None:
    """Of an age such as 90d; None: it is none."""
    try:
        found = float(text[:-1]) * UNITS[text[-1:]]
    except (ValueError, KeyError):
        return None
    return found if 0 <= found < 1e11 else None


def parameters(given: Iterable[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """`name=value` → texts, `name:=json` → values; a name given twice or without a value is BadInput."""
    texts: dict[str, str] = {}
    values: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        typed = name.endswith(":")
        name = name.removesuffix(":")
        if not equals or not name:
            raise BadInput(f"-p {one}: expected name=value, or name:=json")
        if name in texts or name in values:
            raise BadInput(f"-p {name} is given twice")
        if typed:
            try:
                values[name] = json.loads(value)
            except ValueError as wrong:
                raise BadInput(f"-p {name}:= is not JSON: {wrong}") from None
            except RecursionError:
                raise BadInput(f"-p {name}:= is nested too deep: a value has at most 100 levels") from None
        else:
            texts[name] = _sendable("-p", name, value)
    return texts, values


def metadata(given: Sequence[str]) -> dict[str, str]:
    """`name=value` → values as they are written."""
    return {name: _sendable("--metadata", name, value) for name, value in _pairs("--metadata", given)}


def artifacts(given: Sequence[str]) -> dict[str, str]:
    """`name=uri` → URIs."""
    return {name: _sendable("-a", name, uri) for name, uri in _once("-a", _pairs("-a", given, "uri", empty=False))}


def tags(given: Sequence[str]) -> dict[str, str]:
    """`name=value` → values as they are written; a name given twice is BadInput."""
    return dict(_once("--tag", _pairs("--tag", given)))


def _pairs(option: str, given: Iterable[str], value: str = "value", *, empty: bool = True) -> Iterator[tuple[str, str]]:
    for one in given:
        name, equals, text = one.partition("=")
        if not equals or not name or not (text or empty):
            raise BadInput(f"{option} {one}: expected name={value}")
        yield name, text


def _once(option: str, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for name, text in pairs:
        if name in seen:
            raise BadInput(f"{option} {name} is given twice")
        seen.add(name)
        yield name, text


def _sendable(option: str, name: str, value: str) -> str:
    """Arguments that are no UTF-8 reach us with lone surrogates, which no message can hold."""
    try:
        f"{name}{value}".encode()
    except UnicodeEncodeError:
        raise BadInput(f"{option} {name!a} is not UTF-8 text; give other bytes by a file") from None
    return value
