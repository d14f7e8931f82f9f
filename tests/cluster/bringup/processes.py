"""Starts the cluster's programs in the background and ends them by their ids; a pid file each, a log each."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from cluster.bringup.places import DIR

ENDS_WITHIN_S = 10.0


class ClusterError(Exception):
    """A part of the cluster did not start or answer; the text has the end of its log."""


def spawn(name: str, argv: list[str]) -> int:
    """Starts a program in a session of its own; its log is DIR/NAME.log."""
    with (DIR / f"{name}.log").open("ab") as log, Path(os.devnull).open("rb") as nothing:
        # Not a Popen, which would complain when it is forgotten: these programs outlive who starts them.
        to = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 0), *((os.POSIX_SPAWN_DUP2, log.fileno(), fd) for fd in (1, 2))]
        pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=to, setsid=True)
    _file(name).write_text(f"{pid} {_started(pid)}")
    return pid


def pid_of(name: str) -> int | None:
    """The id of a program that we started and that is still that program; None where it has ended."""
    try:
        pid, started = _file(name).read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if _started(int(pid)) == started else None


def stop(name: str, number: int = signal.SIGTERM) -> None:
    """Asks, waits, then forces; a program that is not there any more is no fault."""
    pid = pid_of(name)
    if pid is not None:
        end(pid, number)
    _file(name).unlink(missing_ok=True)


def end(pid: int, number: int = signal.SIGTERM) -> None:
    """Ends one process by its id."""
    for one in (number, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, one)
        if wait(lambda: not _alive(pid), ENDS_WITHIN_S):
            return


def wait(ready: Callable[[], bool], seconds: float, every: float = 0.1) -> bool:
    """Polls at a process boundary: these programs have no event to await."""
    limit = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > limit:
            return False
        time.sleep(every)
    return True


def must(what: str, name: str, ready: Callable[[], bool], seconds: float = 60.0) -> None:
    """As `wait`, but a program that ended or is late is an error with the end of its log."""
    if wait(lambda: ready() or pid_of(name) is None, seconds) and pid_of(name) is not None:
        return
    log = DIR / f"{name}.log"
    tail = log.read_text(errors="replace")[-3000:] if log.exists() else ""
    raise ClusterError(f"{name}: no {what} within {seconds:.0f} s\n{tail}")


def run(*argv: str, **more: str) -> str:
    """A program that ends by itself; its error output is the error's text."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, **more})
    if done.returncode:
        raise ClusterError(f"{' '.join(argv)} failed with {done.returncode}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def _file(name: str) -> Path:
    return DIR / f"{name}.pid"


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # our own child: a zombie is not alive
    return _started(pid) is not None


def _started(pid: int) -> str | None:
    """The kernel's start time of a process, which tells an old id from a new one; None for none and for a zombie.

    A zombie that counts threads has not ended: its first thread has, and the others hold its ports until they have too.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, threads, started = fields[0], fields[17], fields[19]
    return None if state == "Z" and threads == "1" else started
