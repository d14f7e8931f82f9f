"""What this machine has for attempts, and how a request is met on it. `place` is pure; `look` asks the machine.

Called by the process executor. Admission counts slots by what `place` grants; which accelerator a task gets is decided
here too, by taking free indexes.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from headrace_scheduler.executors.port import Inventory, Placement, Request

ASK_SECONDS: Final = 10
GIB: Final = 1024**3


@dataclass(frozen=True, slots=True)
class Machine:
    """The resources of the machine. `accelerators` are the names that CUDA_VISIBLE_DEVICES takes."""

    node: str
    cpu: float
    memory: int
    accelerators: tuple[str, ...] = ()
    product: str = ""

    def inventory(self) -> Inventory:
        return Inventory(self.node, self.cpu, self.memory, len(self.accelerators), self.product)


def look() -> Machine:
    """Ask this machine; blocking."""
    names, product = _accelerators()
    return Machine(socket.gethostname(), _cpus(), _memory(), names, product)


def _cpus() -> float:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return float(available)
    return float(available) if quota == "max" else min(float(available), int(quota) / int(period))


def _memory() -> int:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total


def _accelerators() -> tuple[tuple[str, ...], str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return (), ""
    try:
        done = subprocess.run(
            [program, "--query-gpu=index,name", "--format=csv,noheader"],
            capture_output=True, timeout=ASK_SECONDS, check=False, text=True,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return (), ""
    rows = [line.split(",", 1) for line in done.stdout.splitlines() if "," in line] if done.returncode == 0 else []
    return tuple(row[0].strip() for row in rows), rows[0][1].strip() if rows else ""


def place(machine: Machine, request: Request, *, strict: bool) -> Placement:
    """What becomes of a request: capped to the machine with a warning, or refused where `strict`."""
    over: list[str] = []
    granted = request
    if request.cpu > machine.cpu:
        over.append(f"asks for {request.cpu:g} CPUs, this machine has {machine.cpu:g}")
        granted = replace(granted, cpu=machine.cpu)
    if request.memory > machine.memory:
        over.append(f"asks for {request.memory / GIB:.1f} GiB of memory, this machine has {machine.memory / GIB:.1f}")
        granted = replace(granted, memory=machine.memory)
    if request.accelerators > len(machine.accelerators):
        kind = f" ({request.accelerator_type})" if request.accelerator_type else ""
        has = len(machine.accelerators)
        over.append(f"asks for {request.accelerators} accelerators{kind}, this machine has {has or 'none'}")
        granted = replace(granted, accelerators=has)
    if strict and over:
        return Placement(granted, problem="; ".join(over) + "; HEADRACE_STRICT_RESOURCES refuses it")
    return Placement(granted, warnings=tuple(f"{one}; it runs with what there is" for one in over))


class AcceleratorSlots:
    """Which accelerators are taken, by attempt. Admission keeps the count within the machine."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._free = list(names)
        self._taken: dict[object, list[str]] = {}
        self.any = bool(names)

    def take(self, holder: object, count: int) -> tuple[str, ...]:
        """The names for one attempt; fewer than asked only if admission let in too many."""
        if holder not in self._taken:
            self._taken[holder], self._free = self._free[:count], self._free[count:]
        return tuple(self._taken[holder])

    def give_back(self, holder: object) -> None:
        self._free.extend(self._taken.pop(holder, []))
