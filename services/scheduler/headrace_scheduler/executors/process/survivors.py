"""Finding and ending the processes of a platform that died: by a mark in their environment, and by recorded pids.

Blocking, called in a thread before anything is launched. Linux finds marked processes in /proc; elsewhere the recorded
process groups have to do. A pid counts only together with its start time, because numbers are used again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MARK: Final = "HEADRACE_ATTEMPT"
RECORD: Final = "process"
END_SECONDS: Final = 4.0
PAUSE_SECONDS: Final = 0.01
STATE, THREADS, STARTED = 0, 17, 19  # of /proc/PID/stat, behind the name


@dataclass(frozen=True, slots=True)
class Recorded:
    """The process that an attempt's folder names."""

    pid: int
    start_time: int


def read_record(folder: Path) -> Recorded | None:
    """The record that an attempt's process wrote before user code ran."""
    try:
        pid, started = (folder / RECORD).read_text().split()
        return Recorded(int(pid), int(started))
    except (OSError, ValueError):
        return None


def start_time(pid: int) -> int:
    """The kernel's start time of a process; 0 where it is gone or the system has no /proc."""
    stat = _stat(pid)
    return int(stat[STARTED]) if stat else 0


def is_alive(recorded: Recorded) -> bool:
    """Whether exactly this process runs still, or one of its threads does."""
    if recorded.start_time:
        stat = _stat(recorded.pid)
        return not _has_ended(stat) and int(stat[STARTED]) == recorded.start_time
    try:
        os.kill(recorded.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _stat(pid: int) -> list[bytes]:
    """What the kernel says of a process, from its state on; nothing where it is gone or the system has no /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return []


def _has_ended(stat: list[bytes]) -> bool:
    """A zombie has, once it is its only thread: others may still be ending, and hold memory, files and ports until they have."""
    return not stat or (stat[STATE] == b"Z" and stat[THREADS] == b"1")


def _environment(pid: int) -> bytes:
    """What a process was started with, of the first thread that has it still: one that has ended has none any more."""
    for thread in sorted(os.listdir(f"/proc/{pid}/task"), key=int):
        with contextlib.suppress(OSError):  # an ended thread is gone, or belongs to root
            if held := Path(f"/proc/{pid}/task/{thread}/environ").read_bytes():
                return held
    return b""


def marked(wanted: Callable[[str], bool]) -> Iterator[int]:
    """Processes of this user whose environment has a mark that is wanted."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except FileNotFoundError:
        return
    prefix = f"{MARK}=".encode()
    for pid in pids:
        try:
            held = _environment(pid).split(b"\0")
        except OSError:
            continue
        for entry in held:
            if entry.startswith(prefix) and wanted(os.fsdecode(entry[len(prefix) :])) and not _has_ended(_stat(pid)):
                yield pid


def end(wanted: Callable[[str], bool], folders: list[Path]) -> list[int]:
    """Kill everything that carries a wanted mark or is recorded in a folder; returns once it is gone."""
    ended: dict[int, Recorded] = {}
    for folder in folders:
        recorded = read_record(folder)
        if recorded is not None and is_alive(recorded):
            ended[recorded.pid] = recorded
            _kill_group(recorded.pid)
    give_up = time.monotonic() + END_SECONDS
    while True:
        alive = [pid for pid in marked(wanted) if pid != os.getpid()]
        for pid in alive:
            ended[pid] = Recorded(pid, start_time(pid))
            _kill(pid)
        if not (alive or any(map(is_alive, ended.values()))) or time.monotonic() > give_up:
            return sorted(ended)
        time.sleep(PAUSE_SECONDS)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        _kill(pid)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
