"""The inbox: what comes from outside is stored here before it is acknowledged, once for each key.

A create also writes the run's row and its first event; what a run's state forbids is refused here, while its row is locked.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from headrace_persistence.metadata.rendering import LONGEST_NAME
from headrace_persistence.queries import SQL
from headrace_persistence.stores.asking import refusal, resume_refusal, standing
from headrace_persistence.stores.sessions import SHARDS, lost
from headrace_persistence.stores.texts import storable
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import plan_pb2, run_query_pb2
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Row, Transaction

ITEMS: Final = {one.name: one.number for one in rs.DeliverRequest.DESCRIPTOR.oneofs_by_name["item"].fields}
MOST_ITEMS: Final = 1000


@dataclass(frozen=True, slots=True)
class Delivered:
    """The answer; `fresh` where something new was stored, so that watchers are woken."""

    response: rs.DeliverResponse
    fresh: bool


class _TakenError(Exception):
    """Another call with the same key or run id was faster: look again in a new transaction."""


def no_run(run_id: str) -> ServiceError:
    """What a caller who names an unknown run is told."""
    return ServiceError(Reason.NOT_FOUND, f"Run {run_id} not found")


class Inbox:
    """Delivering and fetching."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def deliver(self, request: rs.DeliverRequest) -> Delivered:
        """Store REQUEST, or answer as the first call with its key was answered."""
        kind = request.WhichOneof("item")
        if not request.key or kind is None:
            raise ServiceError(Reason.INVALID_INPUT, "Deliver needs a key and an item")
        if kind == "create":
            _check_new(request.create)

        async def work(tx: Transaction) -> Delivered:
            now_us, known = await self._known(tx, request.key)
            if known is not None:
                return _repeated(known)
            store = self._create if kind == "create" else self._ask
            return Delivered(await store(tx, request, kind, now_us), True)

        for _ in range(3):
            try:
                return await self._database.transaction(work)
            except _TakenError:
                continue
        raise ServiceError(Reason.UNAVAILABLE, "Deliver: too many calls with the same key at once", retry_after=0.1)

    async def _known(self, tx: Transaction, key: str) -> tuple[int, Row | None]:
        row = await tx.fetch_one(SQL["delivered_before"], {"key": key})
        assert row is not None
        return row[0], row[1:] if row[1] is not None else None

    async def _create(self, tx: Transaction, request: rs.DeliverRequest, kind: str, now_us: int) -> rs.DeliverResponse:
        new = request.create
        if new.HasField("resume"):
            await _check_origin(tx, new.resume.run_id)
        shard = lifecycle.shard_of(new.run_id, SHARDS)
        row = _row_of(new, shard, now_us)
        inserted = await tx.fetch_one(SQL["insert_run"], row)
        if inserted is None:
            _, known = await self._known(tx, request.key)
            if known is not None:
                raise _TakenError
            raise ServiceError(Reason.ALREADY_EXISTS, f"Run {new.run_id} exists already; take a new id")
        run = int(inserted[0])
        event = ev.Event(seq=1, time_us=now_us, run_created=ev.RunCreated(resumed_from=new.resume.run_id))
        if row["pipeline_name"]:
            name = row["pipeline_name"][:LONGEST_NAME]
            context = {
                "name": name,
                "created_at_us": now_us,
                **{key: row[key] for key in ("namespace", "experiment_id")},
            }
            await tx.execute(SQL["insert_pipeline_context"], context)
        places = sorted(set(_places(new)))
        if places:
            await tx.fetch(SQL["share_retention_lock"])
            await tx.execute(SQL["insert_uses"], {"run": [run] * len(places), "uri": places})
        await tx.execute(SQL["insert_spec"], {"run": run, "spec_json": new.spec_json, "plan": new.plan})
        await tx.execute(
            SQL["insert_first_event"],
            {"day": row["day"], "run": run, "time_us": now_us, "payload": event.SerializeToString()},
        )
        return await self._put(tx, request, kind, now_us, new.run_id, run, shard)

    async def _ask(self, tx: Transaction, request: rs.DeliverRequest, kind: str, now_us: int) -> rs.DeliverResponse:
        row = await tx.fetch_one(SQL["lock_run"], {"run_id": request.run_id})
        if row is None or (row[4] and kind in ("terminate", "retry")):
            raise no_run(request.run_id)
        run, shard, state, exit_tasks, _ = row
        if kind in ("terminate", "retry"):
            waiting = [one[0] for one in await tx.fetch(SQL["waiting_requests"], {"run": run})]
            refused = refusal(request, request.run_id, standing(state, exit_tasks, waiting))
            if refused:
                raise ServiceError(Reason.WRONG_STATE, refused)
        response = await self._put(tx, request, kind, now_us, request.run_id, run, shard)
        if kind == "terminate":
            await tx.execute(SQL["mark_terminating"], {"run": run})
        elif kind == "retry":
            await tx.execute(SQL["mark_retrying"], {"run": run})
        elif kind == "delete":
            await tx.execute(SQL["mark_deleting"], {"run": run, "keep_cache": request.delete.keep_cache})
        return response

    async def delete(self, tx: Transaction, run: int, run_id: str, shard: int, now_us: int) -> None:
        """Ask for the deletion of a run that a policy takes, whose row the caller holds; its cached results stay."""
        request = rs.DeliverRequest(key=f"retention/{run_id}", run_id=run_id, delete=rs.Delete(keep_cache=True))
        await self._put(tx, request, "delete", now_us, run_id, run, shard)
        await tx.execute(SQL["mark_deleting"], {"run": run, "keep_cache": True})

    async def _put(
        self, tx: Transaction, request: rs.DeliverRequest, kind: str, now_us: int, run_id: str, run: int, shard: int
    ) -> rs.DeliverResponse:
        stored = rs.DeliverRequest()
        stored.CopyFrom(request)
        stored.run_id = run_id
        if kind == "create":
            stored.create.spec_json = ""
            stored.create.plan = b""  # it is stored once, with the run; LoadRuns gives it
            stored.create.parameters_json = ""
            stored.create.ClearField("inputs")  # the same; they may have megabytes
        put = await tx.fetch_one(
            SQL["insert_inbox"],
            {
                "key": request.key,
                "run": run,
                "shard": shard,
                "kind": ITEMS[kind],
                "delivered_at_us": now_us,
                "request": stored.SerializeToString(),
            },
        )
        if put is None:
            raise _TakenError
        return rs.DeliverResponse(inbox_id=put[0], shard=shard, run_id=run_id)

    async def fetch(self, request: rs.FetchInboxRequest) -> rs.FetchInboxResponse:
        """What waits for the session's shards."""

        async def work(tx: Transaction) -> rs.FetchInboxResponse:
            session = {"session_id": request.session_id, "epoch": request.epoch}
            if await tx.fetch_one(SQL["check_session"], session) is None:
                raise lost(request.session_id)
            limit = min(request.limit or 100, MOST_ITEMS)
            rows = await tx.fetch(
                SQL["fetch_inbox"],
                {"session_id": request.session_id, "after": request.after_inbox_id, "limit": limit},
            )
            items = [
                rs.InboxItem(
                    inbox_id=row[0], shard=row[1], delivered_at_us=row[2], request=rs.DeliverRequest.FromString(row[3])
                )
                for row in rows
            ]
            return rs.FetchInboxResponse(items=items)

        return await self._database.transaction(work)

    async def waits(self, session_id: str) -> bool:
        """Whether anything waits for the session's shards."""
        rows = await self._database.read(SQL["inbox_waits"], {"session_id": session_id})
        return bool(rows[0][0])


