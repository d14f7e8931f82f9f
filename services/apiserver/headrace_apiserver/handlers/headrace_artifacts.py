"""headrace.v1.Artifacts, our own public API: artifacts of all runs, and where they come from. Called by the gateway and gRPC."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from headrace_apiserver.backends import Backends
from headrace_apiserver.differing import differences
from headrace_apiserver.figures import MEDIA, figures
from headrace_apiserver.tables import TYPES, table_of
from headrace_protos.v1 import artifacts_pb2, lineage_pb2, scheduler_pb2
from headrace_protos.v1.artifacts_pb2_grpc import ArtifactsServicer
from headrace_servicekit.errors import Reason, ServiceError

PREVIEW: Final = 65_536  # bytes
LARGEST_PREVIEW: Final = 1 << 20


class HeadraceArtifacts(ArtifactsServicer):
    """The handler object."""

    def __init__(self, backends: Backends) -> None:
        self._lineage = backends.lineage
        self._content = backends.artifacts

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

    async def CompareRuns(
        self, request: lineage_pb2.CompareRunsRequest, context: Any
    ) -> lineage_pb2.CompareRunsResponse:
        """By any of their figures."""
        found: lineage_pb2.CompareRunsResponse = await self._lineage.CompareRuns(request)
        return found

    async def Figures(self, request: artifacts_pb2.GetFiguresRequest, context: Any) -> artifacts_pb2.GetFiguresResponse:
        """As data; of a page or text its beginning."""
        if not 0 <= request.preview_bytes <= LARGEST_PREVIEW:
            sentence = f"preview_bytes is {request.preview_bytes}; give a number up to {LARGEST_PREVIEW:,}"
            raise ServiceError(Reason.INVALID_INPUT, sentence)
        asked = lineage_pb2.GetArtifactRecordRequest(artifact_id=request.artifact_id, namespace=request.namespace)
        found: lineage_pb2.ArtifactRecord = await self._lineage.GetArtifactRecord(asked)
        artifact = found.artifact
        made = figures(artifact.schema_title, artifact.metadata_json)
        media = MEDIA.get(artifact.schema_title)
        if media is None and artifact.schema_title not in TYPES:
            return made
        limit = request.preview_bytes or PREVIEW
        data = await self._beginning(artifact.uri, limit + 1)
        if data is not None and media is not None:
            text = data[:limit].decode("utf-8", "replace")
            made.preview.CopyFrom(artifacts_pb2.Preview(media_type=media, text=text, truncated=len(data) > limit))
        elif data is not None and (table := table_of(data[:limit], cut=len(data) > limit)) is not None:
            made.table.CopyFrom(table)
        return made

    async def _beginning(self, uri: str, limit: int) -> bytes | None:
        """None where the platform does not have it."""
        call = self._content.Read(scheduler_pb2.ReadRequest(uri=uri, limit=limit))
        try:
            return b"".join([answer.data async for answer in call])
        except ServiceError as missing:
            if missing.reason in (Reason.NOT_FOUND, Reason.INVALID_INPUT):
                return None
            raise
        finally:
            call.cancel()

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
