"""KFP's RunService over RunStore and RunQuery. Called by the gateway and the gRPC server."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct

from headrace_apiserver import convert, convert_runs
from headrace_apiserver.backends import Backends
from headrace_apiserver.listing import RUNS, page_of, token_of
from headrace_apiserver.names import NAMESPACE, RUN_NAME, check_id, check_name, check_text
from headrace_apiserver.specs import Compiled, compiled_document, compiled_text
from headrace_apiserver.submitting import Submission, Submitter
from headrace_ir.values import Value
from headrace_protos.kfp.v2beta1 import run_pb2 as kfp
from headrace_protos.kfp.v2beta1.run_pb2_grpc import RunServiceServicer
from headrace_protos.v1 import catalog_pb2, run_query_pb2, run_store_pb2
from headrace_servicekit.errors import Reason, ServiceError

TASK_DETAILS: Final = 2_000  # in a run's answer, those created first; our own API has them all, in pages


class Runs(RunServiceServicer):
    """The handler object."""

    def __init__(self, backends: Backends, submitter: Submitter) -> None:
        self._backends = backends
        self._submitter = submitter

    async def CreateRun(self, request: kfp.CreateRunRequest, context: Any) -> kfp.Run:
        """Everything is checked before anything is stored."""
        asked = request.run
        if asked.plugins_input or asked.plugins_output:
            raise ServiceError(Reason.NOT_IMPLEMENTED, "plugins_input and plugins_output are not built; leave them out")
        display_name = check_name("Run.DisplayName", asked.display_name, RUN_NAME)
        compiled, pipeline_id, version_id = await self._source(asked)
        submission = Submission(
            compiled=compiled,
            display_name=display_name,
            description=check_text("Run.Description", asked.description),
            parameters=_parameters(asked),
            experiment_id=asked.experiment_id or request.experiment_id,
            pipeline_id=pipeline_id,
            pipeline_version_id=version_id,
            pipeline_root=check_text("runtime_config.pipeline_root", asked.runtime_config.pipeline_root),
            service_account=check_text("Run.ServiceAccount", asked.service_account),
            scheduled_at_us=convert.time_us(asked.scheduled_at),
        )
        run_id = await self._submitter.create(submission)
        found = await self._backends.run_query.GetRun(run_query_pb2.GetRunRequest(run_id=run_id))
        return convert_runs.run(found, compiled.spec_json)

    async def GetRun(self, request: kfp.GetRunRequest, context: Any) -> kfp.Run:
        """With its tasks, and with its spec where that came inline."""
        run_id = check_id("Run", request.run_id)
        found: run_query_pb2.Run = await self._backends.run_query.GetRun(run_query_pb2.GetRunRequest(run_id=run_id))
        spec_json = ""
        if not found.pipeline_id and not found.pipeline_version_id:
            spec = await self._backends.run_query.GetSpec(run_query_pb2.GetSpecRequest(run_id=run_id))
            spec_json = spec.spec_json
        return convert_runs.run(found, spec_json, await self._tasks(run_id))

    async def ListRuns(self, request: kfp.ListRunsRequest, context: Any) -> kfp.ListRunsResponse:
        """One page, without specs and tasks."""
        page = page_of(request, RUNS)
        asked = run_query_pb2.ListRunsRequest(namespace=NAMESPACE, page=page)
        if request.experiment_id:
            asked.experiment_id = check_id("Experiment", request.experiment_id)
            await self._backends.catalog.GetExperiment(catalog_pb2.GetByIdRequest(id=asked.experiment_id))
        found = await self._backends.run_query.ListRuns(asked)
        return kfp.ListRunsResponse(
            runs=[convert_runs.run(one) for one in found.runs],
            total_size=found.total,
            next_page_token=token_of(page, found.next, RUNS),
        )

    async def ArchiveRun(self, request: kfp.ArchiveRunRequest, context: Any) -> Empty:
        """A run that is archived goes on running."""
        return await self._set_storage_state(request.run_id, run_store_pb2.StorageState.ARCHIVED)

    async def UnarchiveRun(self, request: kfp.UnarchiveRunRequest, context: Any) -> Empty:
        """Refused while its experiment is archived."""
        return await self._set_storage_state(request.run_id, run_store_pb2.StorageState.AVAILABLE)

    async def DeleteRun(self, request: kfp.DeleteRunRequest, context: Any) -> Empty:
        """What still runs is ended first."""
        await self._submitter.delete(request.run_id)
        return Empty()

    async def TerminateRun(self, request: kfp.TerminateRunRequest, context: Any) -> Empty:
        """Reads as CANCELING at once."""
        await self._submitter.terminate(request.run_id)
        return Empty()

    async def RetryRun(self, request: kfp.RetryRunRequest, context: Any) -> Empty:
        """What failed runs again."""
        await self._submitter.retry(request.run_id)
        return Empty()

    async def _set_storage_state(self, run_id: str, state: run_store_pb2.StorageState.ValueType) -> Empty:
        request = run_store_pb2.SetStorageStateRequest(run_id=check_id("Run", run_id), storage_state=state)
        await self._backends.run_store.SetStorageState(request)
        return Empty()

    async def _tasks(self, run_id: str) -> list[run_query_pb2.Task]:
        """The first ones: clients ask for the run every few seconds, and of 100,000 tasks the answer would be 120 MB."""
        request = run_query_pb2.ListTasksRequest(run_id=run_id, page_size=TASK_DETAILS)
        found: run_query_pb2.ListTasksResponse = await self._backends.run_query.ListTasks(request)
        return list(found.tasks)

    async def _source(self, asked: kfp.Run) -> tuple[Compiled, str, str]:
        """The spec and, where it is a version's, the ids of pipeline and version."""
        kind = asked.WhichOneof("pipeline_source")
        if kind == "pipeline_spec":
            document = convert.plain(asked.pipeline_spec)
            return await asyncio.to_thread(compiled_document, document), "", ""
        if kind == "pipeline_version_reference":
            reference = asked.pipeline_version_reference
            version = await self._version(reference.pipeline_id, reference.pipeline_version_id)
        elif kind == "pipeline_version_id":
            version = await self._version("", asked.pipeline_version_id)
        else:
            raise ServiceError(
                Reason.INVALID_INPUT, "the run has no source; give pipeline_spec or pipeline_version_reference"
            )
        # A version was checked when it was stored; it is compiled again so that a new release's Plan is used.
        compiled = await asyncio.to_thread(compiled_text, version.spec_json)
        return compiled, version.pipeline_id, version.pipeline_version_id

    async def _version(self, pipeline_id: str, version_id: str) -> catalog_pb2.PipelineVersion:
        catalog = self._backends.catalog
        if not version_id:
            request = catalog_pb2.GetByIdRequest(id=check_id("Pipeline", pipeline_id))
            newest: catalog_pb2.PipelineVersion = await catalog.GetLatestPipelineVersion(request)
            return newest
        request = catalog_pb2.GetByIdRequest(id=check_id("PipelineVersion", version_id))
        found: catalog_pb2.PipelineVersion = await catalog.GetPipelineVersion(request)
        if pipeline_id and found.pipeline_id != check_id("Pipeline", pipeline_id):
            raise ServiceError(
                Reason.INVALID_INPUT,
                f"PipelineVersion {version_id} is not of Pipeline {pipeline_id} but of {found.pipeline_id}",
            )
        return found


def _parameters(asked: kfp.Run) -> dict[str, Value] | None:
    """None where no runtime_config was given, so that the answer leaves it out too."""
    if not asked.HasField("runtime_config"):
        return None
    return convert.plain(Struct(fields=dict(asked.runtime_config.parameters)))
