"""Where a problem says that it is: whether its path exists in the documents, or names what is missing there.

Used by the property tests of the static validation. A path is made of keys and indexes; keys may hold dots.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from headrace_ir.kubernetes_fields import MESSAGES
from headrace_ir.problems import nearest
from headrace_ir.schema import shape

_STEP = re.compile(r"([A-Za-z]+)")


def points_somewhere(path: str, *documents: Any) -> bool:
    """Whether a path leads to a place in one of the documents, or to fields that are missing there."""
    if not path or re.fullmatch(r"document [0-9]+", path):
        return True
    return any(_follow(document, path) for document in documents)


def _follow(node: Any, path: str) -> bool:
    if not path:
        return True
    if isinstance(node, list):
        index, _, rest = path[1:].partition("]")
        if path.startswith("[") and index.isdigit() and int(index) < len(node):
            return _below(node[int(index)], rest)
    if isinstance(node, dict):
        for key, value in node.items():
            for spelling in _spellings(key, path):
                rest = path[len(spelling) :]
                if path.startswith(spelling) and (not rest or rest[0] in ".[") and _below(value, rest):
                    return True
    return _is_missing(path)


def _below(value: Any, rest: str) -> bool:
    return _follow(value, rest[1:] if rest.startswith(".") else rest)


def _spellings(key: str, path: str) -> list[str]:
    """A key as it is, in JSON's spelling, and as the field that it was taken for."""
    first, *more = key.split("_")
    camel = first + "".join(part[:1].upper() + part[1:] for part in more)
    step = _STEP.match(path)
    meant = [step[1]] if step and step[1] in known_fields() and nearest(key, [step[1]]) else []
    return [key, camel, *meant]


def _is_missing(path: str) -> bool:
    """What is not there is a field (or fields) of the IR; names that people choose would have to exist."""
    names = re.sub(r"\[[0-9]+\]", "", path).split(".")
    return all(name in known_fields() or (not name and index == 0) for index, name in enumerate(names))


@cache
def known_fields() -> frozenset[str]:
    """Every field name of the IR in JSON's spelling."""
    found: set[str] = set()
    pending, seen = ["PipelineSpec", "PipelineDeploymentConfig", "PlatformSpec", *MESSAGES], set()
    while pending:
        message = pending.pop()
        if message in seen:
            continue
        seen.add(message)
        fields = shape(message).fields.values()
        found.update(field.json_name for field in fields)
        pending.extend(field.message for field in fields if field.message)
    return frozenset(found)
