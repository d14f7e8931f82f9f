"""headrace.v1.Retention: policies, what follows from them, pins and erasures; the apiserver hands the public's calls on."""

from __future__ import annotations

from typing import Any

from headrace_persistence.queries import SQL
from headrace_persistence.retention.erasing import Eraser
from headrace_persistence.retention.keeping import Keeper
from headrace_persistence.retention.rules import Rules
from headrace_persistence.stores.delivering import no_run
from headrace_persistence.stores.texts import storable
from headrace_protos.v1 import retention_pb2 as pb
from headrace_protos.v1 import retention_pb2_grpc
from headrace_servicekit.postgres import Database, Transaction


class Retention(retention_pb2_grpc.RetentionServicer):
    """See retention.proto for what each call promises."""

    def __init__(self, *, database: Database, rules: Rules, keeper: Keeper, eraser: Eraser) -> None:
        self._database, self._rules, self.keeper, self._eraser = database, rules, keeper, eraser

    async def ListPolicies(self, request: pb.ListPoliciesRequest, context: Any) -> pb.ListPoliciesResponse:  # noqa: N802
        return pb.ListPoliciesResponse(policies=await self._rules.listed(request.namespace))

    async def SetPolicy(self, request: pb.SetPolicyRequest, context: Any) -> pb.SetPolicyResponse:  # noqa: N802
        return await self._rules.set(request)

    async def Plan(self, request: pb.PlanRequest, context: Any) -> pb.RetentionPlan:  # noqa: N802
        return await self.keeper.plan(request.namespace)

    async def Run(self, request: pb.RunRequest, context: Any) -> pb.RetentionPlan:  # noqa: N802
        return await self.keeper.run_once(request.namespace)

    async def Pin(self, request: pb.PinRequest, context: Any) -> pb.PinResponse:  # noqa: N802
        asked = {"run_id": storable(request.run_id), "pinned": not request.unpin}

        async def work(tx: Transaction) -> None:
            if await tx.fetch_one(SQL["pin_run"], asked) is None:
                raise no_run(request.run_id)

        await self._database.transaction(work)
        return pb.PinResponse()

    async def Erase(self, request: pb.EraseRequest, context: Any) -> pb.Erasure:  # noqa: N802
        return await self._eraser.erase(request)

    async def ListErasures(self, request: pb.ListErasuresRequest, context: Any) -> pb.ListErasuresResponse:  # noqa: N802
        return await self._eraser.listed(request)
