"""One process dies: Postgres, a fork server, or a service. Runs wait or go on, nothing is lost, the log says it in sentences."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fixtures import counting
from fixtures.platforms import SERVICES, Platform, running

MOST_LINES = 60  # of a log, for one outage


@pytest.fixture(scope="module", params=["processes", "network"])
def services(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running(request.param, tmp_path_factory.mktemp("services") / "home") as platform:
        yield platform


def begin(platform: Platform, folder: Path, counter: Path) -> str:
    """A run that is at work: its first task has said so."""
    counter.touch()
    run_id = counting.submit(platform, counting.counting(counter, wide=2, chain=4, seconds=0.5), folder)
    counting.until("the first line of the counter", lambda: bool(counter.read_text()), platform)
    return run_id


def finished(platform: Platform, run_id: str, counter: Path, *, may_repeat: bool) -> None:
    assert counting.wait_until_ended(platform, run_id) == "RUN_SUCCEEDED"
    tasks = counting.leaves(platform, run_id)
    assert len(tasks) == 6
    ran = counting.counted(counter)
    for task in tasks:
        states = [attempt["state"] for attempt in task["attempts"]]
        assert states[-1] == "ATTEMPT_SUCCEEDED"
        assert "ATTEMPT_SUCCEEDED" not in states[:-1]
        assert 1 <= ran[counting.name_of(task)] <= (len(states) if may_repeat else 1), task["path"]


def sentences(before: dict[str, str], platform: Platform) -> str:
    """What the logs got since; never a traceback, never a storm."""
    said = ""
    for name, text in before.items():
        new = platform.log(name)[len(text) :]
        assert "Traceback" not in new, new[-4000:]
        assert new.count("\n") < MOST_LINES, f"{name} said {new.count(chr(10))} lines:\n{new[-4000:]}"
        said += new
    return said


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ("cache", ""),
        ("apiserver", ""),
        ("persistence", "cannot be reached"),
        ("postgres", "Postgres cannot be reached"),
        ("scheduler", ""),
    ],
)
def test_a_service_is_killed_and_started_again(services: Platform, tmp_path, service, words):
    before = {name: services.log(name) for name in SERVICES}
    counter = tmp_path / "counter"
    run_id = begin(services, tmp_path, counter)
    services.kill(service)
    if service in ("cache", "apiserver"):  # the others do not need it: the run goes on
        counting.until("all six tasks at work", lambda: len(counting.counted(counter)) == 6, services)
    elif words:
        others = [name for name in SERVICES if name != service]
        counting.until(
            f"a log that says {words!r}",
            lambda: any(words in services.log(name)[len(before[name]) :] for name in others),
            services,
        )
    services.start_again(service)
    finished(services, run_id, counter, may_repeat=service == "scheduler")
    assert words in sentences(before, services)


def child(platform: Platform, part: str) -> psutil.Process:
    """The child of `headrace up` whose command line has this part."""
    (up,) = (psutil.Process(pid) for pid in platform.pids)
    found = [one for one in up.children() if part in " ".join(one.cmdline())]
    assert found, [one.cmdline() for one in up.children()]
    return found[0]


def test_postgres_alone_is_killed(whole: Platform, tmp_path):
    before = {"up": whole.log("up")}
    counter = tmp_path / "counter"
    run_id = begin(whole, tmp_path, counter)
    postgres = child(whole, "bin/postgres")
    workers = postgres.children(recursive=True)
    os.kill(postgres.pid, signal.SIGKILL)
    finished(whole, run_id, counter, may_repeat=False)
    assert "Postgres ended with status -9: starting it again" in sentences(before, whole)
    assert counting.living([postgres, *workers]) == []


def test_a_fork_server_alone_is_killed(whole: Platform, tmp_path):
    before = {"up": whole.log("up")}
    counter = tmp_path / "counter"
    run_id = begin(whole, tmp_path, counter)
    server = child(whole, "zygote_main")
    workers = server.children(recursive=True)
    os.kill(server.pid, signal.SIGKILL)
    finished(whole, run_id, counter, may_repeat=True)
    sentences(before, whole)
    assert counting.living([server, *workers]) == []
