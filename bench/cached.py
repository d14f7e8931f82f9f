"""A chain of 100 tasks that is fully cached: from the call that submits it to the end of its run, as stored."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bench import flows
from bench.driving import BenchmarkError, Client, client
from bench.measuring import Row, row
from fixtures.platforms import TOPOLOGIES, running

STEPS, REPEATS = 100, 10


def measure(folder: Path) -> Iterator[Row]:
    for topology in TOPOLOGIES:
        with (
            running(topology, folder / topology, HEADRACE_EXECUTOR="simulated") as platform,
            client(platform) as one,
        ):
            one.wait(one.submit(_chain(), cache=True))
            seconds = [_seconds(one) for _ in range(REPEATS)]
        yield row(f"cached chain of {STEPS}, {topology}: submit → SUCCEEDED", "ms", [s * 1e3 for s in seconds], 300)


def _seconds(one: Client) -> float:
    started = time.time()
    run = one.wait(one.submit(_chain(), cache=True))
    tasks = one.tasks(run.run_id)
    if len(tasks) != STEPS or not all(task.cached for task in tasks):
        raise BenchmarkError(f"{sum(task.cached for task in tasks)} of {len(tasks)} tasks came from the cache")
    return run.finished_at_us / 1e6 - started


def _chain() -> str:
    return flows.chain("bench-cached", STEPS, cache=True)
