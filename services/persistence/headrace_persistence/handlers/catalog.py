"""headrace.v1.Catalog: experiments, pipelines and their versions."""

from __future__ import annotations

from typing import Any

from headrace_persistence.stores.experiments import Experiments
from headrace_persistence.stores.pipelines import Pipelines
from headrace_protos.v1 import catalog_pb2 as cat
from headrace_protos.v1 import catalog_pb2_grpc


class Catalog(catalog_pb2_grpc.CatalogServicer):
    """Each rpc is one call of a store."""

    def __init__(self, *, experiments: Experiments, pipelines: Pipelines) -> None:
        self._experiments, self._pipelines = experiments, pipelines

    async def CreateExperiment(self, request: cat.CreateExperimentRequest, context: Any) -> cat.Experiment:  # noqa: N802
        return await self._experiments.create(request)

    async def GetExperiment(self, request: cat.GetByIdRequest, context: Any) -> cat.Experiment:  # noqa: N802
        return await self._experiments.get(request.id)

    async def ListExperiments(self, request: cat.ListRequest, context: Any) -> cat.ListExperimentsResponse:  # noqa: N802
        return await self._experiments.list(request)

    async def SetExperimentStorageState(  # noqa: N802
        self, request: cat.SetExperimentStorageStateRequest, context: Any
    ) -> cat.Experiment:
        return await self._experiments.set_storage_state(request.experiment_id, request.storage_state)

    async def DeleteExperiment(self, request: cat.GetByIdRequest, context: Any) -> cat.DeleteResponse:  # noqa: N802
        await self._experiments.delete(request.id)
        return cat.DeleteResponse()

    async def CreatePipeline(self, request: cat.CreatePipelineRequest, context: Any) -> cat.CreatePipelineResponse:  # noqa: N802
        return await self._pipelines.create(request)

    async def GetPipeline(self, request: cat.GetByIdRequest, context: Any) -> cat.Pipeline:  # noqa: N802
        return await self._pipelines.get(request.id)

    async def GetPipelineByName(self, request: cat.GetByNameRequest, context: Any) -> cat.Pipeline:  # noqa: N802
        return await self._pipelines.get_by_name(request.namespace, request.name)

    async def ListPipelines(self, request: cat.ListRequest, context: Any) -> cat.ListPipelinesResponse:  # noqa: N802
        return await self._pipelines.list(request)

    async def UpdatePipeline(self, request: cat.UpdatePipelineRequest, context: Any) -> cat.Pipeline:  # noqa: N802
        return await self._pipelines.update(request)

    async def DeletePipeline(self, request: cat.DeletePipelineRequest, context: Any) -> cat.DeleteResponse:  # noqa: N802
        await self._pipelines.delete(request)
        return cat.DeleteResponse()

    async def CreatePipelineVersion(  # noqa: N802
        self, request: cat.CreatePipelineVersionRequest, context: Any
    ) -> cat.PipelineVersion:
        return await self._pipelines.create_version(request.version)

    async def GetPipelineVersion(self, request: cat.GetByIdRequest, context: Any) -> cat.PipelineVersion:  # noqa: N802
        return await self._pipelines.get_version(request.id)

    async def GetLatestPipelineVersion(self, request: cat.GetByIdRequest, context: Any) -> cat.PipelineVersion:  # noqa: N802
        return await self._pipelines.latest_version(request.id)

    async def ListPipelineVersions(self, request: cat.ListRequest, context: Any) -> cat.ListPipelineVersionsResponse:  # noqa: N802
        return await self._pipelines.list_versions(request)

    async def UpdatePipelineVersion(self, request: cat.UpdatePipelineRequest, context: Any) -> cat.PipelineVersion:  # noqa: N802
        return await self._pipelines.update_version(request)

    async def DeletePipelineVersion(self, request: cat.GetByIdRequest, context: Any) -> cat.DeleteResponse:  # noqa: N802
        await self._pipelines.delete_version(request.id)
        return cat.DeleteResponse()
