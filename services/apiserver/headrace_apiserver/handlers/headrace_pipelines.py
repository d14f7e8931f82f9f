"""headrace.v1.Pipelines: uploading a package over gRPC, and a version's spec as it was stored.

All else about pipelines is KFP's PipelineService (`pipelines`), whose work this does too. Called by the gRPC server.
"""

from __future__ import annotations

import asyncio
from typing import Any

from headrace_apiserver.handlers.pipelines import Pipelines, Upload
from headrace_apiserver.specs import Compiled, compiled_file, compiled_text
from headrace_protos.v1 import pipelines_pb2
from headrace_protos.v1.pipelines_pb2_grpc import PipelinesServicer
from headrace_servicekit.errors import Reason, ServiceError


class HeadracePipelines(PipelinesServicer):
    """The handler object."""

    def __init__(self, pipelines: Pipelines) -> None:
        self._pipelines = pipelines

    async def Upload(self, request: pipelines_pb2.UploadRequest, context: Any) -> pipelines_pb2.UploadResponse:
        """A pipeline with its first version, or one more version."""
        compiled = await asyncio.to_thread(_compiled, request)
        upload = Upload(
            data=b"",
            filename=request.filename or compiled.name,
            name=request.name,
            display_name=request.display_name,
            description=request.description,
            tags=dict(request.tags),
            code_source_url=request.code_source_url,
            pipeline_id=request.pipeline_id,
        )
        if request.pipeline_id:
            version = await self._pipelines.add_version(upload, compiled)
            return pipelines_pb2.UploadResponse(
                pipeline_id=version.pipeline_id, pipeline_version_id=version.pipeline_version_id
            )
        created = await self._pipelines.add(upload, compiled)
        return pipelines_pb2.UploadResponse(
            pipeline_id=created.pipeline.pipeline_id, pipeline_version_id=created.version.pipeline_version_id
        )

    async def Spec(self, request: pipelines_pb2.VersionSpecRequest, context: Any) -> pipelines_pb2.VersionSpecResponse:
        """As it was stored."""
        version = await self._pipelines.version(request.pipeline_id, request.pipeline_version_id)
        return pipelines_pb2.VersionSpecResponse(spec_json=version.spec_json)


def _compiled(request: pipelines_pb2.UploadRequest) -> Compiled:
    if bool(request.package) == bool(request.spec_json):
        raise ServiceError(Reason.INVALID_INPUT, "give one of package and spec_json")
    if request.package:
        return compiled_file(request.package, request.filename or "pipeline.yaml")
    return compiled_text(request.spec_json)
