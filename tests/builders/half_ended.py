"""A process whose first thread has ended and whose second listens: the kernel calls it a zombie, and its port is taken.

A large program is in that state between kill -9 and its end; this one stays in it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from fixtures.polling import eventually

PROGRAM = """
import ctypes, socket, threading
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
threading.Thread(target=listening.accept).start()
ctypes.CDLL(None).pthread_exit(None)
"""


@contextlib.contextmanager
def half_ended(environ: Mapping[str, str] | None = None) -> Iterator[tuple[int, int]]:
    """Its pid, and the port that it holds."""
    argv = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, **(environ or {})}) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            eventually(lambda: _state(process.pid) == "Z")
            yield process.pid, port
        finally:
            process.kill()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
