"""Which places belong to which namespaces. Pure.

A store serves some namespaces, or all. In one that serves several, each has `<root>/namespaces/<namespace>` for itself, and what
lies elsewhere beneath the root is shared by all that it serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SHARED_BY: Final = "namespaces"


@dataclass(frozen=True, slots=True)
class Area:
    """One store's root and whose it is. `namespaces` None: all. `reads`: prefixes elsewhere that its keys may read."""

    root: str
    namespaces: frozenset[str] | None = None
    reads: Sequence[str] = ()
    divided: bool = True  # False: a folder of one machine, whose user owns it all

    def serves(self, namespace: str) -> bool:
        return self.namespaces is None or namespace in self.namespaces

    def own(self, namespace: str) -> str:
        """Where runs of a namespace publish."""
        if not self.divided or (self.namespaces is not None and len(self.namespaces) == 1):
            return self.root
        return f"{self.root}/{SHARED_BY}/{namespace}"

    def holds(self, uri: str) -> bool:
        return uri.startswith(f"{self.root}/")

    def problem(self, uri: str, namespace: str) -> str:
        """Why a namespace may not use a place beneath the root; "" if it may."""
        if not self.serves(namespace):
            return f"{uri} lies in a store that is not for the namespace '{namespace}'"
        owner, slash, _ = uri[len(f"{self.root}/{SHARED_BY}/") :].partition("/")
        if self.divided and slash and uri.startswith(f"{self.root}/{SHARED_BY}/") and owner != namespace:
            return f"{uri} belongs to the namespace '{owner}', not to '{namespace}'"
        return ""


@dataclass(frozen=True, slots=True)
class Areas:
    """All of a platform's; the first is the default."""

    areas: Sequence[Area]

    def default_root(self, namespace: str) -> str:
        """Where a run publishes that says nothing about it: a store for its namespace alone goes before one for all."""
        own = [area for area in self.areas if area.namespaces is not None and area.serves(namespace)]
        return (own or self.areas)[0].own(namespace)

    def of(self, uri: str) -> Area | None:
        """The store that holds a URI: of several roots the longest."""
        holding = [area for area in self.areas if area.holds(uri)]
        return max(holding, key=lambda area: len(area.root), default=None)

    def reading(self, uri: str, namespace: str) -> Area | None:
        """The store whose keys may read a URI that lies in no root, for a namespace."""
        able = [area for area in self.areas if area.serves(namespace) and any(_within(uri, one) for one in area.reads)]
        return able[0] if able else None

    def problem(self, uri: str, namespace: str) -> str:
        """Why a namespace may not use a place in one of the stores; "" if it may, or where it lies in none."""
        area = self.of(uri)
        return area.problem(uri, namespace) if area is not None else ""


def _within(uri: str, prefix: str) -> bool:
    return uri == prefix.rstrip("/") or uri.startswith(prefix if prefix.endswith("/") else f"{prefix}/")
