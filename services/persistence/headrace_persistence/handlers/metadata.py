"""ml_metadata.MetadataStoreService: messages in, messages out; what they mean is in headrace_persistence.metadata."""

from __future__ import annotations

from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet

from headrace_persistence.metadata.finding import Finder
from headrace_persistence.metadata.kinds import ARTIFACT, CONTEXT, EXECUTION, Kind
from headrace_persistence.metadata.putting import Writer
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_protos.ml_metadata import metadata_store_service_pb2 as mss
from headrace_protos.ml_metadata import metadata_store_service_pb2_grpc as grpc_stubs
from headrace_servicekit.errors import Reason, ServiceError


class MetadataStore(grpc_stubs.MetadataStoreServiceServicer):
    """Each rpc is one transaction."""

    def __init__(self, *, finder: Finder, writer: Writer) -> None:
        self._find, self._write = finder, writer

    # ── types ──

    async def PutArtifactType(self, request: Any, context: Any) -> mss.PutArtifactTypeResponse:  # noqa: N802
        return mss.PutArtifactTypeResponse(type_id=await self._put_type(ARTIFACT, request, request.artifact_type))

    async def PutExecutionType(self, request: Any, context: Any) -> mss.PutExecutionTypeResponse:  # noqa: N802
        return mss.PutExecutionTypeResponse(type_id=await self._put_type(EXECUTION, request, request.execution_type))

    async def PutContextType(self, request: Any, context: Any) -> mss.PutContextTypeResponse:  # noqa: N802
        return mss.PutContextTypeResponse(type_id=await self._put_type(CONTEXT, request, request.context_type))

    async def PutTypes(self, request: mss.PutTypesRequest, context: Any) -> mss.PutTypesResponse:  # noqa: N802
        _check_rules(request)
        put: list[tuple[Kind, Any]] = [(ARTIFACT, one) for one in request.artifact_types]
        put += [(EXECUTION, one) for one in request.execution_types]
        put += [(CONTEXT, one) for one in request.context_types]
        ids = await self._write.types(put, add=request.can_add_fields, omit=request.can_omit_fields)
        artifacts, executions = len(request.artifact_types), len(request.execution_types)
        return mss.PutTypesResponse(
            artifact_type_ids=ids[:artifacts],
            execution_type_ids=ids[artifacts : artifacts + executions],
            context_type_ids=ids[artifacts + executions :],
        )

    async def _put_type(self, kind: Kind, request: Any, given: Any) -> int:
        _check_rules(request)
        (number,) = await self._write.types([(kind, given)], add=request.can_add_fields, omit=request.can_omit_fields)
        return number

    async def GetArtifactType(self, request: Any, context: Any) -> mss.GetArtifactTypeResponse:  # noqa: N802
        found = await self._find.type_named(ARTIFACT, request.type_name, request.type_version)
        return mss.GetArtifactTypeResponse(artifact_type=found)

    async def GetExecutionType(self, request: Any, context: Any) -> mss.GetExecutionTypeResponse:  # noqa: N802
        found = await self._find.type_named(EXECUTION, request.type_name, request.type_version)
        return mss.GetExecutionTypeResponse(execution_type=found)

    async def GetContextType(self, request: Any, context: Any) -> mss.GetContextTypeResponse:  # noqa: N802
        found = await self._find.type_named(CONTEXT, request.type_name, request.type_version)
        return mss.GetContextTypeResponse(context_type=found)

    async def GetArtifactTypes(self, request: Any, context: Any) -> mss.GetArtifactTypesResponse:  # noqa: N802
        return mss.GetArtifactTypesResponse(artifact_types=await self._find.all_types(ARTIFACT))

    async def GetExecutionTypes(self, request: Any, context: Any) -> mss.GetExecutionTypesResponse:  # noqa: N802
        return mss.GetExecutionTypesResponse(execution_types=await self._find.all_types(EXECUTION))

    async def GetContextTypes(self, request: Any, context: Any) -> mss.GetContextTypesResponse:  # noqa: N802
        return mss.GetContextTypesResponse(context_types=await self._find.all_types(CONTEXT))

    async def GetArtifactTypesByID(self, request: Any, context: Any) -> mss.GetArtifactTypesByIDResponse:  # noqa: N802
        return mss.GetArtifactTypesByIDResponse(artifact_types=await self._find.types(ARTIFACT, request.type_ids))

    async def GetExecutionTypesByID(self, request: Any, context: Any) -> mss.GetExecutionTypesByIDResponse:  # noqa: N802
        return mss.GetExecutionTypesByIDResponse(execution_types=await self._find.types(EXECUTION, request.type_ids))

    async def GetContextTypesByID(self, request: Any, context: Any) -> mss.GetContextTypesByIDResponse:  # noqa: N802
        return mss.GetContextTypesByIDResponse(context_types=await self._find.types(CONTEXT, request.type_ids))

    async def GetArtifactTypesByExternalIds(  # noqa: N802
        self, request: Any, context: Any
    ) -> mss.GetArtifactTypesByExternalIdsResponse:
        found = await self._find.types_by_external_id(ARTIFACT, request.external_ids)
        return mss.GetArtifactTypesByExternalIdsResponse(artifact_types=found)

    async def GetExecutionTypesByExternalIds(  # noqa: N802
        self, request: Any, context: Any
    ) -> mss.GetExecutionTypesByExternalIdsResponse:
        found = await self._find.types_by_external_id(EXECUTION, request.external_ids)
        return mss.GetExecutionTypesByExternalIdsResponse(execution_types=found)

    async def GetContextTypesByExternalIds(  # noqa: N802
        self, request: Any, context: Any
    ) -> mss.GetContextTypesByExternalIdsResponse:
        found = await self._find.types_by_external_id(CONTEXT, request.external_ids)
        return mss.GetContextTypesByExternalIdsResponse(context_types=found)

    # ── nodes ──

    async def PutArtifacts(self, request: mss.PutArtifactsRequest, context: Any) -> mss.PutArtifactsResponse:  # noqa: N802
        optimistic = request.options.abort_if_latest_updated_time_changed
        mask = request.update_mask.paths
        return mss.PutArtifactsResponse(
            artifact_ids=await self._write.nodes(ARTIFACT, request.artifacts, mask, optimistic=optimistic)
        )

    async def PutExecutions(self, request: mss.PutExecutionsRequest, context: Any) -> mss.PutExecutionsResponse:  # noqa: N802
        ids = await self._write.nodes(EXECUTION, request.executions, request.update_mask.paths)
        return mss.PutExecutionsResponse(execution_ids=ids)

    async def PutContexts(self, request: mss.PutContextsRequest, context: Any) -> mss.PutContextsResponse:  # noqa: N802
        ids = await self._write.nodes(CONTEXT, request.contexts, request.update_mask.paths)
        return mss.PutContextsResponse(context_ids=ids)

    async def GetArtifacts(self, request: mss.GetArtifactsRequest, context: Any) -> mss.GetArtifactsResponse:  # noqa: N802
        found, following = await self._find.page(ARTIFACT, _options(request))
        return mss.GetArtifactsResponse(artifacts=found, next_page_token=following or None)

    async def GetExecutions(self, request: mss.GetExecutionsRequest, context: Any) -> mss.GetExecutionsResponse:  # noqa: N802
        found, following = await self._find.page(EXECUTION, _options(request))
        return mss.GetExecutionsResponse(executions=found, next_page_token=following or None)

    async def GetContexts(self, request: mss.GetContextsRequest, context: Any) -> mss.GetContextsResponse:  # noqa: N802
        found, following = await self._find.page(CONTEXT, _options(request))
        return mss.GetContextsResponse(contexts=found, next_page_token=following or None)

    async def GetArtifactsByID(self, request: Any, context: Any) -> mss.GetArtifactsByIDResponse:  # noqa: N802
        if request.populate_artifact_types:
            found, types = await self._find.artifacts_with_types(request.artifact_ids)
            return mss.GetArtifactsByIDResponse(artifacts=found, artifact_types=types)
        return mss.GetArtifactsByIDResponse(artifacts=await self._find.nodes(ARTIFACT, request.artifact_ids))

    async def GetExecutionsByID(self, request: Any, context: Any) -> mss.GetExecutionsByIDResponse:  # noqa: N802
        return mss.GetExecutionsByIDResponse(executions=await self._find.nodes(EXECUTION, request.execution_ids))

    async def GetContextsByID(self, request: Any, context: Any) -> mss.GetContextsByIDResponse:  # noqa: N802
        return mss.GetContextsByIDResponse(contexts=await self._find.nodes(CONTEXT, request.context_ids))

    async def GetArtifactsByType(self, request: Any, context: Any) -> mss.GetArtifactsByTypeResponse:  # noqa: N802
        found, following = await self._of_type(ARTIFACT, request)
        return mss.GetArtifactsByTypeResponse(artifacts=found, next_page_token=following)

    async def GetExecutionsByType(self, request: Any, context: Any) -> mss.GetExecutionsByTypeResponse:  # noqa: N802
        found, following = await self._of_type(EXECUTION, request)
        return mss.GetExecutionsByTypeResponse(executions=found, next_page_token=following)

    async def GetContextsByType(self, request: Any, context: Any) -> mss.GetContextsByTypeResponse:  # noqa: N802
        found, following = await self._of_type(CONTEXT, request)
        return mss.GetContextsByTypeResponse(contexts=found, next_page_token=following)

    async def _of_type(self, kind: Kind, request: Any) -> tuple[list[Any], str | None]:
        options = _options(request)
        found, following = await self._find.of_type(kind, request.type_name, request.type_version, options)
        return found, following if options is not None else None

    async def GetArtifactByTypeAndName(self, request: Any, context: Any) -> mss.GetArtifactByTypeAndNameResponse:  # noqa: N802
        found = await self._find.named(ARTIFACT, request.type_name, request.type_version, request.artifact_name)
        return mss.GetArtifactByTypeAndNameResponse(artifact=found)

    async def GetExecutionByTypeAndName(  # noqa: N802
        self, request: Any, context: Any
    ) -> mss.GetExecutionByTypeAndNameResponse:
        found = await self._find.named(EXECUTION, request.type_name, request.type_version, request.execution_name)
        return mss.GetExecutionByTypeAndNameResponse(execution=found)

    async def GetContextByTypeAndName(self, request: Any, context: Any) -> mss.GetContextByTypeAndNameResponse:  # noqa: N802
        found = await self._find.named(CONTEXT, request.type_name, request.type_version, request.context_name)
        return mss.GetContextByTypeAndNameResponse(context=found)

    async def GetArtifactsByURI(self, request: Any, context: Any) -> mss.GetArtifactsByURIResponse:  # noqa: N802
        unknown: Any = UnknownFieldSet(request)
        if any(field.field_number == 1 for field in unknown):
            raise ServiceError(Reason.INVALID_INPUT, "the field `uri` is of clients before 0.22: ask for `uris`")
        return mss.GetArtifactsByURIResponse(artifacts=await self._find.at(request.uris))

    async def GetArtifactsByExternalIds(  # noqa: N802
        self, request: Any, context: Any
    ) -> mss.GetArtifactsByExternalIdsResponse:
        found = await self._find.by_external_id(ARTIFACT, request.external_ids)
        return mss.GetArtifactsByExternalIdsResponse(artifacts=found)

    async def GetExecutionsByExternalIds(  # noqa: N802
        self, request: Any, context: Any
    ) -> mss.GetExecutionsByExternalIdsResponse:
        found = await self._find.by_external_id(EXECUTION, request.external_ids)
        return mss.GetExecutionsByExternalIdsResponse(executions=found)

    async def GetContextsByExternalIds(self, request: Any, context: Any) -> mss.GetContextsByExternalIdsResponse:  # noqa: N802
        found = await self._find.by_external_id(CONTEXT, request.external_ids)
        return mss.GetContextsByExternalIdsResponse(contexts=found)

    # ── what connects nodes ──

    async def PutEvents(self, request: mss.PutEventsRequest, context: Any) -> mss.PutEventsResponse:  # noqa: N802
        await self._write.events(request.events)
        return mss.PutEventsResponse()

    async def PutExecution(self, request: mss.PutExecutionRequest, context: Any) -> mss.PutExecutionResponse:  # noqa: N802
        return await self._write.execution(request)

    async def PutLineageSubgraph(  # noqa: N802
        self, request: mss.PutLineageSubgraphRequest, context: Any
    ) -> mss.PutLineageSubgraphResponse:
        return await self._write.subgraph(request)

    async def PutAttributionsAndAssociations(  # noqa: N802
        self, request: Any, context: Any
    ) -> mss.PutAttributionsAndAssociationsResponse:
        await self._write.belongings(request.attributions, request.associations)
        return mss.PutAttributionsAndAssociationsResponse()

    async def PutParentContexts(self, request: Any, context: Any) -> mss.PutParentContextsResponse:  # noqa: N802
        await self._write.parents(request.parent_contexts)
        return mss.PutParentContextsResponse()

    async def GetEventsByExecutionIDs(self, request: Any, context: Any) -> mss.GetEventsByExecutionIDsResponse:  # noqa: N802
        found = await self._find.events(EXECUTION, request.execution_ids)
        return mss.GetEventsByExecutionIDsResponse(events=found)

    async def GetEventsByArtifactIDs(self, request: Any, context: Any) -> mss.GetEventsByArtifactIDsResponse:  # noqa: N802
        return mss.GetEventsByArtifactIDsResponse(events=await self._find.events(ARTIFACT, request.artifact_ids))

    async def GetContextsByArtifact(self, request: Any, context: Any) -> mss.GetContextsByArtifactResponse:  # noqa: N802
        found = await self._find.contexts_of(ARTIFACT, request.artifact_id)
        return mss.GetContextsByArtifactResponse(contexts=found)

    async def GetContextsByExecution(self, request: Any, context: Any) -> mss.GetContextsByExecutionResponse:  # noqa: N802
        found = await self._find.contexts_of(EXECUTION, request.execution_id)
        return mss.GetContextsByExecutionResponse(contexts=found)

    async def GetArtifactsByContext(self, request: Any, context: Any) -> mss.GetArtifactsByContextResponse:  # noqa: N802
        found, following = await self._find.of_context(ARTIFACT, request.context_id, _options(request))
        return mss.GetArtifactsByContextResponse(artifacts=found, next_page_token=following or None)

    async def GetExecutionsByContext(self, request: Any, context: Any) -> mss.GetExecutionsByContextResponse:  # noqa: N802
        found, following = await self._find.of_context(EXECUTION, request.context_id, _options(request))
        return mss.GetExecutionsByContextResponse(executions=found, next_page_token=following or None)

    async def GetParentContextsByContext(  # noqa: N802
        self, request: Any, context: Any
    ) -> mss.GetParentContextsByContextResponse:
        found = await self._find.relatives([request.context_id], above=True)
        return mss.GetParentContextsByContextResponse(contexts=found.get(request.context_id))

    async def GetChildrenContextsByContext(  # noqa: N802
        self, request: Any, context: Any
    ) -> mss.GetChildrenContextsByContextResponse:
        found = await self._find.relatives([request.context_id], above=False)
        return mss.GetChildrenContextsByContextResponse(contexts=found.get(request.context_id))

    async def GetParentContextsByContexts(  # noqa: N802
        self, request: Any, context: Any
    ) -> mss.GetParentContextsByContextsResponse:
        told = mss.GetParentContextsByContextsResponse()
        for number, found in (await self._relatives(request, above=True)).items():
            told.contexts[number].parent_contexts.extend(found)
        return told

    async def GetChildrenContextsByContexts(  # noqa: N802
        self, request: Any, context: Any
    ) -> mss.GetChildrenContextsByContextsResponse:
        told = mss.GetChildrenContextsByContextsResponse()
        for number, found in (await self._relatives(request, above=False)).items():
            told.contexts[number].children_contexts.extend(found)
        return told

    async def _relatives(self, request: Any, *, above: bool) -> dict[int, list[Any]]:
        if not request.context_ids:
            raise ServiceError(Reason.INVALID_INPUT, "context_ids is empty; name at least one context")
        return await self._find.relatives(request.context_ids, above=above)

    # ── lineage ──

    async def GetLineageSubgraph(  # noqa: N802
        self, request: mss.GetLineageSubgraphRequest, context: Any
    ) -> mss.GetLineageSubgraphResponse:
        found = await self._find.subgraph(request.lineage_subgraph_query_options, request.read_mask.paths)
        return mss.GetLineageSubgraphResponse(lineage_subgraph=found)

    async def GetLineageGraph(self, request: mss.GetLineageGraphRequest, context: Any) -> mss.GetLineageGraphResponse:  # noqa: N802
        raise ServiceError(
            Reason.NOT_IMPLEMENTED, "GetLineageGraph was given up by ML Metadata: use GetLineageSubgraph"
        )


def _options(request: Any) -> ms.ListOperationOptions | None:
    return request.options if request.HasField("options") else None


def _check_rules(request: Any) -> None:
    if not request.all_fields_match:
        raise ServiceError(Reason.NOT_IMPLEMENTED, "all_fields_match cannot be false: use can_omit_fields")
