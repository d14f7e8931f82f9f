"""A platform that has had a million runs and ten million artifacts: lists, filters, sorting, lineage, the cache, and memory.

The rows are synthetic (synthetic.py) and come by COPY (filling.py); then one process for each service answers one client.
BENCH_SCALE=0.001 makes a thousandth of it, to try the benchmark itself; BENCH_HOME=FOLDER keeps the data there for the next time.
An answer that is wrong, or empty where something is to be found, is a failure of the benchmark, not a figure.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import grpc
import psutil

from bench import asking, filling
from bench.asking import Platform, Question
from bench.driving import BenchmarkError
from bench.measuring import Row, cpu_seconds, p50, row
from fixtures.platforms import SERVICES, running
from headrace_embedded.postgres import BundledPostgres
from headrace_embedded.postgres_place import find_place
from headrace_servicekit.settings import Settings

RUNS: Final = 1_000_000
MOST_S: Final = 8.0  # for one question: all of them in less than ten minutes
BYTES_A_RUN: Final = 26_000  # on the disk
SPARE_BYTES: Final = 4_000_000_000
DEPTHS: Final = (0.0, 0.25, 0.5, 0.75, 0.99)  # of a list, where pages are asked for
OURS: Final = ("persistence", "cache", "scheduler", "apiserver")


def measure(folder: Path) -> Iterator[Row]:
    scale = float(os.environ.get("BENCH_SCALE", "1"))
    count = max(int(RUNS * scale), 100)
    home = Path(os.environ.get("BENCH_HOME", "") or folder / "home").absolute()
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    yield from _loaded(home, count)
    with running("processes", home, HEADRACE_EXECUTOR="simulated") as started, ExitStack() as stack:
        asked = _connected(stack, home, started.grpc_address, count)
        services = [psutil.Process(started.pids[SERVICES.index(name)]) for name in OURS]
        questions = asking.questions(asked)
        len(asked.small)  # which takes a while the first time
        _first(questions)
        print(f"scale: {len(questions)} questions, at most {MOST_S:.0f} s each", file=sys.stderr, flush=True)
        before = _memory(services)
        for question in questions:
            yield _answered(question, started.pids)
        for what, page in asking.pages(asked).items():
            yield _flat(what, page)
        asking.walk(asked)
        after = _memory(services)
        grown = {name: (after[name] - before[name]) / 1e6 for name in OURS}
        note = ", ".join(f"{name} {value:.1f}" for name, value in grown.items())
        yield row("resident memory of the services: growth", "MB", [sum(grown.values())], 20, note=note, raw=grown)


def _loaded(home: Path, count: int) -> Iterator[Row]:
    told = home / "scale.json"
    if told.exists() and (found := json.loads(told.read_text()))["runs"] == count:
        seconds = found["seconds"]
    else:
        place = find_place(home).root  # as root not below HOME, where Postgres's user cannot reach that
        free = shutil.disk_usage(place).free
        if free < count * BYTES_A_RUN + SPARE_BYTES:
            raise BenchmarkError(
                f"{place} has {free / 1e9:.0f} GB free, {count:,} runs need {count * BYTES_A_RUN / 1e9:.0f} and some to"
                " spare: set BENCH_SCALE to less than 1"
            )
        seconds = asyncio.run(_fill(home, count))
        told.write_text(json.dumps({"runs": count, "seconds": seconds}))
    note = ", ".join(f"{name.removesuffix('_s')} {value:.0f} s" for name, value in seconds.items())
    yield row(f"loading {count:,} runs by COPY", "s", [sum(seconds.values())], 600, note=note, raw=seconds)


async def _fill(home: Path, count: int) -> dict[str, float]:
    async with BundledPostgres(home) as postgres:
        return await filling.fill(postgres.dsn(), count)


def _connected(stack: ExitStack, home: Path, public: str, count: int) -> Platform:
    def channel(address: str) -> grpc.Channel:
        return stack.enter_context(grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]))

    settings = Settings(home=home)
    return Platform(
        count, channel(public), channel(settings.address_of("persistence")), channel(settings.address_of("cache"))
    )


def _first(questions: list[Question]) -> None:
    """Each once: what is read and compiled once is no growth."""
    chance = random.Random(1)
    for question in questions:
        for _ in range(3):
            _ms(partial(question.ask, chance))


def _answered(question: Question, pids: Sequence[int]) -> Row:
    """CPU is that of all processes of the platform: on a machine that does other things too it says more than the clock."""
    chance = random.Random(7)
    times: list[float] = []
    cpu = cpu_seconds(pids)
    until = time.monotonic() + MOST_S
    while len(times) < question.tries and (len(times) < 5 or time.monotonic() < until):
        times.append(_ms(partial(question.ask, chance)))
    note = f"{(cpu_seconds(pids) - cpu) / len(times) * 1e3:.1f} ms CPU"
    return row(question.what, "ms", times, question.aim, judged=question.judged, note=note)


def _flat(what: str, page: Callable[[float], Any]) -> Row:
    """The same page size at several depths."""
    medians = {depth: p50([_ms(partial(page, depth)) for _ in range(20)]) for depth in DEPTHS}
    slowest = max(medians.values()) / medians[0.0]
    note = ", ".join(f"{depth:.0%}: {value:.3g} ms" for depth, value in medians.items())
    return row(f"{what}: the slowest depth beside the first page", "×", [slowest], 2, note=note, raw={"ms": medians})


def _memory(services: list[psutil.Process]) -> dict[str, int]:
    return dict(zip(OURS, (int(one.memory_info().rss) for one in services), strict=True))


def _ms(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    try:
        work()
    except grpc.RpcError as late:
        if late.code() != grpc.StatusCode.DEADLINE_EXCEEDED:  # what takes too long took that long
            raise
    return (time.perf_counter() - started) * 1e3
