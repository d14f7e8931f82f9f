"""`python -m bench [NAME…]`: measures, prints the table, keeps the raw figures. Names: see NAMES."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import ROOT
from bench.driving import BenchmarkError
from bench.measuring import Row, machine
from bench.table import table
from fixtures.elsewhere import remove_databases
from fixtures.platforms import PlatformError

NAMES = ("startup", "hop", "completions", "footprint", "size", "cached", "loading", "imports", "compiling", "local")
ON_A_CLUSTER = ("fanout", "pods")  # not measured unless it is named
LONG = ("scale",)  # the same


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which ones; all if none is named: {', '.join(NAMES)}"
    )
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="keep the platforms' folders and logs there")
    options = parser.parse_args()
    if unknown := set(options.names) - {*NAMES, *ON_A_CLUSTER, *LONG}:
        there = ", ".join(NAMES + ON_A_CLUSTER + LONG)
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {there}")
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as made:
        folder = (options.keep or Path(made)).absolute()
        try:
            rows, problems, loads = _measure(options.names or NAMES, folder)
        finally:
            if not options.keep:
                remove_databases(folder)
    file = _keep(rows, problems, loads)
    print(table(rows))
    for name, problem in problems.items():
        print(f"\n{name} could not be measured to its end: {problem}")
    print(f"\nload average at the start of each: {loads}\nraw figures: {file.relative_to(ROOT)}")
    return 1 if problems else 0


def _measure(names: list[str] | tuple[str, ...], folder: Path) -> tuple[list[Row], dict[str, str], dict[str, float]]:
    rows: list[Row] = []
    problems: dict[str, str] = {}
    loads: dict[str, float] = {}
    for name in names:
        loads[name] = round(os.getloadavg()[0], 2)
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        try:
            for row in importlib.import_module(f"bench.{name}").measure(place):
                print(f"{name}: {row.what}: {row.p50:.4g} {row.unit}", file=sys.stderr, flush=True)
                rows.append(row)
        except (BenchmarkError, PlatformError, subprocess.TimeoutExpired) as failed:
            problems[name] = str(failed)
        print(f"{name}: measured in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return rows, problems, loads


def _keep(rows: list[Row], problems: dict[str, str], loads: dict[str, float]) -> Path:
    now = datetime.datetime.now(datetime.UTC)
    file = ROOT / "bench" / "results" / f"{now:%Y%m%dT%H%M%SZ}.json"
    file.parent.mkdir(exist_ok=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    facts = {"time": now.isoformat(), "commit": commit.strip(), "machine": machine(), "loads": loads}
    file.write_text(json.dumps({**facts, "problems": problems, "rows": [row.as_json() for row in rows]}, indent=1))
    return file


if __name__ == "__main__":
    sys.exit(main())
