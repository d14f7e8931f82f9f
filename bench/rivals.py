"""Starts the opponents (bench/opponents) in their own environments and gives back what they print; none of ours is in them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from bench import ROOT
from bench.driving import BenchmarkError
from bench.measuring import cpu_seconds
from fixtures.fix_kfp_peer import peer_environment
from headrace_embedded.postgres import BundledPostgres

WITHIN_S = 120.0
PROGRAMS = ROOT / "bench" / "opponents"


def environment_of(name: str) -> Path:
    python = ROOT / f".venv-{name}" / "bin" / "python"
    if not python.exists():
        raise BenchmarkError(f"no .venv-{name}: run `make .venv-{name}/.done`")
    return python


def ask(name: str, program: str, *arguments: str, within_s: float = WITHIN_S) -> str:
    """The last line that the program printed."""
    command = [str(environment_of(name)), str(PROGRAMS / program), *arguments]
    done = subprocess.run(
        command, env=_environment(name), capture_output=True, text=True, timeout=within_s, check=False, cwd="/"
    )
    if done.returncode:
        raise BenchmarkError(f"{program} of .venv-{name} failed: {done.stderr.strip().splitlines()[-1:]}")
    return (done.stdout.strip().splitlines() or [""])[-1]


def _environment(name: str) -> dict[str, str]:
    if name == "kfp":
        return peer_environment()
    return {key: value for key, value in os.environ.items() if not key.startswith(("HEADRACE_", "PYTHON", "PREFECT_"))}


async def dbos(home: Path, chains: int, steps: int) -> dict[str, Any]:
    """DBOS's figures on a bundled Postgres of its own, configured as ours (fsync on)."""
    async with BundledPostgres(home) as server:
        assert server.pid is not None
        before = cpu_seconds([server.pid])
        url = server.dsn("dbos_bench")
        told = json.loads(await asyncio.to_thread(ask, "dbos", "dbos_steps.py", url, str(chains), str(steps)))
        done = 500 + 4 * chains * steps
        return {**told, "postgres_cpu_us_each": (cpu_seconds([server.pid]) - before) / done * 1e6}
