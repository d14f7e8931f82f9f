"""DBOS's side of the completions: durable workflows of no-op steps on the Postgres it is given; `URL CHAINS STEPS`.

Three ways, because its users have three: one-step workflows one after the other, many workflows on its thread pool, many
workflows as coroutines. CPU is this process's; the caller adds Postgres's.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from dbos import DBOS

DBOS(config={"name": "bench", "system_database_url": sys.argv[1], "log_level": "ERROR", "run_admin_server": False})


@DBOS.step()
def step(number: int) -> int:
    return number + 1


@DBOS.workflow()
def chain(steps: int) -> int:
    number = 0
    for _ in range(steps):
        number = step(number)
    return number


@DBOS.step()
async def step_async(number: int) -> int:
    return number + 1


@DBOS.workflow()
async def chain_async(steps: int) -> int:
    number = 0
    for _ in range(steps):
        number = await step_async(number)
    return number


def one_after_the_other(count: int) -> None:
    for _ in range(count):
        chain(1)


def on_threads(chains: int, steps: int) -> None:
    for handle in [DBOS.start_workflow(chain, steps) for _ in range(chains)]:
        handle.get_result()


def as_coroutines(chains: int, steps: int) -> None:
    async def everything() -> None:
        await asyncio.gather(*(chain_async(steps) for _ in range(chains)))

    asyncio.run(everything())


def timed(count: int, work: Callable[..., None], *given: Any) -> dict[str, float]:
    cpu, started = time.process_time(), time.monotonic()
    work(*given)
    seconds = time.monotonic() - started
    return {"per_second": count / seconds, "seconds": seconds, "cpu_us": (time.process_time() - cpu) / count * 1e6}


if __name__ == "__main__":
    chains, steps = int(sys.argv[2]), int(sys.argv[3])
    DBOS.launch()
    one_after_the_other(20)
    answer = {
        "workflows_sequential": timed(500, one_after_the_other, 500),
        "steps_in_one_workflow": timed(chains * steps, lambda: chain(chains * steps)),
        "steps_on_threads": timed(chains * steps, on_threads, chains, steps),
        "steps_as_coroutines": timed(chains * steps, as_coroutines, chains, steps),
        "workflows_on_threads": timed(chains * steps, on_threads, chains * steps, 1),
    }
    DBOS.destroy()
    print(json.dumps(answer))
