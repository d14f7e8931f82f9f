"""The first rows of a file of separated values, told by what is in it: a data set's file has no name that says so. Pure.

Called by handlers/headrace_artifacts.py with the beginning of a file, whose last line may be cut.
"""

from __future__ import annotations

import csv
from typing import Final

from headrace_protos.v1 import artifacts_pb2 as pb

DELIMITERS: Final = (",", "\t", ";")
MOST_ROWS: Final = 100
MOST_COLUMNS: Final = 1_000
TYPES: Final = frozenset({"system.Dataset", "system.Artifact", ""})


def table_of(data: bytes, *, cut: bool) -> pb.Table | None:
    """None where it is no text whose lines all have the same number of cells, two at least."""
    text = _text(data, cut=cut)
    for delimiter in DELIMITERS:
        rows = _rows(text, delimiter, cut=cut)
        if len(rows) > 1 and 2 <= len(rows[0]) <= MOST_COLUMNS and all(len(row) == len(rows[0]) for row in rows):
            shown = rows[1 : MOST_ROWS + 1]
            return pb.Table(
                columns=rows[0],
                rows=[pb.TableRow(cells=row) for row in shown],
                truncated=cut or len(rows) - 1 > len(shown),
            )
    return None


def _rows(text: str, delimiter: str, *, cut: bool) -> list[list[str]]:
    """Those that are whole; one more than are shown, to know whether there are more."""
    rows: list[list[str]] = []
    try:
        for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True):
            rows.append(row)
            if len(rows) > MOST_ROWS + 1:
                return rows
    except csv.Error:
        return rows if cut else []  # the last one ends within quotes
    return rows[:-1] if cut else rows


def _text(data: bytes, *, cut: bool) -> str:
    """ "" where it is none; of what was cut the last character may be half there."""
    if b"\0" in data:
        return ""
    for end in range(len(data), max(len(data) - 4, 0) if cut else len(data) - 1, -1):
        try:
            return data[:end].decode()
        except UnicodeDecodeError:
            continue
    return ""
