"""The client: both faces have their types, and a pipeline function is something to submit."""

# fmt: off

from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO, assert_type

from headrace import AsyncClient, Client, dsl
from headrace.async_client import AsyncArtifact, AsyncRun, AsyncTask
from headrace.client import Experiment, PipelineVersion, Raw, Run, Task, Tasks


@dsl.pipeline
def fitting(epochs: int) -> str:
    return str(epochs)


def blocking(client: Client) -> None:
    run = client.submit(fitting, epochs=3)
    assert_type(run, Run)
    assert_type(run.wait(timeout=1, check=True), Run)
    assert_type(run.state, str)
    assert_type(run.tasks, Tasks[Task])
    assert_type(run.tasks["train"], Task)
    assert_type(run.tasks["train"].logs(), Iterator[str])
    assert_type(run.artifacts[0].read(), bytes)
    assert_type(run.artifacts[0].open(), BinaryIO)
    assert_type(client.runs.list(limit=3), list[Run])
    assert_type(client.pipelines.get("p").latest, PipelineVersion)
    assert_type(client.experiments.create("e"), Experiment)
    client.submit(3)  # wrong: mypy[arg-type] plugin[arg-type] pyright[reportArgumentType]
    run.wait(timeot=1)  # wrong: mypy[call-arg] plugin[call-arg] pyright[reportCallIssue]
    client.runs.get()  # wrong: mypy[call-arg] plugin[call-arg] pyright[reportCallIssue]


async def asyncio(client: AsyncClient) -> None:
    run = await client.submit(fitting, epochs=3)
    assert_type(run, AsyncRun)
    assert_type(await run.wait(), AsyncRun)
    assert_type(await run.tasks, Tasks[AsyncTask])
    assert_type((await run.tasks)["train"].logs(), AsyncIterator[str])
    assert_type(await run.artifacts, list[AsyncArtifact])
    assert_type(await client.runs.list(limit=3), list[AsyncRun])
    async with client.with_raw() as raw:
        assert_type(raw, Raw)
    await client.submit(3)  # wrong: mypy[arg-type] plugin[arg-type] pyright[reportArgumentType]
    await run.wait(timeot=1)  # wrong: mypy[call-arg] plugin[call-arg] pyright[reportCallIssue]
