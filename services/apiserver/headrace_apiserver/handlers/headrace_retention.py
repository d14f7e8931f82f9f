"""headrace.v1.Retention, our own public API: handed on to persistence, with who asks. Called by the gateway and gRPC."""

from __future__ import annotations

from typing import Any

from headrace_apiserver.backends import Backends
from headrace_apiserver.names import check_id, check_text
from headrace_protos.v1 import retention_pb2 as pb
from headrace_protos.v1.retention_pb2_grpc import RetentionServicer
from headrace_servicekit import callers


class HeadraceRetention(RetentionServicer):
    """The handler object."""

    def __init__(self, backends: Backends) -> None:
        self._retention = backends.retention

    async def ListPolicies(self, request: pb.ListPoliciesRequest, context: Any) -> pb.ListPoliciesResponse:
        """All that is said."""
        found: pb.ListPoliciesResponse = await self._retention.ListPolicies(request)
        return found

    async def SetPolicy(self, request: pb.SetPolicyRequest, context: Any) -> pb.SetPolicyResponse:
        """With its new version."""
        found: pb.SetPolicyResponse = await self._retention.SetPolicy(request)
        return found

    async def Plan(self, request: pb.PlanRequest, context: Any) -> pb.RetentionPlan:
        """What Run would do."""
        found: pb.RetentionPlan = await self._retention.Plan(request)
        return found

    async def Run(self, request: pb.RunRequest, context: Any) -> pb.RetentionPlan:
        """One pass."""
        found: pb.RetentionPlan = await self._retention.Run(request)
        return found

    async def Pin(self, request: pb.PinRequest, context: Any) -> pb.PinResponse:
        """Or unpin."""
        check_id("Run", request.run_id)
        found: pb.PinResponse = await self._retention.Pin(request)
        return found

    async def Erase(self, request: pb.EraseRequest, context: Any) -> pb.Erasure:
        """With who asks, on record."""
        asked = pb.EraseRequest()
        asked.CopyFrom(request)
        asked.asked_by = asking(check_text("asked_by", request.asked_by))
        check_text("reason", request.reason)
        found: pb.Erasure = await self._retention.Erase(asked)
        return found

    async def ListErasures(self, request: pb.ListErasuresRequest, context: Any) -> pb.ListErasuresResponse:
        """The record."""
        found: pb.ListErasuresResponse = await self._retention.ListErasures(request)
        return found


def asking(claimed: str) -> str:
    """Who calls: the account of its token, else what it says of itself, and that nobody looked."""
    caller = callers.current()
    return f"{claimed or 'somebody'} (not verified)" if caller.is_local else caller.name
