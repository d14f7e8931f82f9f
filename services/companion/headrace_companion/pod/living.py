"""The companion's process: says who this attempt is, and lives until SIGTERM. Called by `__main__`, whose handler it replaces.

The kubelet ends it when `main` has ended; ending by itself it would be started again.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
from pathlib import Path
from types import FrameType

from headrace_companion import pod_layout
from headrace_companion.pod.calling import Attempt, Scheduler
from headrace_companion.pod.companion import Companion
from headrace_companion.pod.places import Places
from headrace_servicekit.tokens import TokenFile

TOP = "HEADRACE_POD_TOP"  # for tests: a folder that stands for the shared volume
TOKEN = "HEADRACE_TOKEN_FILE"  # noqa: S105 - a variable's name


def live() -> None:
    """Does not return."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    os.umask(0)  # what lies in the shared folder is for user code of any user
    environ = os.environ
    attempt = Attempt(environ[pod_layout.ENV_RUN], environ[pod_layout.ENV_PATH], int(environ[pod_layout.ENV_ATTEMPT]))
    address = environ[pod_layout.ENV_SCHEDULER]
    token = None if address.startswith("unix:") else TokenFile(Path(environ.get(TOKEN) or pod_layout.TOKEN))
    signals, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    places = Places(Path(environ.get(TOP) or pod_layout.TOP))
    companion = Companion(Scheduler(address, attempt, token), places, environ, signals)

    def end(number: int, frame: FrameType | None) -> None:
        if not companion.end():
            os._exit(0)  # threads of gRPC and the like have nothing to finish

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    companion.run()
    companion.is_done = True
    if not companion.told_to_end:
        select.select([signals], [], [])
    os._exit(0)
