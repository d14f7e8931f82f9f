"""Durable completions a second with the simulated executor: 100 concurrent chains of 10 tasks, and one loop of 1,000.

Everything but user code is real: API, compiling, engine, appends, Postgres with fsync. The clock runs from the first
submission to the end of the last run, as stored, so submitting counts. CPU is that of all processes of the platform.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench import flows, rivals
from bench.driving import BenchmarkError, Client, client
from bench.measuring import Row, cpu_seconds, row
from fixtures.platforms import TOPOLOGIES, Platform, running

CHAINS, STEPS, WIDTH = 100, 10, 1_000
REPEATS = 3
AIM = 1_000.0
Work = Callable[[Client], list[str]]


def measure(folder: Path) -> Iterator[Row]:
    theirs = asyncio.run(rivals.dbos(folder / "dbos", CHAINS, STEPS))
    best = max(theirs["steps_on_threads"]["per_second"], theirs["steps_as_coroutines"]["per_second"])
    opponents = {"DBOS steps": best, "DBOS one-step workflows": theirs["workflows_on_threads"]["per_second"]}
    shapes: dict[str, Work] = {
        f"{CHAINS} chains of {STEPS}": partial(Client.submit_many, specs=[_chain()] * CHAINS),
        f"one loop of {WIDTH:,}": lambda platform: [platform.submit(flows.loop("bench-loop", WIDTH))],
    }
    for topology in TOPOLOGIES:
        with running(topology, folder / topology, HEADRACE_EXECUTOR="simulated") as platform:
            for name, work in shapes.items():
                yield _shape(platform, topology, name, work, {"opponents": opponents, "raw": {"dbos": theirs}})


def _shape(platform: Platform, topology: str, name: str, work: Work, more: dict[str, Any]) -> Row:
    with client(platform) as one:
        one.wait(one.submit(_chain()))
        rounds = [_round(platform, one, work) for _ in range(REPEATS)]
    rates = [each["per_second"] for each in rounds]
    cpu = sorted(each["cpu_us"] for each in rounds)[len(rounds) // 2]
    more["raw"] = {**more["raw"], "rounds": rounds}
    note = f"{cpu:,.0f} µs CPU a task"
    return row(f"completions, {name}, {topology}", "/s", rates, AIM, "more", note=note, **more)


def _round(platform: Platform, one: Client, work: Work) -> dict[str, float]:
    cpu, started = cpu_seconds(platform.pids), time.time()
    run_ids = work(one)
    submitted = time.time()
    ended = max(one.wait(run_id).finished_at_us for run_id in run_ids) / 1e6
    cpu = cpu_seconds(platform.pids) - cpu
    done = [task for run_id in run_ids for task in one.tasks(run_id) if task.attempts and not task.cached]
    tasks = CHAINS * STEPS if len(run_ids) > 1 else WIDTH
    if len(done) != tasks:
        raise BenchmarkError(f"{len(done)} tasks were executed, not {tasks}: this is no measurement")
    return {
        "tasks": tasks,
        "per_second": tasks / (ended - started),
        "submitting_s": submitted - started,
        "seconds": ended - started,
        "cpu_us": cpu / tasks * 1e6,
    }


def _chain() -> str:
    return flows.chain("bench-chain", STEPS)
