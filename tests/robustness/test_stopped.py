"""Persistence, Postgres or the cache does not answer for a while, in the middle of a run: stopped as a process that the system
gives no time, and ended and started again. Nothing is lost, nothing happens twice, no task fails.

FAULT_S=30 makes each fault as long as an outage; what is tested is the same.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fixtures import counting
from fixtures.platforms import SERVICES, Platform, faults_in_logs, running

FAULT_S = float(os.environ.get("FAULT_S", "4"))
WIDE, CHAIN = 170, 30


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Platform]:
    with running("processes", tmp_path / "home") as platform:
        yield platform
        assert faults_in_logs(platform.home) == []


def program(platform: Platform, service: str) -> psutil.Process:
    return psutil.Process(platform.programs[SERVICES.index(service)].pid)


@contextlib.contextmanager
def stopped(platform: Platform, service: str) -> Iterator[None]:
    """All processes of a service get no time, with what they have open, while the block runs."""
    whole = [(first := program(platform, service)), *first.children(recursive=True)]
    for one in whole:
        one.suspend()
    try:
        yield
    finally:
        for one in reversed(whole):
            one.resume()


@contextlib.contextmanager
def ended(platform: Platform, service: str) -> Iterator[None]:
    """A service is killed, and started again after the block."""
    platform.kill(service)
    yield
    platform.start_again(service)


FAULTS: list[Callable[[Platform, str], Any]] = [stopped, ended]


def harmed(platform: Platform, service: str, counter: Path) -> None:
    """Both faults, each at a point of the run."""
    for at, fault in zip((WIDE // 4, WIDE // 2), FAULTS, strict=True):
        counting.until(f"{at} tasks", lambda at=at: len(counting.counted(counter)) >= at, platform, 180)
        with fault(platform, service):
            time.sleep(FAULT_S)  # the fault is that long


@pytest.mark.timeout(400 + 4 * int(FAULT_S))
@pytest.mark.parametrize("service", ["persistence", "postgres"])
def test_a_run_goes_on_as_if_nothing_had_been(services: Platform, tmp_path: Path, service: str) -> None:
    counter = tmp_path / "counter"
    counter.touch()
    run_id = counting.submit(services, counting.counting(counter, wide=WIDE, chain=CHAIN, seconds=0.2), tmp_path)
    harmed(services, service, counter)
    assert counting.wait_until_ended(services, run_id, 180) == "RUN_SUCCEEDED"
    tasks = counting.leaves(services, run_id)
    assert len(tasks) == WIDE + CHAIN
    states = {tuple(attempt["state"] for attempt in task["attempts"]) for task in tasks}
    assert states == {("ATTEMPT_SUCCEEDED",)}
    ran = counting.counted(counter)
    assert len(ran) == WIDE + CHAIN
    assert set(ran.values()) == {1}


@pytest.mark.timeout(300)
def test_a_run_goes_on_without_the_cache_and_has_it_again_later(services: Platform, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.touch()
    document = counting.counting(counter, wide=8, chain=5, seconds=0.05, cache=True)

    def run_to_its_end() -> set[bool]:
        run_id = counting.submit(services, document, tmp_path, cache=True)
        assert counting.wait_until_ended(services, run_id) == "RUN_SUCCEEDED"
        return {bool(task.get("cached_from")) for task in counting.leaves(services, run_id)}

    assert run_to_its_end() == {False}
    assert run_to_its_end() == {True}
    for times, fault in enumerate(FAULTS, 2):
        with fault(services, "cache"):  # what is asked meanwhile gets no answer
            assert run_to_its_end() == {False}
        assert set(counting.counted(counter).values()) == {times}
    counting.until("hits", lambda: run_to_its_end() == {True}, services)


@pytest.mark.timeout(300)
def test_a_cache_that_stops_during_a_run_makes_misses_of_the_rest(services: Platform, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.touch()
    document = counting.counting(counter, wide=0, chain=12, seconds=0.2, cache=True)
    run_id = counting.submit(services, document, tmp_path, cache=True)
    counting.until("a third of the run", lambda: len(counting.counted(counter)) >= 4, services)
    with stopped(services, "cache"):
        counting.until("the rest of the run", lambda: len(counting.counted(counter)) == 12, services)
    assert counting.wait_until_ended(services, run_id) == "RUN_SUCCEEDED"
    assert set(counting.counted(counter).values()) == {1}
