"""headrace.v1.Runs, our own public API: submit, validate, read, watch, logs, terminate, retry, resume, delete.

Called by the gateway and the gRPC server; what both APIs share is in submitting and specs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from headrace_apiserver.artifacts import bytes_of, files_of
from headrace_apiserver.backends import Backends
from headrace_apiserver.caching import caching_of, explain
from headrace_apiserver.following import follow_log
from headrace_apiserver.names import NAMESPACE, RUN_NAME, check_id, check_name, check_text
from headrace_apiserver.resuming import submission_of
from headrace_apiserver.specs import Compiled, compiled_file, compiled_text, parameters_of, parsed_texts
from headrace_apiserver.submitting import Submission, Submitter
from headrace_apiserver.values import value_of
from headrace_apiserver.watching import Watching
from headrace_protos.v1 import catalog_pb2, run_query_pb2, runs_pb2
from headrace_protos.v1.runs_pb2_grpc import RunsServicer
from headrace_servicekit.errors import Reason, ServiceError


class HeadraceRuns(RunsServicer):
    """The handler object."""

    def __init__(self, backends: Backends, submitter: Submitter, watching: Watching) -> None:
        self._backends, self._watching = backends, watching
        self._query = backends.run_query
        self._submitter = submitter

    async def Submit(self, request: runs_pb2.SubmitRequest, context: Any) -> run_query_pb2.Run:
        """Idempotent by request_id."""
        compiled, pipeline_id, version_id = await self._source(request)
        parameters = {
            **parameters_of(request.parameters_json),
            **parsed_texts(compiled.plan, request.text_parameters),
        }
        given = bool(request.parameters_json or request.text_parameters)
        submission = Submission(
            compiled=compiled,
            display_name=check_name("display_name", request.display_name or _named(compiled.name), RUN_NAME),
            description=check_text("description", request.description),
            parameters=parameters if given else None,
            artifacts=dict(request.root_artifacts),
            experiment_id=request.experiment_id,
            pipeline_id=pipeline_id,
            pipeline_version_id=version_id,
            pipeline_root=check_text("pipeline_root", request.pipeline_root),
            service_account=check_text("service_account", request.service_account),
            enable_cache=request.enable_cache if request.HasField("enable_cache") else None,
            request_id=request.request_id,
            caching=caching_of(compiled.plan, request.refresh, request.cache_max_age_s),
        )
        return await self._get(await self._submitter.create(submission))

    async def Validate(self, request: runs_pb2.ValidateRequest, context: Any) -> runs_pb2.ValidateResponse:
        """Problems are an answer here, not an error."""
        try:
            compiled = await _compiled(request.package, request.filename, request.spec_json)
        except ServiceError as wrong:
            if wrong.reason != Reason.INVALID_SPEC:
                raise
            problems = [runs_pb2.Problem(path=path, message=message) for path, message in wrong.details]
            return runs_pb2.ValidateResponse(problems=problems or [runs_pb2.Problem(message=wrong.message)])
        return runs_pb2.ValidateResponse(
            warnings=[*compiled.plan.warnings, *self._submitter.warnings(compiled.plan)],
            pipeline_name=compiled.name,
            tasks=sum(len(dag.tasks) for dag in compiled.plan.dags),
        )

    async def Get(self, request: run_query_pb2.GetRunRequest, context: Any) -> run_query_pb2.Run:
        """By id."""
        return await self._get(check_id("Run", request.run_id))

    async def List(self, request: run_query_pb2.ListRunsRequest, context: Any) -> run_query_pb2.ListRunsResponse:
        """Newest first unless the page says otherwise."""
        asked = run_query_pb2.ListRunsRequest()
        asked.CopyFrom(request)
        asked.namespace = NAMESPACE
        if not asked.page.sort_field:
            asked.page.sort_field, asked.page.descending = "created_at", True
        found: run_query_pb2.ListRunsResponse = await self._query.ListRuns(asked)
        return found

    async def Tasks(self, request: run_query_pb2.ListTasksRequest, context: Any) -> run_query_pb2.ListTasksResponse:
        """In order of creation."""
        request.run_id = check_id("Run", request.run_id)
        found: run_query_pb2.ListTasksResponse = await self._query.ListTasks(request)
        return found

    async def Artifacts(
        self, request: run_query_pb2.ListArtifactsRequest, context: Any
    ) -> run_query_pb2.ListArtifactsResponse:
        """What the run's tasks put out."""
        request.run_id = check_id("Run", request.run_id)
        found: run_query_pb2.ListArtifactsResponse = await self._query.ListArtifacts(request)
        return found

    async def Watch(
        self, request: run_query_pb2.WatchRequest, context: Any
    ) -> AsyncIterator[run_query_pb2.WatchResponse]:
        """Events, resumable by sequence number."""
        async with aclosing(self._watching.answers(request)) as answers:
            async for answer in answers:
                yield answer

    async def Logs(self, request: runs_pb2.LogsRequest, context: Any) -> AsyncIterator[runs_pb2.LogsResponse]:
        """Bytes of one attempt's log."""
        request.run_id = check_id("Run", request.run_id)
        async for chunk in follow_log(self._backends, request):
            yield chunk

    async def Value(self, request: runs_pb2.ValueRequest, context: Any) -> AsyncIterator[runs_pb2.ValueResponse]:
        """One parameter whole."""
        request.run_id = check_id("Run", request.run_id)
        async for chunk in value_of(self._backends, request):
            yield chunk

    async def ArtifactFiles(
        self, request: runs_pb2.ArtifactFilesRequest, context: Any
    ) -> AsyncIterator[runs_pb2.ArtifactFilesResponse]:
        """What an artifact consists of."""
        request.artifact.run_id = check_id("Run", request.artifact.run_id)
        async for page in files_of(self._backends, request.artifact):
            yield page

    async def ReadArtifact(
        self, request: runs_pb2.ReadArtifactRequest, context: Any
    ) -> AsyncIterator[runs_pb2.ReadArtifactResponse]:
        """Bytes of one of its files."""
        request.artifact.run_id = check_id("Run", request.artifact.run_id)
        async for chunk in bytes_of(self._backends, request):
            yield chunk

    async def Trace(self, request: run_query_pb2.GetTraceRequest, context: Any) -> run_query_pb2.GetTraceResponse:
        """The run's spans."""
        request.run_id = check_id("Run", request.run_id)
        found: run_query_pb2.GetTraceResponse = await self._query.GetTrace(request)
        return found

    async def Usage(self, request: run_query_pb2.RunUsageRequest, context: Any) -> run_query_pb2.RunUsageResponse:
        """Accelerator time by task and product."""
        request.run_id = check_id("Run", request.run_id)
        found: run_query_pb2.RunUsageResponse = await self._query.RunUsage(request)
        return found

    async def ExplainCache(self, request: runs_pb2.ExplainCacheRequest, context: Any) -> runs_pb2.ExplainCacheResponse:
        """Why a task was a hit or a miss."""
        request.run_id = check_id("Run", request.run_id)
        return await explain(self._backends, request)

    async def Terminate(self, request: runs_pb2.TerminateRunRequest, context: Any) -> run_query_pb2.Run:
        """CANCELING at once."""
        await self._submitter.terminate(request.run_id, run_exit_tasks=request.run_exit_tasks)
        return await self._get(check_id("Run", request.run_id))

    async def Retry(self, request: runs_pb2.RetryRunRequest, context: Any) -> run_query_pb2.Run:
        """What failed or was canceled runs again."""
        await self._submitter.retry(request.run_id)
        return await self._get(check_id("Run", request.run_id))

    async def Resume(self, request: runs_pb2.ResumeRequest, context: Any) -> run_query_pb2.Run:
        """A new run; idempotent by request_id."""
        return await self._get(await self._submitter.create(await submission_of(self._backends, request)))

    async def Delete(self, request: runs_pb2.DeleteRunRequest, context: Any) -> runs_pb2.DeleteRunResponse:
        """What still runs is ended first."""
        await self._submitter.delete(request.run_id)
        return runs_pb2.DeleteRunResponse()

    async def _get(self, run_id: str) -> run_query_pb2.Run:
        found: run_query_pb2.Run = await self._query.GetRun(run_query_pb2.GetRunRequest(run_id=run_id))
        return found

    async def _source(self, request: runs_pb2.SubmitRequest) -> tuple[Compiled, str, str]:
        if not request.pipeline_version_id:
            return await _compiled(request.package, request.filename, request.spec_json), "", ""
        if request.package or request.spec_json:
            raise ServiceError(Reason.INVALID_INPUT, "give one of package, spec_json and pipeline_version_id")
        version: catalog_pb2.PipelineVersion = await self._backends.catalog.GetPipelineVersion(
            catalog_pb2.GetByIdRequest(id=check_id("PipelineVersion", request.pipeline_version_id))
        )
        return await _compiled(b"", "", version.spec_json), version.pipeline_id, version.pipeline_version_id


async def _compiled(package: bytes, filename: str, spec_json: str) -> Compiled:
    if bool(package) == bool(spec_json):
        raise ServiceError(Reason.INVALID_INPUT, "give one of package, spec_json and pipeline_version_id")
    if package:
        return await asyncio.to_thread(compiled_file, package, filename or "pipeline.yaml")
    return await asyncio.to_thread(compiled_text, spec_json)


def _named(pipeline: str) -> str:
    return f"{pipeline} {datetime.now(UTC):%Y-%m-%d %H-%M-%S}"
