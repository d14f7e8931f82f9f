"""KFP's PipelineService over Catalog, and the upload that the gateway's own routes call.

Called by the gateway and the gRPC server. Specs are read and checked in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.empty_pb2 import Empty

from headrace_apiserver import convert
from headrace_apiserver.backends import Backends
from headrace_apiserver.listing import PIPELINES, VERSIONS, page_of, token_of
from headrace_apiserver.names import (
    NAMESPACE,
    PIPELINE_NAME,
    VERSION_NAME,
    check_id,
    check_name,
    check_tags,
    check_text,
    unique,
)
from headrace_apiserver.rest import RestCall
from headrace_apiserver.specs import Compiled, compiled_document, compiled_file
from headrace_protos.kfp.v2beta1 import pipeline_pb2 as kfp
from headrace_protos.kfp.v2beta1.pipeline_pb2_grpc import PipelineServiceServicer
from headrace_protos.v1 import catalog_pb2
from headrace_servicekit.errors import Reason, ServiceError


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file and what the query says about it. `pipeline_id` is of upload_version only."""

    data: bytes
    filename: str
    name: str = ""
    display_name: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    code_source_url: str = ""
    pipeline_id: str = ""


class Pipelines(PipelineServiceServicer):
    """The handler object."""

    def __init__(self, backends: Backends) -> None:
        self._catalog = backends.catalog

    async def CreatePipeline(self, request: kfp.CreatePipelineRequest, context: Any) -> kfp.Pipeline:
        """Without a version."""
        pipeline = _pipeline(request.pipeline)
        return await self._create(pipeline, None)

    async def GetPipeline(self, request: kfp.GetPipelineRequest, context: Any) -> kfp.Pipeline:
        """By id."""
        return convert.pipeline(await self._catalog.GetPipeline(_by_id("Pipeline", request.pipeline_id)))

    async def GetPipelineByName(self, request: kfp.GetPipelineByNameRequest, context: Any) -> kfp.Pipeline:
        """By name, not display name."""
        name = check_name("Pipeline.Name", request.name, PIPELINE_NAME)
        return convert.pipeline(
            await self._catalog.GetPipelineByName(catalog_pb2.GetByNameRequest(namespace=NAMESPACE, name=name))
        )

    async def ListPipelines(self, request: kfp.ListPipelinesRequest, context: Any) -> kfp.ListPipelinesResponse:
        """One page."""
        page = page_of(request, PIPELINES)
        found = await self._catalog.ListPipelines(catalog_pb2.ListRequest(namespace=NAMESPACE, page=page))
        return kfp.ListPipelinesResponse(
            pipelines=[convert.pipeline(one) for one in found.pipelines],
            total_size=found.total,
            next_page_token=token_of(page, found.next, PIPELINES),
        )

    async def DeletePipeline(self, request: kfp.DeletePipelineRequest, context: Any) -> Empty:
        """Its versions go with it only if asked."""
        pipeline_id = check_id("Pipeline", request.pipeline_id)
        await self._catalog.DeletePipeline(
            catalog_pb2.DeletePipelineRequest(pipeline_id=pipeline_id, cascade=request.cascade)
        )
        return Empty()

    async def CreatePipelineAndVersion(
        self, request: kfp.CreatePipelineAndVersionRequest, context: Any
    ) -> kfp.Pipeline:
        """Both in one transaction; the version takes the pipeline's name and description."""
        pipeline = _pipeline(request.pipeline)
        compiled = await _inline(request.pipeline_version)
        version = _version_of(pipeline, compiled, request.pipeline_version.code_source_url)
        return await self._create(pipeline, version)

    async def CreatePipelineVersion(
        self, request: kfp.CreatePipelineVersionRequest, context: Any
    ) -> kfp.PipelineVersion:
        """Of a pipeline that exists."""
        asked = request.pipeline_version
        pipeline_id = check_id("Pipeline", request.pipeline_id or asked.pipeline_id)
        if asked.pipeline_id and asked.pipeline_id != pipeline_id:
            raise ServiceError(
                Reason.INVALID_INPUT,
                f"pipeline_id is {pipeline_id} in the path and {asked.pipeline_id} in the body; give the same",
            )
        name, display_name = _names("PipelineVersion.Name", asked.name, asked.display_name, VERSION_NAME)
        compiled = await _inline(asked)
        version = catalog_pb2.PipelineVersion(
            pipeline_id=pipeline_id,
            name=name,
            display_name=display_name,
            description=check_text("PipelineVersion.Description", asked.description),
            tags=check_tags(asked.tags),
            code_source_url=check_text("PipelineVersion.CodeSourceUrl", asked.code_source_url),
        )
        return await self._create_version(version, compiled)

    async def GetPipelineVersion(self, request: kfp.GetPipelineVersionRequest, context: Any) -> kfp.PipelineVersion:
        """With its spec."""
        return convert.version(await self.version(request.pipeline_id, request.pipeline_version_id))

    async def ListPipelineVersions(
        self, request: kfp.ListPipelineVersionsRequest, context: Any
    ) -> kfp.ListPipelineVersionsResponse:
        """One page, without specs."""
        page = page_of(request, VERSIONS)
        pipeline_id = check_id("Pipeline", request.pipeline_id)
        found = await self._catalog.ListPipelineVersions(
            catalog_pb2.ListRequest(namespace=NAMESPACE, pipeline_id=pipeline_id, page=page)
        )
        return kfp.ListPipelineVersionsResponse(
            pipeline_versions=[convert.version(one) for one in found.versions],
            total_size=found.total,
            next_page_token=token_of(page, found.next, VERSIONS),
        )

    async def DeletePipelineVersion(self, request: kfp.DeletePipelineVersionRequest, context: Any) -> Empty:
        """Runs made from it keep their copy of the spec."""
        version = await self.version(request.pipeline_id, request.pipeline_version_id)
        await self._catalog.DeletePipelineVersion(catalog_pb2.GetByIdRequest(id=version.pipeline_version_id))
        return Empty()

    async def UpdatePipeline(self, request: kfp.UpdatePipelineRequest, context: Any) -> kfp.Pipeline:
        """display_name where not empty, tags where given."""
        asked = request.pipeline
        update = _update("Pipeline", asked.pipeline_id, asked, PIPELINE_NAME, context)
        return convert.pipeline(await self._catalog.UpdatePipeline(update))

    async def UpdatePipelineVersion(
        self, request: kfp.UpdatePipelineVersionRequest, context: Any
    ) -> kfp.PipelineVersion:
        """display_name where not empty, tags where given."""
        asked = request.pipeline_version
        version = await self.version(asked.pipeline_id, asked.pipeline_version_id)
        update = _update("PipelineVersion", version.pipeline_version_id, asked, VERSION_NAME, context)
        return convert.version(await self._catalog.UpdatePipelineVersion(update))

    async def upload(self, upload: Upload) -> kfp.Pipeline:
        """A file as a new pipeline with its first version, which share name and description."""
        return convert.pipeline((await self.add(upload, await self._read(upload))).pipeline)

    async def add(self, upload: Upload, compiled: Compiled) -> catalog_pb2.CreatePipelineResponse:
        """The same of what is compiled already, with both ids."""
        name = upload.name or upload.display_name or upload.filename
        asked = kfp.Pipeline(
            name=name, display_name=upload.display_name, description=upload.description, tags=upload.tags
        )
        pipeline = _pipeline(asked)
        return await self._store(pipeline, _version_of(pipeline, compiled, upload.code_source_url))

    async def upload_version(self, upload: Upload) -> kfp.PipelineVersion:
        """A file as a new version of a pipeline."""
        check_id("Pipeline", upload.pipeline_id)  # before the work of reading
        return await self.add_version(upload, await self._read(upload))

    async def _read(self, upload: Upload) -> Compiled:
        return await asyncio.to_thread(compiled_file, upload.data, upload.filename)

    async def add_version(self, upload: Upload, compiled: Compiled) -> kfp.PipelineVersion:
        """The same of what is compiled already."""
        pipeline_id = check_id("Pipeline", upload.pipeline_id)
        given = upload.name or upload.display_name or upload.filename
        name, display_name = _names("PipelineVersion.Name", given, upload.display_name, VERSION_NAME)
        version = catalog_pb2.PipelineVersion(
            pipeline_id=pipeline_id,
            name=name,
            display_name=display_name,
            description=check_text("PipelineVersion.Description", upload.description),
            tags=check_tags(upload.tags),
            code_source_url=check_text("PipelineVersion.CodeSourceUrl", upload.code_source_url),
        )
        return await self._create_version(version, compiled)

    async def _create(
        self, pipeline: catalog_pb2.Pipeline, version: catalog_pb2.PipelineVersion | None
    ) -> kfp.Pipeline:
        return convert.pipeline((await self._store(pipeline, version)).pipeline)

    async def _store(
        self, pipeline: catalog_pb2.Pipeline, version: catalog_pb2.PipelineVersion | None
    ) -> catalog_pb2.CreatePipelineResponse:
        with unique(pipeline.name):
            request = catalog_pb2.CreatePipelineRequest(pipeline=pipeline, version=version)
            created: catalog_pb2.CreatePipelineResponse = await self._catalog.CreatePipeline(request)
        return created

    async def _create_version(self, version: catalog_pb2.PipelineVersion, compiled: Compiled) -> kfp.PipelineVersion:
        version.spec_json = compiled.spec_json
        version.plan = compiled.plan.SerializeToString(deterministic=True)
        request = catalog_pb2.CreatePipelineVersionRequest(version=version)
        with unique(version.name):
            created = await self._catalog.CreatePipelineVersion(request)
        return convert.version(created)

    async def version(self, pipeline_id: str, version_id: str) -> catalog_pb2.PipelineVersion:
        """A version; of another pipeline counts as not found."""
        wanted = check_id("Pipeline", pipeline_id)
        request = _by_id("PipelineVersion", version_id)
        found: catalog_pb2.PipelineVersion = await self._catalog.GetPipelineVersion(request)
        if found.pipeline_id != wanted:
            raise ServiceError(Reason.NOT_FOUND, f"PipelineVersion {version_id} not found in pipeline {pipeline_id}")
        return found


