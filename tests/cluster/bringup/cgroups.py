"""Control groups of the cluster's nodes, version 1 and 2: made, emptied by killing what is inside, removed.

Everything that a node starts lives below one name, so that taking it down needs no guess about who belongs to it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from cluster.bringup.processes import wait

ROOT = Path("/sys/fs/cgroup")


def hierarchies() -> list[Path]:
    """Where groups are made: the one tree of version 2, or each controller's of version 1."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return sorted(path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink() and path.name != "unified")


def is_version_1() -> bool:
    return hierarchies() != [ROOT]


def make(name: str) -> None:
    for hierarchy in hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # version 1 refuses processes in a set without processors
            if is_version_1() and (hierarchy / setting).exists():
                (group / setting).write_text((hierarchy / setting).read_text())
    if not is_version_1():
        with contextlib.suppress(OSError):
            (ROOT / "cgroup.subtree_control").write_text("+cpu +memory +pids +cpuset +io")


def inside(name: str, *argv: str) -> list[str]:
    """The command that runs `argv` in the group of every hierarchy, from its first instruction on."""
    files = " ".join(str(hierarchy / name / "cgroup.procs") for hierarchy in hierarchies())
    return ["sh", "-c", f'for file in {files}; do echo $$ > $file; done; exec "$@"', "sh", *argv]


def processes(name: str) -> set[int]:
    found: set[int] = set()
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / name):
            with contextlib.suppress(OSError):
                found.update(int(line) for line in Path(folder, "cgroup.procs").read_text().split())
    return found


def remove(name: str) -> None:
    """Kills what is left inside and removes the group with all below it."""

    def emptied() -> bool:
        left = processes(name)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    wait(emptied, 10)
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
