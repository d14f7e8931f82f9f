"""IfPresent and Concat in commands and arguments: that they can be read, and that the inputs they ask for exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

_STRUCTURE: Final = re.compile(r'\s*\{\s*"(?:IfPresent|Concat)"\s*:')
_MAX_DEPTH: Final = 50


class StructureProblem(ValueError):  # noqa: N818 - "problem" is the project's word for what a user can cause
    """A structure that is none; the text says why."""


def asked_inputs(element: str) -> list[str]:
    """The inputs whose presence an element of a command asks for. Raises StructureProblem."""
    if "{" not in element or not _STRUCTURE.match(element):
        return []
    try:
        structure = json.loads(element)
    except (ValueError, RecursionError) as error:
        raise StructureProblem(f"begins like IfPresent or Concat but is not JSON: {error}") from None
    return list(dict.fromkeys(_asked(structure, 0)))


def _asked(item: Any, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise StructureProblem(f"IfPresent and Concat are nested deeper than {_MAX_DEPTH} levels")
    if isinstance(item, str):
        return
    if isinstance(item, dict) and item.keys() == {"Concat"} and isinstance(item["Concat"], list):
        for entry in item["Concat"]:
            yield from _asked(entry, depth + 1)
    elif isinstance(item, dict) and item.keys() == {"IfPresent"} and isinstance(item["IfPresent"], dict):
        yield from _condition(item["IfPresent"], depth)
    else:
        raise StructureProblem(f"expected text, IfPresent or Concat, got {json.dumps(item)[:80]}")


def _condition(condition: dict[str, Any], depth: int) -> Iterator[str]:
    name = condition.get("InputName")
    if not isinstance(name, str) or "Then" not in condition or condition.keys() - {"InputName", "Then", "Else"}:
        raise StructureProblem("IfPresent needs 'InputName' and 'Then', and may have 'Else'; nothing more")
    yield name
    for branch in (condition["Then"], condition.get("Else", [])):
        for entry in branch if isinstance(branch, list) else [branch]:
            yield from _asked(entry, depth + 1)
