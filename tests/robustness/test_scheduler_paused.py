"""A scheduler's process is stopped for longer than its session lives; one on another host takes its runs over; then the first
goes on. One of them wins each append, and what the first had started does not stay. Real processes, user code and sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from builders.specs import constant, container, pipeline
from fixtures import counting
from fixtures.platforms import HEADRACE, SERVICES, Platform, running
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_query_pb2_grpc
from headrace_servicekit.server import channel
from headrace_servicekit.settings import Settings

STUCK = 'echo "$0" >> "$1"; if mkdir "$1.$0"; then exec sleep 3000; fi'  # when it is run for the first time
AFTER, BESIDE = 6, 3


def stuck_then_quick(counter: Path) -> dict:
    """Tasks that hang where they are started first, and a chain after them."""
    arguments = ["{{$.inputs.parameters['name']}}", str(counter)]
    stuck = container(["sh", "-c", STUCK], arguments, inputs={"name": "STRING"})
    quick = container(["sh", "-c", 'echo "$0" >> "$1"; exec sleep 0.3'], arguments, inputs={"name": "STRING"})
    flow = pipeline("fought-over")
    for number in range(BESIDE):
        flow.task(f"stuck-{number}", stuck, {"name": constant(f"stuck-{number}")}, cache=False)
    before = [f"stuck-{number}" for number in range(BESIDE)]
    for number in range(AFTER):
        flow.task(f"quick-{number}", quick, {"name": constant(f"quick-{number}")}, after=before, cache=False)
        before = [f"quick-{number}"]
    return flow.build()


@contextlib.contextmanager
def another_scheduler(platform: Platform, folder: Path) -> Iterator[psutil.Popen]:
    """As on another host: its own HOME, the platform's persistence, cache and artifacts."""
    settings = Settings(home=platform.home)
    environment = {
        **platform.environment,
        "HEADRACE_HOME": str(folder / "b"),
        "HEADRACE_PERSISTENCE_ADDRESS": settings.address_of("persistence"),
        "HEADRACE_CACHE_ADDRESS": settings.address_of("cache"),
        "HEADRACE_ARTIFACT_ROOT": (platform.home / "artifacts").absolute().as_uri(),
    }
    (folder / "b").mkdir()
    log = folder / f"{platform.home.name}-another.log"
    with log.open("wb") as said:
        program = psutil.Popen([str(HEADRACE), "serve", "scheduler"], env=environment, stdout=said, stderr=said)
    try:
        yield program
    finally:
        program.terminate()
        program.wait(10)
    assert "Traceback" not in log.read_text(), log.read_text()[-3000:]


async def sequence(platform: Platform, run_id: str) -> list[int]:
    """The numbers of a run's events."""
    async with channel(Settings(home=platform.home).address_of("persistence")) as wire:
        watch = run_query_pb2_grpc.RunQueryStub(wire).Watch(rq.WatchRequest(run_id=run_id, follow=True))
        return [event.seq async for answer in watch for event in answer.events]


def hanging(program: psutil.Process) -> list[psutil.Process]:
    """User processes below a scheduler."""
    return [one for one in counting.living(program.children(recursive=True)) if "sleep" in one.name()]


def started(platform: Platform, run_id: str) -> int:
    """How many attempts the store knows to run: one whose start is not told is begun again under its number."""
    attempts = [one for task in counting.leaves(platform, run_id) for one in task.get("attempts", [])]
    return sum(one["state"] == "ATTEMPT_RUNNING" for one in attempts)


@pytest.mark.timeout(180)
def test_a_scheduler_that_was_stopped_leaves_the_run_to_another(tmp_path: Path):
    counter = tmp_path / "counter"
    counter.touch()
    with running("processes", tmp_path / "home") as platform:
        first = psutil.Process(platform.programs[SERVICES.index("scheduler")].pid)
        run_id = counting.submit(platform, stuck_then_quick(counter), tmp_path)
        counting.until("tasks that hang", lambda: len(hanging(first)) == BESIDE, platform)
        counting.until("what is known of them", lambda: started(platform, run_id) == BESIDE, platform)
        with another_scheduler(platform, tmp_path):
            os.kill(first.pid, signal.SIGSTOP)
            counting.until("the other one at work", lambda: "quick-1" in counter.read_text(), platform)
            assert len(hanging(first)) == BESIDE
            os.kill(first.pid, signal.SIGCONT)
            assert counting.wait_until_ended(platform, run_id) == "RUN_SUCCEEDED"
            counting.until("an end of what the first had started", lambda: not hanging(first), platform)
            second = counting.submit(platform, counting.counting(counter, wide=4, chain=2, seconds=0.1), tmp_path)
            assert counting.wait_until_ended(platform, second) == "RUN_SUCCEEDED"
        tasks = counting.leaves(platform, run_id)
        seqs = asyncio.run(sequence(platform, run_id))
        said = platform.log("scheduler")
    assert seqs == list(range(1, len(seqs) + 1))
    ran = counting.counted(counter)
    for task in tasks:
        states = [attempt["state"] for attempt in task["attempts"]]
        if task["path"].startswith("stuck"):
            assert states == ["ATTEMPT_LOST", "ATTEMPT_SUCCEEDED"], task["path"]
        # the shard may have come back to the first, as its fair share
        assert states[-1] == "ATTEMPT_SUCCEEDED", task["path"]
        assert "ATTEMPT_SUCCEEDED" not in states[:-1], f"{task['path']} ran again after its success was committed"
        assert 1 <= ran[task["path"]] <= len(states)
    assert "the session has expired" in said
    assert "Traceback" not in said, said[-3000:]
