"""Idle memory of everything that the embedded platform runs, Postgres included: fresh, and after a run of lightweight tasks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from bench import rivals
from bench.driving import client
from bench.measuring import Row, memory, row
from fixtures.platforms import TOPOLOGIES, Platform, running

SETTLE_S, LOOKS, AIM_MB = 5.0, 3, 200.0


def measure(folder: Path) -> Iterator[Row]:
    for topology in TOPOLOGIES:
        with running(topology, folder / topology) as platform:
            yield _idle(platform, f"idle memory, {topology}, fresh")
            if topology == "embedded":
                _one_run(platform, folder)
                yield _idle(platform, f"idle memory, {topology}, after a run")


def _idle(platform: Platform, what: str) -> Row:
    looks: list[list[dict[str, Any]]] = []
    for _ in range(LOOKS):
        time.sleep(SETTLE_S / LOOKS)  # idle is a state that lasts; there is nothing to await
        looks.append(memory(platform.pids))
    sums = [sum(one["pss_mb"] for one in look) for look in looks]
    rss = sum(one["rss_mb"] for one in looks[-1])
    return row(what, "MB", sums, AIM_MB, note=f"PSS; RSS {rss:.0f} MB", raw={"processes": looks[-1]})


def _one_run(platform: Platform, folder: Path) -> None:
    file = folder / "chain.yaml"
    rivals.ask("kfp", "kfp_chain.py", "compile", "3", str(file))
    with client(platform) as one:
        run_id = one.submit(json.dumps(yaml.safe_load(file.read_text())), {"log": str(folder / "log")})
        one.wait(run_id, within_s=120)