def _repeated(known: Row) -> Delivered:
    inbox_id, shard, _, run_id = known
    return Delivered(rs.DeliverResponse(inbox_id=inbox_id, shard=shard, repeated=True, run_id=run_id), False)


async def _check_origin(tx: Transaction, run_id: str) -> None:
    row = await tx.fetch_one(SQL["lock_origin"], {"run_id": storable(run_id)})
    if row is None or row[1]:
        raise no_run(run_id)
    refused = resume_refusal(run_id, row[0])
    if refused:
        raise ServiceError(Reason.WRONG_STATE, refused)


def _places(new: rs.NewRun) -> Iterator[str]:
    """What the run is given that lies in a store: nothing takes it away from now on."""
    given = [value.uri for value in new.inputs.parameters.values()]
    given += [artifact.uri for group in new.inputs.artifacts.values() for artifact in group.artifacts]
    yield from (uri.replace("\0", "").rstrip("/") for uri in given if uri and f"/{new.run_id}/" not in uri)


def _check_new(new: rs.NewRun) -> None:
    try:
        canonical = str(uuid.UUID(new.run_id))
    except ValueError:
        canonical = ""
    if canonical != new.run_id or not canonical:
        raise ServiceError(Reason.INVALID_INPUT, f"run_id {new.run_id!r} is no lower-case UUID with dashes")
    for name in _TEXTS:
        if "\0" in getattr(new, name):
            raise ServiceError(Reason.INVALID_INPUT, f"{name} holds a NUL character; take it out")


_TEXTS: Final = (
    "namespace",
    "experiment_id",
    "display_name",
    "description",
    "pipeline_id",
    "pipeline_version_id",
    "spec_json",
    "parameters_json",
    "pipeline_root",
    "service_account",
    "source",
    "recurring_run_id",
)


def _row_of(new: rs.NewRun, shard: int, now_us: int) -> dict[str, Any]:
    created = run_query_pb2.RunStateChange(time_us=now_us, state=ev.RUN_PENDING)
    texts: Callable[[str], str] = lambda name: getattr(new, name)  # noqa: E731  # one name for a dozen columns
    return {
        **{name: texts(name) for name in _TEXTS if name != "spec_json"},
        "namespace": new.namespace or "default",
        "run_id": new.run_id,
        "shard": shard,
        "day": day_of(now_us),
        "pipeline_name": plan_pb2.Plan.FromString(new.plan).pipeline_name.replace("\0", ""),
        "enable_cache": new.enable_cache if new.HasField("enable_cache") else None,
        "state": ev.RUN_PENDING,
        "inputs": new.inputs.SerializeToString(),
        "history": run_query_pb2.Run(history=[created]).SerializeToString(),
        "created_at_us": now_us,
        "scheduled_at_us": new.scheduled_at_us or now_us,
        "resume": new.resume.SerializeToString() if new.HasField("resume") else b"",
        "caching": new.caching.SerializeToString(),
    }


def day_of(time_us: int) -> date:
    """The UTC day that a time is in: the partition of a run's events."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).date()
