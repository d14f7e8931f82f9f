"""The companion's process: reads who this attempt is, and lives until SIGTERM. Called by `__main__`, whose handler it replaces.

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
USAGE = "usage: python -m headrace_companion.pod SCHEDULER RUN PATH ATTEMPT [a word of the image's entry point] ..."
FEWEST = 5  # with the program's name


def live() -> None:
    """Does not return."""
    if len(sys.argv) < FEWEST:
        sys.exit(USAGE)
    address, run_id, path, number, *entry_point = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    os.umask(0)  # what lies in the shared folder is for user code of any user
    environ = os.environ
    token = None if address.startswith("unix:") else TokenFile(Path(environ.get(TOKEN) or pod_layout.TOKEN))
    signals, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    places = Places(Path(environ.get(TOP) or pod_layout.TOP))
    environ["TMPDIR"] = str(places.at(pod_layout.SPOOL))  # for the file behind a log
    scheduler = Scheduler(address, Attempt(run_id, path, int(number)), token)
    companion = Companion(scheduler, places, environ, signals, entry_point)

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
