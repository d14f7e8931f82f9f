"""Becomes Postgres (or initdb): drops root, asks the kernel to end it with its parent, and executes the program.

Run as a script by `postgres`, with nothing but the standard library: `launcher.py PARENT_PID UID GID PROGRAM ARGUMENT…`, where a
UID of -1 keeps the user. Not done in a `preexec_fn`, because the platform has threads by the time it forks.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PARENT_IS_GONE = 75  # EX_TEMPFAIL


def main(arguments: list[str]) -> None:
    """Never returns: the process becomes the program, or ends."""
    parent, uid, gid = (int(text) for text in arguments[:3])
    if uid >= 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    if sys.platform == "linux":
        # After the change of user, which would clear it. SIGINT is Postgres's fast shutdown: it leaves a clean data folder.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(PARENT_IS_GONE)
    os.umask(0o077)
    os.execv(arguments[3], arguments[3:])  # noqa: S606  # replacing this process is its whole purpose


if __name__ == "__main__":
    main(sys.argv[1:])
