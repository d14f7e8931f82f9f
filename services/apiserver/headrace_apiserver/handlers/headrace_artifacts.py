"""headrace.v1.Artifacts, our own public API: artifacts of all runs, and where they come from. Called by the gateway and gRPC."""

from __future__ import annotations

import asyncio
from typing import Any

from headrace_apiserver.backends import Backends
from headrace_apiserver.differing import differences
from headrace_protos.v1 import artifacts_pb2, lineage_pb2
from headrace_protos.v1.artifacts_pb2_grpc import ArtifactsServicer


class HeadraceArtifacts(ArtifactsServicer):
    """The handler object."""

    def __init__(self, backends: Backends) -> None:
        self._lineage = backends.lineage

    async def List(
        self, request: lineage_pb2.FindArtifactRecordsRequest, context: Any
    ) -> lineage_pb2.FindArtifactRecordsResponse:
        """Newest first."""
        found: lineage_pb2.FindArtifactRecordsResponse = await self._lineage.FindArtifactRecords(request)
        return found

    async def Get(self, request: lineage_pb2.GetArtifactRecordRequest, context: Any) -> lineage_pb2.ArtifactRecord:
        """With its uses."""
        found: lineage_pb2.ArtifactRecord = await self._lineage.GetArtifactRecord(request)
        return found

    async def Lineage(self, request: lineage_pb2.GetLineageRequest, context: Any) -> lineage_pb2.LineageGraph:
        """Up, down, or both."""
        found: lineage_pb2.LineageGraph = await self._lineage.GetLineage(request)
        return found

    async def Diff(
        self, request: artifacts_pb2.DiffArtifactsRequest, context: Any
    ) -> artifacts_pb2.DiffArtifactsResponse:
        """Each with what it was made of directly."""
        first, second = await asyncio.gather(
            *(
                self._lineage.GetLineage(
                    lineage_pb2.GetLineageRequest(
                        artifact_id=one, namespace=request.namespace, direction=lineage_pb2.UPSTREAM_OF, hops=1
                    )
                )
                for one in (request.first, request.second)
            )
        )
        return artifacts_pb2.DiffArtifactsResponse(differences=differences(first, second))
