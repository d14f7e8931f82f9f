"""headrace.v1.Scheduler: hints and placement for the apiserver, and the cache's answers to people."""

from __future__ import annotations

import os
from typing import Any, TypeAlias

import grpc

from headrace_protos.v1 import cache_pb2, plan_pb2, scheduler_pb2, scheduler_pb2_grpc
from headrace_scheduler.admitting import Admission
from headrace_scheduler.executors.port import Executor, Node
from headrace_scheduler.placing import requests_of
from headrace_scheduler.receiving import Receiver

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class SchedulerService(scheduler_pb2_grpc.SchedulerServicer):
    """Hints, placement, inventory; `cache` is a Cache stub, asked why a task was a hit or a miss."""

    def __init__(
        self, receiver: Receiver, executor: Executor, admission: Admission, cache: Any, *, fixed: bool
    ) -> None:
        self._receiver = receiver
        self._executor = executor
        self._admission = admission
        self._cache = cache
        self._fixed = fixed

    async def Wake(self, request: scheduler_pb2.WakeRequest, context: Context) -> scheduler_pb2.WakeResponse:  # noqa: N802
        """Something was delivered."""
        self._receiver.look()
        return scheduler_pb2.WakeResponse()

    async def CheckPlacement(  # noqa: N802
        self, request: scheduler_pb2.CheckPlacementRequest, context: Context
    ) -> scheduler_pb2.CheckPlacementResponse:
        """Every static resource request against this executor; a problem only where the cluster is declared fixed."""
        answer = scheduler_pb2.CheckPlacementResponse()
        for label, wanted in requests_of(plan_pb2.Plan.FromString(request.plan)):
            placement = self._executor.place(wanted)
            if placement.problem:
                kind = answer.problems if self._fixed else answer.warnings
                kind.append(f"{label}: {placement.problem}")
            answer.warnings.extend(f"{label}: {warning}" for warning in placement.warnings)
        return answer

    async def ExplainCache(  # noqa: N802
        self, request: cache_pb2.ExplainRequest, context: Context
    ) -> cache_pb2.ExplainResponse:
        """What the cache says."""
        found: cache_pb2.ExplainResponse = await self._cache.Explain(request)
        return found

    async def Inventory(  # noqa: N802
        self, request: scheduler_pb2.InventoryRequest, context: Context
    ) -> scheduler_pb2.InventoryResponse:
        """What there is; where admission accounts for all, what is used is told on the first node."""
        known = self._executor.nodes()
        if known:
            return scheduler_pb2.InventoryResponse(nodes=[_node(one) for one in known])
        answer = scheduler_pb2.InventoryResponse()
        used = self._admission.used
        for node in self._executor.inventory():
            answer.nodes.add(
                name=node.node or os.uname().nodename,
                cpu=node.cpu or 0,
                memory=node.memory or 0,
                accelerators=node.accelerators or 0,
                accelerator_product=node.accelerator_product,
                status="ready",
            )
        if answer.nodes:
            first = answer.nodes[0]
            first.cpu_used, first.memory_used, first.accelerators_used = used.cpu, used.memory, used.accelerators
        for one in answer.nodes:
            if one.accelerators:
                held = {"count": one.accelerators, "used": one.accelerators_used}
                one.stock.add(resource="nvidia.com/gpu", product=one.accelerator_product, **held)
        return answer


def _node(node: Node) -> scheduler_pb2.Node:
    made = scheduler_pb2.Node(
        name=node.name,
        cpu=node.cpu,
        cpu_used=node.cpu_used,
        memory=node.memory,
        memory_used=node.memory_used,
        accelerators=sum(one.count for one in node.accelerators),
        accelerators_used=sum(one.used for one in node.accelerators),
        status=node.status,
        taints=node.taints,
    )
    for one in node.accelerators:
        made.stock.add(
            resource=one.resource, product=one.product, memory=one.memory, mig=one.mig, count=one.count, used=one.used
        )
    return made
