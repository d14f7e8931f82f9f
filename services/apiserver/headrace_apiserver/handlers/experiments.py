"""KFP's ExperimentService over Catalog. Called by the gateway and the gRPC server."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.empty_pb2 import Empty

from headrace_apiserver import convert
from headrace_apiserver.backends import Backends
from headrace_apiserver.listing import EXPERIMENTS, page_of, token_of
from headrace_apiserver.names import EXPERIMENT_NAME, NAMESPACE, check_id, check_name, check_text, unique
from headrace_protos.kfp.v2beta1 import experiment_pb2 as kfp
from headrace_protos.kfp.v2beta1.experiment_pb2_grpc import ExperimentServiceServicer
from headrace_protos.v1 import catalog_pb2
from headrace_protos.v1.run_store_pb2 import StorageState

DEFAULT_NAME: Final = "Default"
DEFAULT_DESCRIPTION: Final = "Runs that were created without naming an experiment."


class Experiments(ExperimentServiceServicer):
    """The handler object."""

    def __init__(self, backends: Backends) -> None:
        self._catalog = backends.catalog

    async def CreateExperiment(self, request: kfp.CreateExperimentRequest, context: Any) -> kfp.Experiment:
        """The name must be free."""
        asked = request.experiment
        experiment = catalog_pb2.Experiment(
            namespace=NAMESPACE,
            display_name=check_name("Experiment.Name", asked.display_name, EXPERIMENT_NAME),
            description=check_text("Experiment.Description", asked.description),
        )
        with unique(experiment.display_name):
            created = await self._catalog.CreateExperiment(catalog_pb2.CreateExperimentRequest(experiment=experiment))
        return convert.experiment(created)

    async def GetExperiment(self, request: kfp.GetExperimentRequest, context: Any) -> kfp.Experiment:
        """By id."""
        return convert.experiment(await self._catalog.GetExperiment(_by_id(request.experiment_id)))

    async def ListExperiments(self, request: kfp.ListExperimentsRequest, context: Any) -> kfp.ListExperimentsResponse:
        """One page."""
        page = page_of(request, EXPERIMENTS)
        found = await self._catalog.ListExperiments(catalog_pb2.ListRequest(namespace=NAMESPACE, page=page))
        return kfp.ListExperimentsResponse(
            experiments=[convert.experiment(one) for one in found.experiments],
            total_size=found.total,
            next_page_token=token_of(page, found.next, EXPERIMENTS),
        )

    async def ArchiveExperiment(self, request: kfp.ArchiveExperimentRequest, context: Any) -> Empty:
        """With all its runs."""
        return await self._set_storage_state(request.experiment_id, StorageState.ARCHIVED)

    async def UnarchiveExperiment(self, request: kfp.UnarchiveExperimentRequest, context: Any) -> Empty:
        """Without its runs."""
        return await self._set_storage_state(request.experiment_id, StorageState.AVAILABLE)

    async def DeleteExperiment(self, request: kfp.DeleteExperimentRequest, context: Any) -> Empty:
        """Its runs stay."""
        await self._catalog.DeleteExperiment(_by_id(request.experiment_id))
        return Empty()

    async def _set_storage_state(self, experiment_id: str, state: StorageState.ValueType) -> Empty:
        await self._catalog.SetExperimentStorageState(
            catalog_pb2.SetExperimentStorageStateRequest(
                experiment_id=check_id("Experiment", experiment_id), storage_state=state
            )
        )
        return Empty()


async def default_experiment(backends: Backends) -> str:
    """The id of the experiment that runs without one belong to; created on first need."""
    experiment = catalog_pb2.Experiment(namespace=NAMESPACE, display_name=DEFAULT_NAME, description=DEFAULT_DESCRIPTION)
    request = catalog_pb2.CreateExperimentRequest(experiment=experiment, get_or_create=True)
    found: catalog_pb2.Experiment = await backends.catalog.CreateExperiment(request)
    return found.experiment_id


def _by_id(experiment_id: str) -> catalog_pb2.GetByIdRequest:
    return catalog_pb2.GetByIdRequest(id=check_id("Experiment", experiment_id))
