"""`headrace up` where it cannot start, and where it is stopped with tasks at work: a sentence, and no process left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from fixtures import counting
from fixtures.platforms import HEADRACE, Platform, platform_environment, running

FREE = "127.0.0.1:0"


def up(home: Path, http: str = FREE, grpc: str = FREE, **more: str) -> subprocess.CompletedProcess[str]:
    """`headrace up` that is expected to end by itself."""
    environment = platform_environment(home, http, grpc, more)
    return subprocess.run([HEADRACE, "up"], env=environment, capture_output=True, text=True, timeout=60, check=False)


def refused(said: subprocess.CompletedProcess[str], *words: str) -> None:
    assert said.returncode == 2, said.stderr
    assert "Traceback" not in said.stderr
    assert all(word in said.stderr for word in words), said.stderr


def test_a_second_up_says_who_holds_the_folder(whole: Platform):
    refused(up(whole.home), f"process {whole.pids[0]} holds {whole.home}", whole.url, "HEADRACE_HOME")
    assert whole.get("/apis/v2beta1/healthz")


def test_a_home_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    refused(up(tmp_path / "file" / "home"), f"cannot write to {tmp_path / 'file' / 'home'}", "set HEADRACE_HOME")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; CI runs the tests as an ordinary user")
def test_a_home_that_is_not_writable(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    refused(up(home), f"cannot write to {home}", "set HEADRACE_HOME")


@pytest.mark.parametrize("which", ["http", "grpc"])
def test_a_port_in_use_is_named(tmp_path, which):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused(up(tmp_path / "home", **{which: address}), f"cannot listen on {address}", "in use", "another address")


def test_a_postgres_that_is_not_there(tmp_path):
    said = up(tmp_path / "home", HEADRACE_DATABASE_URL="postgresql://127.0.0.1:1/none?password=hidden")
    refused(said, "Postgres cannot be reached", "HEADRACE_DATABASE_URL")
    assert "hidden" not in said.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_stopped_with_tasks_at_work_it_leaves_nothing_and_goes_on_later(tmp_path, number):
    home = tmp_path / ("a-folder-with-a-very-long-name-" * 4) / "home"  # far above 100 characters
    counter = tmp_path / "counter"
    counter.touch()
    with running("embedded", home) as platform:
        document = counting.counting(counter, wide=3, chain=2, seconds=1.0)
        run_id = counting.submit(platform, document, tmp_path)
        counting.until("two tasks at work", lambda: len(counting.counted(counter)) >= 2, platform)
        everything = counting.everything_below(platform)
        began = time.monotonic()
        os.kill(platform.pids[0], number)
        assert platform.programs[0].wait(10) == 0
        took = time.monotonic() - began
        assert counting.living(everything) == [], f"left after {took:.1f} s"
        assert "Traceback" not in platform.log("up")
        assert not (home / "up.json").exists()
    with running("embedded", home) as platform:
        assert counting.wait_until_ended(platform, run_id) == "RUN_SUCCEEDED"
        tasks = counting.leaves(platform, run_id)
        assert len(tasks) == 5
        ran = counting.counted(counter)
        for task in tasks:
            states = [attempt["state"] for attempt in task["attempts"]]
            assert states[-1] == "ATTEMPT_SUCCEEDED", json.dumps(task)
            assert 1 <= ran[counting.name_of(task)] <= len(states)
