"""headrace.v1.Lineage: artifacts across runs, for the apiserver."""

from __future__ import annotations

from typing import Any

from headrace_persistence.lineage.comparing import Comparison
from headrace_persistence.lineage.finding import Records
from headrace_persistence.lineage.walking import Walker
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_protos.v1 import lineage_pb2_grpc


class Lineage(lineage_pb2_grpc.LineageServicer):
    """Each rpc is one read."""

    def __init__(self, *, records: Records, walker: Walker, comparison: Comparison) -> None:
        self._records, self._walker, self._comparison = records, walker, comparison

    async def FindArtifactRecords(  # noqa: N802
        self, request: pb.FindArtifactRecordsRequest, context: Any
    ) -> pb.FindArtifactRecordsResponse:
        return await self._records.find(request)

    async def GetArtifactRecord(self, request: pb.GetArtifactRecordRequest, context: Any) -> pb.ArtifactRecord:  # noqa: N802
        return await self._records.get(request)

    async def CompareRuns(self, request: pb.CompareRunsRequest, context: Any) -> pb.CompareRunsResponse:  # noqa: N802
        return await self._comparison.compare(request)

    async def GetLineage(self, request: pb.GetLineageRequest, context: Any) -> pb.LineageGraph:  # noqa: N802
        return await self._walker.walk(request)
