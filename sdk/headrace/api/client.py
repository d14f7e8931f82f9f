"""AsyncClient: one platform, for asyncio.

async with AsyncClient() as client:
    run = await client.submit(train, epochs=3)
    await run.wait()
    print(await run.outputs)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from headrace.api.calls import Calls
from headrace.api.catalog import Catalog
from headrace.api.connection import Connection
from headrace.api.experiments import AsyncExperiment, AsyncExperiments, experiment_id_of
from headrace.api.pipelines import AsyncPipelines
from headrace.api.provenance import AsyncArtifacts
from headrace.api.raw import Raw, opened
from headrace.api.retention import AsyncRetention
from headrace.api.runs import AsyncRun, AsyncRuns
from headrace.api.sources import Source
from headrace.api.starting import Submittable, start_of
from headrace.api.watching import events
from headrace.models import Event, Validation


class AsyncClient:
    """One platform. ENDPOINT is its REST address; without it HEADRACE_ENDPOINT, then the platform that is up on this machine.
    NAMESPACE and TOKEN: without them HEADRACE_NAMESPACE and HEADRACE_TOKEN or HEADRACE_TOKEN_FILE; a Path is a file that is
    read again when it changes. The token goes out encrypted, or stays on this machine or in this cluster.
    """

    runs: AsyncRuns
    experiments: AsyncExperiments
    pipelines: AsyncPipelines
    artifacts: AsyncArtifacts
    retention: AsyncRetention

    def __init__(
        self, endpoint: str | None = None, *, namespace: str | None = None, token: str | Path | None = None
    ) -> None:
        self._connection = Connection(endpoint, namespace=namespace, token=token)
        self._calls = Calls(self._connection)
        catalog = Catalog(self._connection)
        self.runs = AsyncRuns(self._calls)
        self.experiments = AsyncExperiments(catalog)
        self.pipelines = AsyncPipelines(catalog)
        self.artifacts = AsyncArtifacts(self._connection)
        self.retention = AsyncRetention(self._connection)

    @property
    def namespace(self) -> str:
        """What its calls name; "" is the platform's own."""
        return self._connection.namespace

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connection back; the next call opens another."""
        await self._connection.close()

    async def submit(
        self,
        pipeline: Submittable,
        parameters: Mapping[str, Any] | None = None,
        *,
        experiment: str | AsyncExperiment = "",
        display_name: str = "",
        description: str = "",
        enable_cache: bool | None = None,
        pipeline_root: str = "",
        request_id: str = "",
        refresh: Sequence[str] = (),
        cache_max_age: float = 0.0,
        **arguments: Any,
    ) -> AsyncRun:
        """Create a run of PIPELINE: a pipeline function or component, a file's path or bytes, a spec, or a stored pipeline or
        version. Its arguments are given by name, or in PARAMETERS where a name is one of the options here. An artifact is given
        by its URI or as another run's artifact; EXPERIMENT by its name, and is created where there is none. The same REQUEST_ID
        creates one run. Tasks and groups that REFRESH names run whatever the cache has; others take results that are at most
        CACHE_MAX_AGE seconds old, where they say nothing themselves (0: of any age).

        InvalidParameters and InvalidSpec have every problem, and nothing is created then.
        """
        start = await start_of(pipeline, parameters, arguments)
        record = await self._calls.submit(
            start.source,
            start.parameters,
            root_artifacts=start.artifacts,
            pipeline_version_id=start.version_id,
            experiment_id=await experiment_id_of(self._connection, experiment),
            display_name=display_name,
            description=description,
            enable_cache=enable_cache,
            pipeline_root=pipeline_root,
            request_id=request_id,
            refresh=refresh,
            cache_max_age=cache_max_age,
        )
        return AsyncRun(self._calls, record)

    async def validate(self, pipeline: Source) -> Validation:
        """What the platform says of a pipeline, without creating anything."""
        return await self._calls.validate(pipeline)

    def events(
        self, *, after: int = 0, from_now: bool = False, kinds: Sequence[str] = (), follow: bool = True
    ) -> AsyncIterator[Event]:
        """What happens in all runs, each event once and in order: after the sequence number of an event, or FROM_NOW; of these
        KINDS alone, such as run_finished. With FOLLOW it goes on for ever.
        """
        return events(self._calls, after=after, from_now=from_now, kinds=kinds, follow=follow)

    @asynccontextmanager
    async def with_raw(self) -> AsyncIterator[Raw]:
        """The generated stubs, on a channel of their own with this client's token and deadlines:
        `async with client.with_raw() as raw`. Failed calls raise grpc's own errors.
        """
        async with opened(self._connection) as raw:
            yield raw

    def __repr__(self) -> str:
        found = self._connection.found
        return f"<Client {found.http if found else 'not connected yet'}>"
