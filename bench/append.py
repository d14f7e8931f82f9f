"""Durable appends through persistence alone: simple tasks (six events each) per second, by tasks in one append.

One process plays the scheduler, another is persistence (`serve`), beside the bundled Postgres. Run: python bench/append.py [URL]
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from builders.runevents import create, created, event, new_run_id, numbered, task_life
from headrace_embedded.postgres import BundledPostgres
from headrace_persistence.server import serve
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_protos.v1 import run_store_pb2_grpc
from headrace_servicekit.server import channel
from headrace_servicekit.settings import Settings

SIZES = (1, 10, 50, 200)
TASKS = 4000


def server(settings: Settings, ready: object, stop: object) -> None:
    """Persistence in a process of its own."""

    async def run() -> None:
        handle = await serve(settings)
        ready.set()  # type: ignore[attr-defined]
        await asyncio.to_thread(stop.wait)  # type: ignore[attr-defined]
        await handle.aclose()

    asyncio.run(run())


async def measure(store: run_store_pb2_grpc.RunStoreStub, size: int) -> tuple[float, float]:
    """Tasks per second and milliseconds for each append, SIZE tasks of as many runs in each of four appends of their lives."""
    opened = await store.OpenSession(rs.OpenSessionRequest(holder="bench", take_over=True))
    key = {"session_id": opened.session_id, "epoch": opened.epoch}
    await store.RenewSession(rs.RenewSessionRequest(**key))
    runs = [new_run_id() for _ in range(size)]
    await asyncio.gather(*(store.Deliver(create(run_id)) for run_id in runs))
    start = [
        rs.RunAppend(run_id=r, expected_revision=1, events=numbered([event(run_started=ev.RunStarted())], 1))
        for r in runs
    ]
    await store.Append(rs.AppendRequest(**key, runs=start))
    revisions = dict.fromkeys(runs, 2)
    rounds = max(TASKS // size // (10 if size == 1 else 1), 3)
    appends, began = 0, time.perf_counter()
    for number in range(rounds):
        await store.RenewSession(rs.RenewSessionRequest(**key))
        life = task_life(f"task-{number}")
        for piece in ([created(f"task-{number}")], life[:2], life[2:3], life[3:]):
            batch = [
                rs.RunAppend(run_id=r, expected_revision=revisions[r], events=numbered(piece, revisions[r]))
                for r in runs
            ]
            response = await store.Append(rs.AppendRequest(**key, runs=batch))
            assert all(one.outcome == rs.COMMITTED for one in response.runs), response.runs[0]
            for run_id in runs:
                revisions[run_id] += len(piece)
            appends += 1
    seconds = time.perf_counter() - began
    return rounds * size / seconds, seconds / appends * 1000


async def main(url: str) -> None:
    """One line for each size."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="hr-") as home:
        settings = Settings(home=Path(home), database_url=url)
        ready, stop = context.Event(), context.Event()
        process = context.Process(target=server, args=(settings, ready, stop))
        process.start()
        await asyncio.to_thread(ready.wait)
        try:
            async with channel(settings.address_of("persistence")) as to:
                for size in SIZES:
                    rate, each = await measure(run_store_pb2_grpc.RunStoreStub(to), size)
                    print(f"{size:4} tasks an append: {rate:7.0f} tasks/s  {each:6.2f} ms an append")
        finally:
            stop.set()
            process.join()


async def with_bundled() -> None:
    """On a Postgres of its own."""
    with tempfile.TemporaryDirectory(prefix="hr-bench-") as home:
        Path(home).chmod(0o755)
        async with BundledPostgres(Path(home)) as postgres:
            await main(postgres.dsn())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]) if len(sys.argv) > 1 else with_bundled())