def _by_id(kind: str, given: str) -> catalog_pb2.GetByIdRequest:
    return catalog_pb2.GetByIdRequest(id=check_id(kind, given))


def _names(what: str, name: str, display_name: str, longest: int) -> tuple[str, str]:
    """Each defaults to the other."""
    return check_name(what, name or display_name, longest), check_name(what, display_name or name, longest)


def _pipeline(asked: kfp.Pipeline) -> catalog_pb2.Pipeline:
    name, display_name = _names("Pipeline.Name", asked.name, asked.display_name, PIPELINE_NAME)
    return catalog_pb2.Pipeline(
        namespace=NAMESPACE,
        name=name,
        display_name=display_name,
        description=check_text("Pipeline.Description", asked.description),
        tags=check_tags(asked.tags),
    )


def _version_of(
    pipeline: catalog_pb2.Pipeline, compiled: Compiled, code_source_url: str
) -> catalog_pb2.PipelineVersion:
    return catalog_pb2.PipelineVersion(
        name=pipeline.name,
        display_name=pipeline.display_name,
        description=pipeline.description,
        tags=dict(pipeline.tags),
        code_source_url=check_text("PipelineVersion.CodeSourceUrl", code_source_url),
        spec_json=compiled.spec_json,
        plan=compiled.plan.SerializeToString(deterministic=True),
    )


