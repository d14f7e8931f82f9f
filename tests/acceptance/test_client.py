"""`headrace.Client` and `AsyncClient` on the real platform, in both topologies.

- a pipeline function, a component, a package, a file, bytes: each runs; arguments and artifacts of other runs go in
- waiting says what is waited for and what failed; logs are followed while they are written
- terminate, retry, resume, archive, delete; large artifacts and folders come whole
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.platforms import Platform
from headrace import AsyncClient, dsl
from headrace.client import Client
from headrace.compiler import Compiler
from headrace.dsl import Artifact, Dataset, Input, Output
from headrace.errors import NotFound, RunFailed, WaitTimeout, WrongState


@dsl.component
def work(name: str, folder: str) -> str:
    """Writes, waits for a file named go, and fails where there is one named fail."""
    import pathlib
    import time

    print(f"{name} begins", flush=True)
    while not (pathlib.Path(folder) / "go").exists():
        time.sleep(0.02)
    print(f"{name} ends", flush=True)
    if (pathlib.Path(folder) / "fail").exists():
        raise ValueError(f"{name} is to fail")
    return name.upper()


@dsl.component
def make(size: int, data: Output[Dataset], tree: Output[Artifact]):
    """A big file, and a folder."""
    import pathlib

    with open(data.path, "wb") as file:
        for start in range(0, size, 1000):
            file.write(b"%09d\n" % start * 100)
    below = pathlib.Path(tree.path) / "below" / "deeper"
    below.mkdir(parents=True)
    (below / "file").write_text("inside")


@dsl.component
def count(data: Input[Artifact]) -> int:
    """How many bytes it was given."""
    import os

    return os.path.getsize(data.path)


@dsl.pipeline(name="looping")
def looping(names: list[str], folder: str):
    """One task for each name."""
    with dsl.ParallelFor(names) as name:
        work(name=name, folder=folder)


@dsl.pipeline(name="counting")
def counting(data: Input[Artifact]) -> int:
    """Of another run's artifact."""
    return count(data=data).output


@pytest.fixture
def client(platform: Platform) -> Iterator[Client]:
    with Client(platform.url) as made:
        yield made


@pytest.fixture
def go(tmp_path: Path) -> Path:
    return tmp_path / "go"


def test_each_kind_of_source_runs(client: Client, tmp_path: Path, go: Path) -> None:
    go.touch()
    path = tmp_path / "work.yaml"
    Compiler().compile(work, str(path))
    for source in (work, path, str(path), path.read_bytes()):
        run = client.submit(source, name=f"{type(source).__name__}", folder=str(tmp_path)).wait(timeout=60)
        assert run.outputs["Output"] == type(source).__name__.upper()
    assert client.validate(work).problems == ()


def test_a_run_that_goes_on_says_so_and_is_followed(client: Client, tmp_path: Path, go: Path) -> None:
    run = client.submit(looping, names=["a", "b"], folder=str(tmp_path), enable_cache=False)
    following = run.logs(follow=True)
    begun = {str(next(following)), str(next(following))}
    assert begun == {"for-loop-1[0]/work  a begins", "for-loop-1[1]/work  b begins"}
    with pytest.raises(WaitTimeout, match=r"has not ended within 0\.2 s; it goes on"):
        run.wait(timeout=0.2)
    assert run.refresh().state == "RUNNING"
    assert run.tasks["for-loop-1[0]/work"].state == "RUNNING"
    with pytest.raises(WrongState):
        run.retry()
    go.touch()
    assert {str(line) for line in following} == {"for-loop-1[0]/work  a ends", "for-loop-1[1]/work  b ends"}
    assert run.wait(timeout=60).state == "SUCCEEDED"
    assert run.tasks["for-loop-1[1]/work"].outputs == {"Output": "B"}
    assert {span.path for span in run.trace.spans} >= {"for-loop-1", "for-loop-1[0]/work"}
    shown = run._repr_html_()
    assert "SUCCEEDED" in shown
    assert "for-loop-1" in shown


def test_a_run_that_failed_is_retried_and_resumed(client: Client, tmp_path: Path, go: Path) -> None:
    go.touch()
    (tmp_path / "fail").touch()
    run = client.submit(work, name="a", folder=str(tmp_path), enable_cache=False).wait(timeout=60)
    assert run.state == "FAILED"
    with pytest.raises(RunFailed) as caught:
        run.wait(check=True)
    assert (
        str(caught.value) == f"run {run.id} FAILED: work: UserError: exit code 1: ValueError: a is to fail; {run.url}"
    )
    (tmp_path / "fail").unlink()
    assert run.retry().wait(timeout=60, check=True).state == "SUCCEEDED"
    assert [one.number for one in run.tasks["work"].attempts] == [1, 2]
    assert list(run.tasks["work"].logs(attempt=1)) != list(run.tasks["work"].logs())
    other = run.resume(name="b").wait(timeout=60)
    assert (other.resumed_from, other.outputs["Output"]) == (run.id, "B")


def test_a_run_is_ended_hidden_and_deleted(client: Client, tmp_path: Path) -> None:
    run = client.submit(work, name="a", folder=str(tmp_path), display_name=f"mine {tmp_path}", enable_cache=False)
    assert run.terminate().state == "CANCELING"
    assert run.wait(timeout=60).state == "CANCELED"
    assert run.archive().archived
    assert run.id in [one.id for one in client.runs.list(archived=True, limit=0)]
    assert not run.unarchive().archived
    run.delete()
    with pytest.raises(NotFound):
        client.runs.get(run.id)


def test_artifacts_come_whole_and_go_into_other_runs(client: Client, tmp_path: Path) -> None:
    run = client.submit(make, size=3_000_000).wait(timeout=60, check=True)
    task = run.tasks["make"]
    data = task.outputs["data"]
    (file,) = data.files()
    whole = data.read()
    assert (len(whole), file.size) == (3_000_000, 3_000_000)
    assert data.digest == "sha256:" + hashlib.sha256(whole).hexdigest()
    assert data.download(tmp_path / "data").read_bytes() == whole
    with data.open() as reading:
        reading.seek(1_000_000)
        assert reading.read(10) == whole[1_000_000:1_000_010]
    tree = task.outputs["tree"]
    assert [one.name for one in tree.files()] == ["below/deeper/file"]
    assert (tree.download(tmp_path / "tree") / "below" / "deeper" / "file").read_text() == "inside"
    assert client.submit(counting, data=data).wait(timeout=60, check=True).outputs["Output"] == 3_000_000
    assert sorted(one.name for one in run.artifacts) == ["data", "tree"]


async def test_the_asyncio_face(platform: Platform, tmp_path: Path, go: Path) -> None:
    async with AsyncClient(platform.url) as client:
        runs = [await client.submit(work, name=str(n), folder=str(tmp_path), enable_cache=False) for n in range(4)]
        go.touch()
        await asyncio.gather(*(run.wait(timeout=60) for run in runs))
        assert [(await run.outputs)["Output"] for run in runs] == ["0", "1", "2", "3"]
        assert [line async for line in (await runs[0].tasks)["work"].logs()] == ["0 begins", "0 ends"]
        pipeline = await client.pipelines.upload(work, f"work-{uuid.uuid4()}")
        version = await pipeline.latest
        assert (await version.spec)["pipelineInfo"]["name"] == "work"
        again = await client.submit(version, name="again", folder=str(tmp_path))
        assert (await (await again.wait(timeout=60)).outputs)["Output"] == "AGAIN"
