"""Names in the IR: how what authors write becomes one, and how duplicates are told apart. Pure.

They equal KFP's, so that a pipeline keeps its components' names (and its caches) when it moves over. Called by the decorators, by
the pipeline under construction and by the compiler.
"""

from __future__ import annotations

import re
from typing import Final

PIPELINE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
"""What the name of a pipeline looks like in the IR."""

HANDED: Final = "pipelinechannel--"
"""What the name of an input begins with through which a group is handed a value."""

_OTHERS: Final = re.compile("[^0-9a-z]+")


def dashed(name: str) -> str:
    """NAME in lower-case letters, digits and single dashes: `Print_Op` → `print-op`."""
    return _OTHERS.sub("-", name.lower()).strip("-")


class Taken:
    """The names that are given away; each is given once. Constant time for each, however many share a name."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._next: dict[str, int] = {}

    def take(self, name: str) -> str:
        """NAME where it is free, else the first free one of NAME-2, NAME-3, …; it is taken from now on."""
        free = name
        number = self._next.get(name, 2)
        while free in self._names:
            free = f"{name}-{number}"
            number += 1
        self._next[name] = number
        self._names.add(free)
        return free