async def _inline(asked: kfp.PipelineVersion) -> Compiled:
    """KFP fetches package_url; a spec in the body works here, fetching comes later."""
    if asked.HasField("pipeline_spec"):
        return await asyncio.to_thread(compiled_document, convert.plain(asked.pipeline_spec))
    if asked.package_url.pipeline_url:
        raise ServiceError(
            Reason.NOT_IMPLEMENTED,
            "fetching a pipeline from package_url is not built yet; upload the file to /apis/v2beta1/pipelines/upload",
        )
    raise ServiceError(Reason.INVALID_INPUT, "pipeline_version has neither pipeline_spec nor package_url")


def _update(
    kind: str, given: str, asked: kfp.Pipeline | kfp.PipelineVersion, longest: int, context: Any
) -> catalog_pb2.UpdatePipelineRequest:
    """Empty tags clear what is there where they are known to be given, that is over REST."""
    given_tags = isinstance(context, RestCall) and "tags" in context.body_keys
    display_name = check_name(f"{kind}.DisplayName", asked.display_name, longest) if asked.display_name else ""
    return catalog_pb2.UpdatePipelineRequest(
        id=check_id(kind, given),
        display_name=display_name,
        set_tags=given_tags or bool(asked.tags),
        tags=check_tags(asked.tags),
    )
