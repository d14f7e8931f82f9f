"""Columns → Postgres array literals: one text for each column, which the query casts (`%(seq)s::bigint[]`).

Pure, and on the hot path of every append: joining texts costs a fraction of a driver dumping element after element.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from headrace_persistence.queries import SQL

_CAST: Final = re.compile(r"%\((\w+)\)s::(\w+)\[\]")
Literal = Callable[[Sequence[Any]], str]


def _plain(values: Sequence[Any]) -> str:
    """Numbers and dates need no quotes."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _bytes(values: Sequence[bytes | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values]) + "}"


def _texts(values: Sequence[str | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


@cache
def _literals(query: str) -> Mapping[str, Literal]:
    """How each array parameter of a query is written, by the type that the query casts it to."""
    by_type: dict[str, Literal] = {"bytea": _bytes, "text": _texts}
    return {name: by_type.get(type_, _plain) for name, type_ in _CAST.findall(SQL[query])}


def literals(query: str, columns: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """The parameters of QUERY for COLUMNS."""
    writers = _literals(query)
    return {name: writers[name](values) for name, values in columns.items()}
