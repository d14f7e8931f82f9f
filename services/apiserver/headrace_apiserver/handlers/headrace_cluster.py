"""headrace.v1.Cluster, our own public API: nodes, and accelerator time of namespaces. Called by the gateway and gRPC."""

from __future__ import annotations

from typing import Any

from headrace_apiserver.backends import Backends
from headrace_protos.v1 import cluster_pb2, run_query_pb2, scheduler_pb2
from headrace_protos.v1.cluster_pb2_grpc import ClusterServicer


class HeadraceCluster(ClusterServicer):
    """The handler object."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends

    async def Nodes(self, request: cluster_pb2.NodesRequest, context: Any) -> cluster_pb2.NodesResponse:
        """By name."""
        found = await self._backends.scheduler.Inventory(scheduler_pb2.InventoryRequest())
        return cluster_pb2.NodesResponse(nodes=sorted(found.nodes, key=lambda one: one.name))

    async def Usage(
        self, request: run_query_pb2.NamespaceUsageRequest, context: Any
    ) -> run_query_pb2.NamespaceUsageResponse:
        """Of attempts that have ended."""
        found: run_query_pb2.NamespaceUsageResponse = await self._backends.run_query.NamespaceUsage(request)
        return found
