"""What connects nodes: events, attributions, associations, parent contexts. Called inside the transaction of an rpc.

People may connect what runs made with nodes of their own; what a run itself read, wrote or belongs to is not theirs to add to.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Final

from headrace_persistence.metadata.kinds import ARTIFACT, CONTEXT, EXECUTION, Kind
from headrace_persistence.queries import SQL
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Row, Transaction

MOST_EVENTS: Final = 200_000  # of nodes that are asked for together; they have no pages


class Linker:
    """The connections of one transaction. NEW: nodes (kind, id) that people put in it."""

    def __init__(self, tx: Transaction, now_ms: int, new: Container[tuple[int, int]] = ()) -> None:
        self._tx, self._now_ms, self._new = tx, now_ms, new
        self._known: dict[tuple[int, int], bool] = {}  # (kind, id) → whether a run made it

    async def event(self, event: ms.Event) -> None:
        """An event, new."""
        for name in ("artifact_id", "execution_id"):
            if not event.HasField(name):
                raise _invalid(f"an event needs an {name}")
        if not event.type:
            raise _invalid("an event needs a type")
        await self._there(ARTIFACT, event.artifact_id)
        if await self._there(EXECUTION, event.execution_id):
            said = f"execution {event.execution_id} was made by a run, which alone tells what it read and wrote"
            raise ServiceError(Reason.FORBIDDEN, said)
        row = {
            "artifact": event.artifact_id,
            "execution": event.execution_id,
            "type": event.type,
            "time_ms": event.milliseconds_since_epoch if event.HasField("milliseconds_since_epoch") else self._now_ms,
            "path": event.path.SerializeToString() if event.HasField("path") else b"",
        }
        if not await self._tx.execute(SQL["insert_metadata_event"], row):
            kind = ms.Event.Type.Name(event.type)
            said = f"execution {event.execution_id} has an event {kind} with artifact {event.artifact_id} already"
            raise ServiceError(Reason.ALREADY_EXISTS, said)

    async def attribute(self, context: int, artifact: int) -> None:
        """An artifact in a context; nothing where it is there already."""
        await self._belongs("attribution", ARTIFACT, context, artifact)

    async def associate(self, context: int, execution: int) -> None:
        """An execution in a context; nothing where it is there already."""
        await self._belongs("association", EXECUTION, context, execution)

    async def _belongs(self, word: str, kind: Kind, context: int, node: int) -> None:
        of_a_run = await self._there(CONTEXT, context)
        await self._there(kind, node)
        pair = {"context": context, "node": node}
        known = SQL["is_attributed"] if kind is ARTIFACT else SQL["is_associated"]
        if await self._tx.fetch_one(known, pair) is not None:
            return
        if of_a_run:
            said = f"context {context} is a run's: no {word} can be added; use a context of your own"
            raise ServiceError(Reason.FORBIDDEN, said)
        await self._tx.execute(SQL["insert_attribution"] if kind is ARTIFACT else SQL["insert_association"], pair)

    async def parent(self, link: ms.ParentContext) -> None:
        """A context below another one, new."""
        if not link.HasField("parent_id") or not link.HasField("child_id"):
            raise _invalid("a parent context needs a parent_id and a child_id")
        of_a_run = await self._there(CONTEXT, link.parent_id)
        await self._there(CONTEXT, link.child_id)
        await self._tx.execute(SQL["lock_parents"])
        pair = {"start": link.parent_id, "wanted": link.child_id}
        if await self._tx.fetch_one(SQL["is_above"], pair) is not None:
            raise _invalid(f"context {link.child_id} is or contains context {link.parent_id}: it cannot be below it")
        rows = await self._tx.fetch(SQL["parents_of"], {"ids": [link.child_id]})
        if any(row[1] == link.parent_id for row in rows):
            raise _is_parent(link)
        if of_a_run:
            said = f"context {link.parent_id} is a run's or pipeline's: no context can be put below it"
            raise ServiceError(Reason.FORBIDDEN, said)
        if not await self._tx.execute(SQL["insert_parent"], {"parent": link.parent_id, "child": link.child_id}):
            raise _is_parent(link)

    async def _there(self, kind: Kind, number: int) -> bool:
        """Whether a run made the node; INVALID_ARGUMENT where there is none."""
        key = (kind.number, number)
        if key in self._new:
            return False
        if key not in self._known:
            row = await self._tx.fetch_one(SQL["metadata_nodes"], {"kind": kind.number, "ids": [number]})
            if row is None:
                raise _invalid(f"there is no {kind.word} {number}")
            if row[9] and kind is ARTIFACT and await self._tx.fetch_one(SQL["keep_artifact"], {"id": number}) is None:
                raise _invalid(f"there is no {kind.word} {number}")
            self._known[key] = bool(row[9])
        return self._known[key]


async def events_of(tx: Transaction, kind: Kind, ids: Sequence[int], advice: str) -> list[ms.Event]:
    """The events of artifacts or executions; with ADVICE where they are more than an answer can have."""
    if not ids:
        return []
    query = SQL["metadata_events_of_artifacts"] if kind is ARTIFACT else SQL["metadata_events_of_executions"]
    rows = await tx.fetch(query, {"ids": sorted(set(ids)), "limit": MOST_EVENTS + 1})
    if len(rows) > MOST_EVENTS:
        raise ServiceError(Reason.TOO_LARGE, f"these {kind.word}s have more than {MOST_EVENTS:,} events: {advice}")
    return [_event(row) for row in rows]


def _event(row: Row) -> ms.Event:
    artifact, execution, type_, time_ms, path, name, position = row
    event = ms.Event(artifact_id=artifact, execution_id=execution, type=type_, milliseconds_since_epoch=time_ms)
    if path:
        event.path.ParseFromString(path)
    elif name is not None:
        event.path.steps.add(key=name)
        if position:
            event.path.steps.add(index=position)
    return event


def _is_parent(link: ms.ParentContext) -> ServiceError:
    return ServiceError(Reason.ALREADY_EXISTS, f"context {link.parent_id} is above context {link.child_id} already")


def _invalid(said: str) -> ServiceError:
    return ServiceError(Reason.INVALID_INPUT, said)
