"""The hop: how long after a task's end the next one's first statement runs, in a chain of lightweight Python tasks.

The chain is compiled by the official KFP SDK, and the same functions run under kfp.local and Prefect 3. Each notes the clock
when it is entered. For us also: from the upstream's `task_finished` (its time is set before the commit, so the commit is
inside) to the downstream's entry. One chain before the measured ones makes the environment and the warm interpreter.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from bench import rivals
from bench.driving import BenchmarkError, Client, client
from bench.measuring import Row, p50, row
from fixtures.platforms import running

CHAINS = (10, 50)
REPEATS = 3
Entries = list[tuple[int, int]]


def measure(folder: Path) -> Iterator[Row]:
    specs = {tasks: _compiled(folder, tasks) for tasks in CHAINS}
    theirs = _opponents(folder)
    with running("embedded", folder / "home") as platform, client(platform) as platform_client:
        _chain(platform_client, specs[CHAINS[0]], folder / "warm", within_s=120)
        for tasks in CHAINS:
            yield from _rows(platform_client, specs[tasks], tasks, folder, theirs if tasks == CHAINS[0] else {})


def _rows(
    platform: Client, spec: str, tasks: int, folder: Path, theirs: dict[str, tuple[float, list[float]]]
) -> Iterator[Row]:
    commit_hops: list[float] = []
    entry_hops: list[float] = []
    chains: list[float] = []
    for number in range(REPEATS):
        log = folder / f"ours-{tasks}-{number}"
        seconds, finished = _chain(platform, spec, log)
        entries = read_entries(log)
        if len(entries) != tasks:
            raise BenchmarkError(f"{len(entries)} of {tasks} tasks noted their entry in {log}")
        chains.append(seconds)
        entry_hops += hops(entries)
        commit_hops += [(after[0] / 1e3 - end) / 1e3 for end, after in zip(finished, entries[1:], strict=False)]
    name = f"{tasks}-task chain"
    yield row(f"hop, {name}: upstream committed → entered", "ms", commit_hops, aim=20.0)
    opponents = {who: p50(values) for who, (_, values) in theirs.items()}
    yield row(f"hop, {name}: function left → next entered", "ms", entry_hops, aim=20.0, opponents=opponents)
    whole = {who: seconds for who, (seconds, _) in theirs.items()}
    yield row(f"whole {name}", "s", chains, aim=tasks * 0.02, opponents=whole)


def _chain(platform: Client, spec: str, log: Path, within_s: float = 90.0) -> tuple[float, list[int]]:
    """Seconds from the run's creation to its end, and the times (µs) of the tasks' ends in order."""
    run = platform.wait(platform.submit(spec, {"log": str(log)}), within_s)
    ends = sorted(task.finished_at_us for task in platform.tasks(run.run_id))
    return (run.finished_at_us - run.created_at_us) / 1e6, ends


def read_entries(log: Path) -> Entries:
    """(entered, left) in nanoseconds, in order."""
    return sorted((int(words[1]), int(words[2])) for words in map(str.split, log.read_text().splitlines()))


def hops(entries: Entries) -> list[float]:
    """Milliseconds from leaving one function to entering the next."""
    return [(after[0] - before[1]) / 1e6 for before, after in itertools.pairwise(entries)]


def _compiled(folder: Path, tasks: int) -> str:
    file = folder / f"chain-{tasks}.yaml"
    rivals.ask("kfp", "kfp_chain.py", "compile", str(tasks), str(file))
    return json.dumps(yaml.safe_load(file.read_text()))


def _opponents(folder: Path) -> dict[str, tuple[float, list[float]]]:
    """For each opponent: seconds of the whole chain, and its hops."""
    tasks = CHAINS[0]
    log = folder / "kfp-local"
    told = json.loads(rivals.ask("kfp", "kfp_chain.py", "local", str(tasks), str(log)))
    found = {"kfp.local": (told["seconds"], hops(read_entries(log)))}
    prefect = folder / "prefect"
    seconds = json.loads(rivals.ask("prefect", "prefect_chain.py", str(tasks), str(prefect), str(REPEATS)))["seconds"]
    files = [folder / f"prefect.{number}" for number in range(REPEATS)]
    found["Prefect 3 (not durable)"] = (p50(seconds), [hop for file in files for hop in hops(read_entries(file))])
    return found
