"""What can be asked of a platform about runs, asyncio, on plain records (headrace.models). No objects, no display.

Under AsyncClient's objects, and what the CLI speaks.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Final, Literal

from headrace.api.arguments import encoded
from headrace.api.connection import Connection
from headrace.api.run_calls import RunCalls
from headrace.api.sources import Source, fields_of
from headrace.errors import PlatformUnreachable, WaitTimeout
from headrace.finding import Address
from headrace.models import (
    Artifact,
    ArtifactFile,
    CacheAnswer,
    NamespaceUsage,
    Node,
    Progress,
    Run,
    Task,
    Trace,
    Usage,
    Validation,
    ValueReference,
)

PATIENCE: Final = 60.0  # seconds that wait() goes on asking a platform that does not answer
PAUSE: Final = 0.25  # seconds between two tries


class Calls:
    """One platform's runs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.runs = RunCalls(connection)

    @classmethod
    def to(cls, endpoint: str | None) -> Calls:
        """The platform at this REST address; without one the settings, then the platform that is up on this machine."""
        return cls(Connection(endpoint))

    @classmethod
    def at(cls, address: Address) -> Calls:
        """A platform whose addresses are known."""
        connection = Connection(address.http)
        connection.found = address
        return cls(connection)

    async def __aenter__(self) -> Calls:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()

    async def submit(
        self,
        package: Source | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        filename: str = "",
        text_parameters: Mapping[str, str] | None = None,
        root_artifacts: Mapping[str, str] | None = None,
        enable_cache: bool | None = None,
        display_name: str = "",
        description: str = "",
        experiment_id: str = "",
        pipeline_version_id: str = "",
        pipeline_root: str = "",
        request_id: str = "",
        refresh: Sequence[str] = (),
        cache_max_age: float = 0.0,
    ) -> Run:
        """Create a run of PACKAGE: a pipeline function, a path, a file's bytes or a spec. TEXT_PARAMETERS are parsed by their
        declared types. What REFRESH names (`train`, `for-loop-1`) runs whatever the cache has; other tasks take results that
        are at most CACHE_MAX_AGE seconds old, where they say nothing themselves (0: of any age).
        """
        from headrace_protos.v1 import runs_pb2

        request = runs_pb2.SubmitRequest(
            namespace=self.connection.namespace,
            pipeline_version_id=pipeline_version_id,
            display_name=display_name,
            description=description,
            experiment_id=experiment_id,
            text_parameters=dict(text_parameters or {}),
            root_artifacts=dict(root_artifacts or {}),
            pipeline_root=pipeline_root,
            request_id=request_id,
            refresh=refresh,
            cache_max_age_s=cache_max_age,
        )
        return await self._create("Submit", request, await fields_of(package, filename), parameters, enable_cache)

    async def resume(
        self,
        run_id: str,
        package: Source | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        from_tasks: Sequence[str] = (),
        filename: str = "",
        text_parameters: Mapping[str, str] | None = None,
        root_artifacts: Mapping[str, str] | None = None,
        enable_cache: bool | None = None,
        display_name: str = "",
        description: str = "",
        experiment_id: str = "",
        pipeline_version_id: str = "",
        pipeline_root: str = "",
        request_id: str = "",
    ) -> Run:
        """Create a run that goes on from one that has ended: what SUCCEEDED there and is the same here is linked, the rest runs,
        and so does what FROM_TASKS name (`train`, `for-loop-1[3]/train`, `for-loop-1`) with all that follows it. What is not
        given is as it was there.
        """
        from headrace_protos.v1 import runs_pb2

        request = runs_pb2.ResumeRequest(
            run_id=run_id,
            from_tasks=list(from_tasks),
            pipeline_version_id=pipeline_version_id,
            display_name=display_name,
            description=description,
            experiment_id=experiment_id,
            text_parameters=dict(text_parameters or {}),
            root_artifacts=dict(root_artifacts or {}),
            pipeline_root=pipeline_root,
            request_id=request_id,
        )
        return await self._create("Resume", request, await fields_of(package, filename), parameters, enable_cache)

    async def _create(
        self,
        method: str,
        request: Any,
        source: Mapping[str, Any],
        parameters: Mapping[str, Any] | None,
        enable_cache: bool | None,
    ) -> Run:
        """What all ways to create a run have in common; SOURCE are the fields that say what runs."""
        from headrace import reading

        for name, value in source.items():
            setattr(request, name, value)
        request.request_id = request.request_id or str(uuid.uuid4())
        if parameters:
            request.parameters_json = encoded(parameters)
        if enable_cache is not None:
            request.enable_cache = enable_cache
        return reading.run(await self.call(method, request))

    async def validate(self, package: Source, *, filename: str = "") -> Validation:
        """Check PACKAGE without creating anything."""
        from headrace import reading
        from headrace_protos.v1 import runs_pb2

        return reading.validation(
            await self.call("Validate", runs_pb2.ValidateRequest(**await fields_of(package, filename)))
        )

    async def tasks(self, run_id: str, *, limit: int = 0) -> list[Task]:
        """The run's tasks in order of creation, without the run's own root; LIMIT 0 = all."""
        from headrace import reading
        from headrace_protos.v1 import run_query_pb2

        page_size = min(limit + 1, 1_000) if limit else 1_000  # the root comes along
        request = run_query_pb2.ListTasksRequest(run_id=run_id, page_size=page_size)
        found: list[Task] = []
        while True:
            page = await self.call("Tasks", request)
            found += [reading.task(one) for one in page.tasks if one.path]
            if not page.next_after_id or (limit and len(found) >= limit):
                return found[: limit or None]
            request.after_id = page.next_after_id

    async def artifacts(self, run_id: str) -> list[Artifact]:
        """What the run's tasks put out, in order of creation."""
        from headrace import reading
        from headrace_protos.v1 import run_query_pb2

        answer = await self.call("Artifacts", run_query_pb2.ListArtifactsRequest(run_id=run_id))
        return [reading.artifact(one.artifact, one.path, one.name, one.index) for one in answer.artifacts]

    async def task(self, run_id: str, path: str) -> Task | None:
        """One task by its path."""
        from headrace import reading
        from headrace_protos.v1 import run_query_pb2

        page = await self.call("Tasks", run_query_pb2.ListTasksRequest(run_id=run_id, path=path, page_size=1))
        return reading.task(page.tasks[0]) if page.tasks else None

    async def artifact_files(self, run_id: str, artifact: Artifact, *, given: bool = False) -> list[ArtifactFile]:
        """The files that it consists of. GIVEN: it is an input of its task."""
        from headrace_protos.v1 import runs_pb2

        request = runs_pb2.ArtifactFilesRequest(artifact=_reference(run_id, artifact, given))
        async with self.stream("ArtifactFiles", request) as answers:
            return [ArtifactFile(one.name, one.size) async for answer in answers for one in answer.files]

    async def artifact_bytes(
        self, run_id: str, artifact: Artifact, file: str = "", *, offset: int = 0, limit: int = 0, given: bool = False
    ) -> AsyncIterator[bytes]:
        """Bytes of one of its files, in chunks."""
        from headrace_protos.v1 import runs_pb2

        request = runs_pb2.ReadArtifactRequest(
            artifact=_reference(run_id, artifact, given), file=file, offset=offset, limit=limit
        )
        async with self.stream("ReadArtifact", request) as answers:
            async for answer in answers:
                yield answer.data

    async def trace(self, run_id: str) -> Trace:
        """The run's spans, its critical path and its time by cause."""
        from headrace import traces
        from headrace_protos.v1 import run_query_pb2

        return traces.trace(await self.call("Trace", run_query_pb2.GetTraceRequest(run_id=run_id)))

    async def explain_cache(self, run_id: str, task: str) -> CacheAnswer:
        """Why a task took a result from before, or did not."""
        from headrace import reading
        from headrace_protos.v1 import runs_pb2

        request = runs_pb2.ExplainCacheRequest(run_id=run_id, path=task)
        return reading.cache_answer(await self.call("ExplainCache", request))

    async def usage(self, run_id: str) -> Usage:
        """The run's accelerator time."""
        from headrace import using
        from headrace_protos.v1 import run_query_pb2

        return using.usage(await self.call("Usage", run_query_pb2.RunUsageRequest(run_id=run_id)))

    async def namespace_usage(self, namespace: str = "", *, since: str = "", until: str = "") -> NamespaceUsage:
        """Accelerator time of a namespace ("" = all) between two days (2026-01-31, UTC), both with it."""
        from headrace import using
        from headrace_protos.v1 import run_query_pb2

        request = run_query_pb2.NamespaceUsageRequest(namespace=namespace, from_day=since, to_day=until)
        return using.namespace_usage(await self.connection.call("Cluster", "Usage", request))

    async def nodes(self) -> list[Node]:
        """What runs tasks, by name."""
        from headrace import using
        from headrace_protos.v1 import cluster_pb2

        answer = await self.connection.call("Cluster", "Nodes", cluster_pb2.NodesRequest())
        return [using.node(one) for one in answer.nodes]

    async def logs(
        self, run_id: str, task: str, *, attempt: int = 0, offset: int = 0, follow: bool = False
    ) -> AsyncIterator[bytes]:
        """The log of a task's attempt (0 = the last), as the bytes that it wrote; with FOLLOW until the attempt has ended, and a
        broken connection is taken up where it broke.
        """
        from headrace_protos.v1 import runs_pb2

        request = runs_pb2.LogsRequest(run_id=run_id, path=task, attempt=attempt, offset=offset, follow=follow)
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while True:
            try:
                async with self.stream("Logs", request) as answers:
                    async for answer in answers:
                        heard = loop.time()
                        request.offset += len(answer.data)
                        request.attempt = answer.attempt  # another one may have begun since
                        yield answer.data
                return
            except PlatformUnreachable:
                if not follow or loop.time() - heard > PATIENCE:
                    raise
            await asyncio.sleep(PAUSE)

    async def value(
        self, run_id: str, name: str, *, task: str = "", side: Literal["output", "input"] = "output"
    ) -> Any:
        """One parameter of the run, or of a TASK in it; also where other answers have a ValueReference for it."""
        from headrace_protos.v1 import runs_pb2

        request = runs_pb2.ValueRequest(run_id=run_id, path=task, name=name, input=side == "input")
        async with self.stream("Value", request) as answers:
            return json.loads(b"".join([answer.data async for answer in answers]))

    async def outputs(self, run: Run) -> dict[str, Any]:
        """The run's outputs whole: what a ValueReference stands for is read."""
        return {
            name: await self.value(run.run_id, name) if isinstance(value, ValueReference) else value
            for name, value in run.outputs.items()
        }

    async def watch(self, run_id: str, *, after: int = 0) -> AsyncIterator[Progress]:
        """The run as it goes on, until it has ended. A broken connection is taken up where it broke. AFTER: the events up to
        this one are left out, and so is what only they tell of.
        """
        from headrace.api.watching import answers
        from headrace.folding import Folding
        from headrace_protos.v1 import run_query_pb2

        folding = Folding(run_id, seq=after)
        request = run_query_pb2.WatchRequest(run_id=run_id, after_seq=after, follow=True)
        async with aclosing(answers(self, request)) as found:
            async for answer in found:
                yield folding.add(answer.events, answer.state)

    async def wait(
        self, run_id: str, *, progress: Callable[[Progress], None] | None = None, timeout: float | None = None
    ) -> Run:
        """The run once it has ended; PROGRESS is called with every change. WaitTimeout after TIMEOUT seconds; the run goes on."""
        try:
            async with asyncio.timeout(timeout):
                after = 0
                if progress is None:  # nobody looks at what has been
                    run = await self.runs.get(run_id)
                    if run.ended:
                        return run
                    after = run.revision
                async for seen in self.watch(run_id, after=after):
                    if progress is not None:
                        progress(seen)
        except TimeoutError:
            raise WaitTimeout(f"run {run_id} has not ended within {timeout:g} s; it goes on") from None
        return await self.runs.get(run_id)

    async def call(self, method: str, request: Any) -> Any:
        """An rpc of headrace.v1.Runs."""
        return await self.connection.call("Runs", method, request)

    def stream(self, method: str, request: Any) -> AbstractAsyncContextManager[Any]:
        """The same of one that answers with a stream."""
        return self.connection.stream("Runs", method, request)


def _reference(run_id: str, artifact: Artifact, given: bool) -> Any:
    from headrace_protos.v1 import runs_pb2

    return runs_pb2.ArtifactRef(
        run_id=run_id, path=artifact.task, name=artifact.name, index=artifact.index, input=given
    )
