"""What compiling a pipeline costs, from the author's function to the written YAML: one program, with our SDK and with KFP's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.driving import BenchmarkError
from bench.measuring import Row, p50, row
from bench.rivals import PROGRAMS, ask

PROGRAM = "compile_tasks.py"
TIMES = {100: (7, 3), 1_000: (5, 1)}  # tasks: how often we do it, and KFP's SDK
TIMES_AS_FAST = 5


def measure(folder: Path) -> Iterator[Row]:
    for count, (ours, theirs) in TIMES.items():
        kfp = p50(_ms(ask("kfp", PROGRAM, "kfp", str(count), str(theirs))))
        taken = _ms(_ours(count, ours))
        yield row(f"compile a pipeline of {count:,} tasks", "ms", taken, kfp / TIMES_AS_FAST, opponents={"kfp": kfp})


def _ours(count: int, times: int) -> str:
    command = [sys.executable, str(PROGRAMS / PROGRAM), "headrace", str(count), str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd="/")
    if done.returncode:
        raise BenchmarkError(f"{PROGRAM} failed: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip().splitlines()[-1]


def _ms(printed: str) -> list[float]:
    return [float(one) * 1e3 for one in json.loads(printed)]
