"""Calling a component or a pipeline like a function: `headrace.local` beside `kfp.local` and its subprocess runner, as it is
without settings (an environment for each task, for which it needs a package index), and as fast as settings make it.

One program for both. Ours runs on a platform that the program starts itself; its start is in the first call alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.driving import BenchmarkError
from bench.measuring import Row, p50, row
from bench.rivals import PROGRAMS, ask

PROGRAM = "local_calls.py"
TASKS = 10
OURS, THEIRS = 10, 2  # calls
TIMES_AS_FAST, ONE_AS_FAST = 20, 5
DEFAULT_WITHIN_S = 300.0
DEFAULT, FASTEST = "kfp.local", "kfp.local, use_venv=False"


def measure(folder: Path) -> Iterator[Row]:
    kfp = json.loads(ask("kfp", PROGRAM, "kfp", str(TASKS), str(THEIRS)))
    _ours(folder / "home", 1)  # makes the data folder and the environment, which stay
    told = _ours(folder / "home", OURS)
    first = "local: first call of a program, which starts the platform"
    yield row(first, "s", [told["first"]], aim=3.0, opponents={FASTEST: kfp["first"]})
    one = p50(kfp["one"])
    yield row("local: one task", "s", told["one"], aim=one / ONE_AS_FAST, opponents={FASTEST: one})
    whole = p50(kfp["chain"])
    what = f"local: chain of {TASKS} tasks"
    default = p50(json.loads(ask("kfp", PROGRAM, "kfp-venv", str(TASKS), "1", within_s=DEFAULT_WITHIN_S))["chain"])
    opponents = {DEFAULT: default, FASTEST: whole}
    yield row(what, "s", told["chain"], aim=default / TIMES_AS_FAST, opponents=opponents)


def _ours(home: Path, times: int) -> dict[str, Any]:
    command = [sys.executable, str(PROGRAMS / PROGRAM), "headrace", str(TASKS), str(times)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    environment = {**kept, "HEADRACE_HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120, cwd="/")
    if done.returncode:
        raise BenchmarkError(f"{PROGRAM} failed: {done.stderr.strip().splitlines()[-1:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
