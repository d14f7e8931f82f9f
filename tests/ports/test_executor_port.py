"""The executor port: what every executor promises the scheduler. A new executor joins `EXECUTORS`."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from builders.kubernetes_executors import over_memory
from builders.launches import Watched, launch, store_in, succeeded, watching
from headrace_companion.folder_store import FolderStore
from headrace_protos.v1 import events_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.process.executor import ProcessExecutor
from headrace_scheduler.executors.simulated.executor import SimulatedExecutor

EXECUTORS: dict[str, Callable[[Path, FolderStore], port.Executor]] = {
    "kubernetes": lambda home, store: over_memory(store),  # on a real cluster: tests/cluster
    "process": lambda home, store: ProcessExecutor(home, store, os.environ, grace_s=0.2),
    "simulated": lambda home, store: SimulatedExecutor(),
}


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return store_in(tmp_path)


@pytest.fixture(params=sorted(EXECUTORS))
def executor(request: pytest.FixtureRequest, tmp_path: Path, store: FolderStore) -> port.Executor:
    return EXECUTORS[request.param](tmp_path, store)


@pytest.fixture
async def watched(executor: port.Executor) -> AsyncIterator[Watched]:
    async with watching(executor) as one:
        yield one


async def test_an_attempt_is_launched_and_then_finished(watched: Watched, store: FolderStore) -> None:
    task = launch(store, "true")
    assert succeeded(await watched.run(task))
    mine = [fact for fact in watched.facts if fact.attempt == task.attempt and not isinstance(fact, port.Held)]
    # Launched comes a second time where user code runs later than the attempt exists.
    assert list(dict.fromkeys(type(fact) for fact in mine)) == [port.Launched, port.Finished]
    assert (await watched.launched(task.attempt)).handle


async def test_a_second_launch_has_no_effect(watched: Watched, store: FolderStore) -> None:
    task = launch(store, "true")
    await watched.executor.launch(task)
    await watched.executor.launch(task)
    assert succeeded(await watched.finished(task.attempt))
    assert len({fact.handle for fact in watched.facts if isinstance(fact, port.Launched)}) == 1


async def test_an_unknown_attempt_can_be_cancelled(watched: Watched) -> None:
    attempt = port.AttemptId(str(uuid.uuid4()), "task", 1)
    await watched.executor.cancel(attempt)
    assert (await watched.finished(attempt)).state == events_pb2.ATTEMPT_CANCELED


async def test_attempts_of_a_dead_platform_are_lost(executor: port.Executor) -> None:
    attempt = port.AttemptId(str(uuid.uuid4()), "task", 1)
    async with watching(executor, [(attempt, "1:1:")]) as watched:
        assert (await watched.finished(attempt)).state == events_pb2.ATTEMPT_LOST


async def test_a_launch_that_was_never_recorded_is_made_again(executor: port.Executor, store: FolderStore) -> None:
    task = launch(store, "true")
    async with watching(executor, [(task.attempt, "")]) as watched:
        assert succeeded(await watched.run(task))


def test_a_small_request_is_granted_as_it_is(executor: port.Executor) -> None:
    assert executor.place(port.Request()) == port.Placement(port.Request())
    assert executor.inventory()


async def test_what_an_image_is_may_not_be_known(executor: port.Executor) -> None:
    assert await executor.image_digest("not an image", "default", ()) == ""
