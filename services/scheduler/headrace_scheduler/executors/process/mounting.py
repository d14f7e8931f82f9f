"""Whether this machine can show folders at other paths to one process alone (mounts_main), asked once; and which paths it must
not cover. Blocking; called by attempts in a thread.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from headrace_scheduler.executors.process.interpreters import ours
from headrace_scheduler.executors.process.local_store import NotHere
from headrace_scheduler.executors.process.task_hosting import Bind

PROGRAM: Final = Path(__file__).with_name("mounts_main.py")
TRY_SECONDS: Final = 20


class Mounting:
    """`needed`: folders that user code needs where they are (HOME, the interpreter's)."""

    def __init__(self, needed: Iterable[str]) -> None:
        self._needed = [os.path.realpath(one) for one in needed]
        self._problem: str | None = None

    def check(self, binds: Iterable[Bind]) -> None:
        """Raises NotHere where a folder cannot be shown at its path."""
        for _, target in binds:
            self._check_path(target)
        if self._problem is None:
            self._problem = _try()
        if self._problem:
            targets = ", ".join(target for _, target in binds)
            raise NotHere(
                f"nothing can be mounted at {targets} on this machine ({self._problem}): run this pipeline on Kubernetes, "
                "or on Linux with user namespaces, or make the path of a claim a link to its folder"
            )

    def _check_path(self, target: str) -> None:
        real = os.path.realpath(target)
        for one in (*self._needed, "/proc"):
            if one == real or one.startswith(real.rstrip("/") + "/"):
                raise NotHere(f"nothing can be mounted at {target} on this machine: it would hide {one}")


def _try() -> str:
    """Why it cannot be done here; "": it can."""
    if not sys.platform.startswith("linux"):
        return "this system has no mount namespaces"
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [ours().path, "-I", str(PROGRAM), folder],
                capture_output=True, timeout=TRY_SECONDS, check=False, text=True, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    last = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else (last[-1] if last else f"exit code {done.returncode}")
