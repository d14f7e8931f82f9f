"""The client: a platform's runs over gRPC, asyncio. `headrace.Client` is the same without `await`.

    async with AsyncClient() as client:
        run = await client.submit("pipeline.yaml", {"epochs": 3})
        run = await client.wait(run.run_id)

gRPC and protobuf are loaded with the first call.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from headrace.errors import BadInput, PlatformUnreachable, WaitTimeout
from headrace.finding import Address, find
from headrace.models import RUN_ENDED, Artifact, Progress, Run, Task, Trace, Validation

if TYPE_CHECKING:
    import grpc

    from headrace.compiler.package import Package as CompiledPackage
    from headrace.dsl.components import Component

Package: TypeAlias = "str | Path | bytes | Mapping[str, Any] | CompiledPackage | Component"
DEADLINE: Final = 60.0  # seconds for one call; streams have none
PATIENCE: Final = 60.0  # seconds that wait() goes on asking a platform that does not answer
PAUSE: Final = 0.25  # seconds between two tries


class AsyncClient:
    """One platform. ENDPOINT is its REST address; without it the settings, then the platform that is up on this machine."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint
        self._address: Address | None = None
        self._channel: grpc.aio.Channel | None = None
        self._opening = asyncio.Lock()
        self.runs = AsyncRuns(self)

    @classmethod
    def at(cls, address: Address) -> AsyncClient:
        """For a platform whose addresses are known."""
        client = cls(address.http)
        client._address = address
        return client

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connection back; the next call opens another."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close(None)

    async def address(self) -> Address:
        """The platform's addresses, found once."""
        if self._address is None:
            self._address = await asyncio.to_thread(find, self._endpoint)
        return self._address

    async def submit(
        self,
        package: Package | None = None,
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
    ) -> Run:
        """Create a run of PACKAGE: a pipeline function, a path, a file's bytes or a spec. TEXT_PARAMETERS are parsed by their
        declared types.
        """
        from headrace_protos.v1 import runs_pb2

        request = runs_pb2.SubmitRequest(
            pipeline_version_id=pipeline_version_id,
            display_name=display_name,
            description=description,
            experiment_id=experiment_id,
            text_parameters=dict(text_parameters or {}),
            root_artifacts=dict(root_artifacts or {}),
            pipeline_root=pipeline_root,
            request_id=request_id,
        )
        return await self._create("Submit", request, await _source(package, filename), parameters, enable_cache)

    async def resume(
        self,
        run_id: str,
        package: Package | None = None,
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
        return await self._create("Resume", request, await _source(package, filename), parameters, enable_cache)

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
            request.parameters_json = json.dumps(dict(parameters))
        if enable_cache is not None:
            request.enable_cache = enable_cache
        return reading.run(await self._call(method, request))

    async def validate(self, package: Package, *, filename: str = "") -> Validation:
        """Check PACKAGE without creating anything."""
        from headrace import reading
        from headrace_protos.v1 import runs_pb2

        return reading.validation(
            await self._call("Validate", runs_pb2.ValidateRequest(**await _source(package, filename)))
        )

    async def tasks(self, run_id: str) -> list[Task]:
        """Every task of the run, in order of creation; without the run's own root."""
        from headrace import reading
        from headrace_protos.v1 import run_query_pb2

        request = run_query_pb2.ListTasksRequest(run_id=run_id, page_size=1_000)
        found: list[Task] = []
        while True:
            page = await self._call("Tasks", request)
            found += [reading.task(one) for one in page.tasks if one.path]
            if not page.next_after_id:
                return found
            request.after_id = page.next_after_id

    async def artifacts(self, run_id: str) -> list[Artifact]:
        """What the run's tasks put out, in order of creation."""
        from headrace import reading
        from headrace_protos.v1 import run_query_pb2

        answer = await self._call("Artifacts", run_query_pb2.ListArtifactsRequest(run_id=run_id))
        return [reading.artifact(one.artifact, one.path) for one in answer.artifacts]

    async def trace(self, run_id: str) -> Trace:
        """The run's spans."""
        from headrace import reading
        from headrace_protos.v1 import run_query_pb2

        return reading.trace(await self._call("Trace", run_query_pb2.GetTraceRequest(run_id=run_id)))

    async def logs(
        self, run_id: str, task: str, *, attempt: int = 0, offset: int = 0, follow: bool = False
    ) -> AsyncIterator[bytes]:
        """The log of a task's attempt (0 = the last), as the bytes that it wrote; with FOLLOW until the attempt has ended."""
        from headrace_protos.v1 import runs_pb2

        request = runs_pb2.LogsRequest(run_id=run_id, path=task, attempt=attempt, offset=offset, follow=follow)
        async with self._stream("Logs", request) as answers:
            async for answer in answers:
                yield answer.data

    async def value(
        self, run_id: str, name: str, *, task: str = "", side: Literal["output", "input"] = "output"
    ) -> Any:
        """One parameter of the run, or of a TASK in it; also where other answers have a ValueReference for it."""
        import json

        from headrace_protos.v1 import runs_pb2

        request = runs_pb2.ValueRequest(run_id=run_id, path=task, name=name, input=side == "input")
        async with self._stream("Value", request) as answers:
            return json.loads(b"".join([answer.data async for answer in answers]))

    async def outputs(self, run: Run) -> dict[str, Any]:
        """The run's outputs whole: what a ValueReference stands for is read."""
        from headrace.models import ValueReference

        return {
            name: await self.value(run.run_id, name) if isinstance(value, ValueReference) else value
            for name, value in run.outputs.items()
        }

    async def watch(self, run_id: str) -> AsyncIterator[Progress]:
        """The run as it goes on, until it has ended. A broken connection is taken up where it broke."""
        from headrace.folding import Folding
        from headrace_protos.v1 import run_query_pb2

        folding, loop = Folding(run_id), asyncio.get_running_loop()
        heard = loop.time()
        while True:
            request = run_query_pb2.WatchRequest(run_id=run_id, after_seq=folding.seq, follow=True)
            try:
                async with self._stream("Watch", request) as answers:
                    async for answer in answers:
                        heard = loop.time()
                        yield folding.add(answer.events, answer.state)
                if folding.state in RUN_ENDED:
                    return
            except PlatformUnreachable:
                if loop.time() - heard > PATIENCE:
                    raise
            await asyncio.sleep(PAUSE)

    async def wait(
        self, run_id: str, *, progress: Callable[[Progress], None] | None = None, timeout: float | None = None
    ) -> Run:
        """The run once it has ended; PROGRESS is called with every change. WaitTimeout after TIMEOUT seconds; the run goes on."""
        try:
            async with asyncio.timeout(timeout):
                async for seen in self.watch(run_id):
                    if progress is not None:
                        progress(seen)
        except TimeoutError:
            raise WaitTimeout(f"run {run_id} has not ended within {timeout:g} s; it goes on") from None
        return await self.runs.get(run_id)

    async def _stub(self) -> Any:
        from headrace.calling import open_channel
        from headrace_protos.v1.runs_pb2_grpc import RunsStub

        async with self._opening:
            if self._channel is None:
                address = await self.address()
                self._channel = open_channel(address.grpc, secure=address.secure)
            return RunsStub(self._channel)

    async def _call(self, method: str, request: Any) -> Any:
        import grpc

        from headrace.calling import from_call

        stub = await self._stub()
        try:
            return await getattr(stub, method)(request, timeout=DEADLINE)
        except grpc.aio.AioRpcError as failed:
            raise from_call(failed, (await self.address()).grpc) from None

    @asynccontextmanager
    async def _stream(self, method: str, request: Any) -> AsyncIterator[Any]:
        import grpc

        from headrace.calling import from_call

        call = getattr(await self._stub(), method)(request)
        try:
            yield call
        except grpc.aio.AioRpcError as failed:
            raise from_call(failed, (await self.address()).grpc) from None
        finally:
            call.cancel()


class AsyncRuns:
    """`client.runs`: reading and steering runs."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def get(self, run_id: str) -> Run:
        """The run with this id."""
        from headrace_protos.v1 import run_query_pb2

        return await self._run("Get", run_query_pb2.GetRunRequest(run_id=run_id))

    async def list(self, *, limit: int = 20, experiment_id: str = "") -> list[Run]:
        """The newest runs first; LIMIT 0 = all."""
        from headrace import reading
        from headrace_protos.v1 import run_query_pb2

        page = run_query_pb2.Page(size=min(limit or 200, 200), sort_field="created_at", descending=True)
        request = run_query_pb2.ListRunsRequest(experiment_id=experiment_id, page=page)
        found: list[Run] = []
        while True:
            answer = await self._client._call("List", request)
            found += [reading.run(one) for one in answer.runs]
            if not answer.HasField("next") or (limit and len(found) >= limit):
                return found[: limit or None]
            request.page.first_value, request.page.first_id = answer.next.first_value, answer.next.first_id

    async def terminate(self, run_id: str, *, run_exit_tasks: bool = False) -> Run:
        """End the run: CANCELING at once, CANCELED when its tasks have ended. With RUN_EXIT_TASKS, exit tasks of the groups that
        are open run first; a second call without it ends those too.
        """
        from headrace_protos.v1 import runs_pb2

        return await self._run("Terminate", runs_pb2.TerminateRunRequest(run_id=run_id, run_exit_tasks=run_exit_tasks))

    async def retry(self, run_id: str) -> Run:
        """Run again what failed or was canceled, in the same run."""
        from headrace_protos.v1 import runs_pb2

        return await self._run("Retry", runs_pb2.RetryRunRequest(run_id=run_id))

    async def delete(self, run_id: str) -> None:
        """End what is running, then delete the run."""
        from headrace_protos.v1 import runs_pb2

        await self._client._call("Delete", runs_pb2.DeleteRunRequest(run_id=run_id))

    async def _run(self, method: str, request: Any) -> Run:
        from headrace import reading

        return reading.run(await self._client._call(method, request))


async def _source(package: Package | None, filename: str = "") -> dict[str, Any]:
    """The fields of a request that say what runs."""
    if package is None:
        return {}
    if isinstance(package, bytes):
        return {"package": package, "filename": filename or "pipeline.yaml"}
    if isinstance(package, Mapping):
        return {"spec_json": json.dumps(package)}
    if not isinstance(package, str | Path):
        return {"spec_json": json.dumps(_documents(package))}
    path = Path(package)
    return {"package": await asyncio.to_thread(read_package, path), "filename": filename or path.name}


def _documents(given: CompiledPackage | Component) -> Mapping[str, Any]:
    """Both documents under their names, or the spec alone."""
    from headrace.compiler.package import Package as Compiled

    compiled = (
        given if isinstance(given, Compiled) else getattr(getattr(given, "implementation", None), "package", None)
    )
    if not isinstance(compiled, Compiled):
        raise BadInput(
            f"{type(given).__name__} is no pipeline; give a function decorated with @dsl.pipeline, a path, "
            "the file's bytes or a spec"
        )
    if compiled.platform is None:
        return compiled.spec
    return {"pipeline_spec": compiled.spec, "platform_spec": compiled.platform}


def read_package(path: Path) -> bytes:
    """The file's bytes, or BadInput with a sentence."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"there is no file {path}") from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a folder; give a pipeline file: IR YAML or JSON, zip or tar.gz") from None
    except (OSError, ValueError) as failed:
        raise BadInput(f"cannot read {path}: {getattr(failed, 'strerror', None) or failed}") from None
    if not data:
        raise BadInput(f"{path} is empty; give a pipeline file: IR YAML or JSON, zip or tar.gz")
    return data
