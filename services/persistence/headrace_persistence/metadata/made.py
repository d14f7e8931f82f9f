"""What runs made, as ML Metadata's nodes: the names that KFP's tools know, from the rows of runs, tasks and artifacts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from headrace_persistence.metadata.kinds import Kind
from headrace_persistence.queries import SQL
from headrace_servicekit.postgres import Row, Transaction


async def fill(tx: Transaction, kind: Kind, rows: Sequence[Row], found: Mapping[int, Any]) -> None:
    """Give the nodes of ROWS their custom properties."""


async def own_properties(tx: Transaction, kind: Kind, number: int) -> Collection[str] | None:
    """The custom properties that the run gave to its node; None for a node that people put."""
    rows = await tx.fetch(SQL["metadata_nodes"], {"kind": kind.number, "ids": [number]})
    return None if not rows or not rows[0][9] else []


def is_taken(kind: Kind, type_name: str, name: str) -> bool:
    """Whether a run may have made a node of that type with that name."""
    return bool(name) and type_name in ("system.Pipeline", "system.PipelineRun", "system.DAGExecution")
