"""headrace.v1.Attempts: what companions ask and report. Assignments are made from the runs' states; nothing is kept here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

from headrace_protos.lifecycle import attempt_path
from headrace_protos.v1 import access_pb2, assignments_pb2, attempts_pb2, attempts_pb2_grpc
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.executors.port import AttemptId, Launch
from headrace_scheduler.handlers.access import VALID_S, Access
from headrace_scheduler.owning import Elsewhere, Ownership
from headrace_scheduler.receiving import Receiver
from headrace_servicekit import callers

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class AttemptsService(attempts_pb2_grpc.AttemptsServicer):
    """`assignment` makes the message of a Launch for a Pod of that name and UID, `completed` tells the executor of a result and
    adds what it knows.
    """

    def __init__(
        self,
        store: Any,
        receiver: Receiver,
        ownership: Ownership,
        assignment: Callable[[Launch, tuple[str, str]], assignments_pb2.Assignment],
        completed: Callable[[AttemptId, attempts_pb2.AttemptResult], attempts_pb2.AttemptResult | None],
        access: Access,
    ) -> None:
        self._store = store
        self._receiver = receiver
        self._ownership = ownership
        self._assignment = assignment
        self._completed = completed
        self._access = access

    async def Assign(self, request: attempts_pb2.AssignRequest, context: Context) -> attempts_pb2.AssignResponse:  # noqa: N802
        """What the attempt is to do, or whom to ask."""
        found = await self._ownership.find(request.run_id, request.path, request.attempt)
        if isinstance(found, Elsewhere):
            return attempts_pb2.AssignResponse(ask=found.address)
        caller = callers.current()
        return attempts_pb2.AssignResponse(assignment=self._assignment(found, (caller.pod_name, caller.pod_uid)))

    async def Access(self, request: access_pb2.AccessRequest, context: Context) -> access_pb2.AccessResponse:  # noqa: N802
        """Ways to what the attempt may read and write, or whom to ask."""
        found = await self._ownership.find(request.run_id, request.path, request.attempt)
        if isinstance(found, Elsewhere):
            return access_pb2.AccessResponse(ask=found.address)
        return access_pb2.AccessResponse(ways=await self._access.ways(found, request.wants), valid_s=VALID_S)

    async def Report(self, request: attempts_pb2.ReportRequest, context: Context) -> attempts_pb2.ReportResponse:  # noqa: N802
        """Durable before it is acknowledged: by the append that applies it, where the run is driven here, else in the inbox,
        under the attempt's name, so that a repeated report has no effect.
        """
        if not callers.current().is_local:
            found = await self._ownership.find(request.run_id, request.path, request.attempt)
            if isinstance(found, Elsewhere):
                return attempts_pb2.ReportResponse(ask=found.address)
        attempt, result = AttemptId(request.run_id, request.path, request.attempt), request.result

        def begin() -> bool:
            nonlocal result
            told = self._completed(attempt, result)
            result = told or result
            return told is not None

        if await self._ownership.durable(attempt, begin):
            return attempts_pb2.ReportResponse()
        report = rs.Report(path=request.path, attempt=request.attempt, result=result.SerializeToString())
        key = f"report:{request.run_id}/{attempt_path(request.path, request.attempt)}"
        await self._store.Deliver(rs.DeliverRequest(key=key, run_id=request.run_id, report=report))
        self._receiver.look()
        return attempts_pb2.ReportResponse()
