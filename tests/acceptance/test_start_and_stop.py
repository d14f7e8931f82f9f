"""A platform starts and ends when asked to, in both topologies, with asyncio's debug mode watching its loops.

It is ready and it has ended within ten seconds each, whatever runs; no process of it is left, user code's included; no
traceback, no coroutine that nobody awaited and no call that held a loop up is in its logs; at the next start runs go on.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from builders.specs import container, pipeline
from corpus import driving
from fixtures.platforms import ENDS_WITHIN_S, HEADRACE, TOPOLOGIES, Platform, faults_in_logs, running
from fixtures.polling import eventually

HELLO = Path(__file__).resolve().parents[2] / "examples" / "hello" / "pipeline.yaml"
DEBUG = {"PYTHONASYNCIODEBUG": "1"}
STARTS_WITHIN_S = 30.0


def sleeping(folder: Path, said: Path) -> Path:
    """A pipeline whose one task writes its number to SAID and sleeps, with a child that does the same."""
    script = f"echo sleeping; echo $$ >> {said}; sh -c 'echo $$ >> {said}; sleep 600' & wait"
    file = folder / "sleeping.json"
    file.write_text(json.dumps(pipeline("sleeping").task("work", container(["sh", "-c", script])).build()))
    return file


def submit(platform: Platform, file: Path) -> str:
    said = driving.command("run", str(file), "--no-wait", "-o", "json", "--endpoint", platform.url)
    assert said.code == 0, said.stderr
    run_id: str = json.loads(said.stdout)["run_id"]
    return run_id


def numbers(said: Path, count: int) -> list[int]:
    """The process numbers in SAID once there are COUNT of them."""
    eventually(lambda: len(said.read_text().split()) >= count)
    return [int(one) for one in said.read_text().split()]


def processes_of(platform: Platform) -> list[psutil.Process]:
    own = [psutil.Process(pid) for pid in platform.pids]
    return own + [child for one in own for child in one.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_it_starts_and_ends_and_goes_on(topology: str, tmp_path: Path) -> None:
    home, said = tmp_path / "home", tmp_path / "said"
    said.touch()
    begun = time.monotonic()
    with running(topology, home, **DEBUG) as platform:
        assert time.monotonic() - begun < STARTS_WITHIN_S
        assert driving.command("run", str(HELLO), "--endpoint", platform.url).code == 0
        run_id = submit(platform, sleeping(tmp_path, said))
        processes = processes_of(platform) + [psutil.Process(pid) for pid in numbers(said, 2)]
        begun = time.monotonic()
    assert time.monotonic() - begun < ENDS_WITHIN_S
    assert alive(processes) == []
    assert faults_in_logs(home) == []

    with running(topology, home, **DEBUG) as platform:
        numbers(said, 4)
        processes = processes_of(platform)
        run = platform.get(f"/apis/v2beta1/runs/{run_id}")
        assert run["state"] == "RUNNING"
        assert driving.command("runs", "terminate", run_id, "--endpoint", platform.url).code == 0
        eventually(lambda: platform.get(f"/apis/v2beta1/runs/{run_id}")["state"] == "CANCELED")
    assert alive(processes) == []
    assert faults_in_logs(home) == []


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_it_ends_under_those_who_follow(topology: str, tmp_path: Path) -> None:
    """Streams that never end by themselves (a log, a run's changes) do not keep a platform from ending."""
    home, said = tmp_path / "home", tmp_path / "said"
    said.touch()
    with contextlib.ExitStack() as readers:
        with running(topology, home, **DEBUG) as platform:
            file = sleeping(tmp_path, said)
            run = readers.enter_context(reading("run", str(file), "--endpoint", platform.url))
            assert run.stderr is not None
            run_id = run.stderr.readline().decode().split()[1]
            numbers(said, 2)
            logs = readers.enter_context(reading("runs", "logs", run_id, "-f", "--endpoint", platform.url))
            assert logs.stdout is not None
            assert logs.stdout.readline() == b"work  sleeping\n"
            begun = time.monotonic()
        assert time.monotonic() - begun < ENDS_WITHIN_S
    assert faults_in_logs(home) == []


@contextlib.contextmanager
def reading(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command while the block runs."""
    with subprocess.Popen(
        [str(HEADRACE), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as reader:
        yield reader
        reader.kill()
