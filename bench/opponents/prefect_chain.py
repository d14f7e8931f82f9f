"""Prefect 3's side of the chain: N tasks in one flow, in-process, with its ephemeral server (SQLite); `N LOG REPEATS`.

The tasks do what kfp_chain.py's do. One run before the measured ones lets the server start. Not durable for each task.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time

os.environ |= {
    "PREFECT_HOME": tempfile.mkdtemp(),
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
}

from prefect import flow, task  # its settings are read at the import


@task
def note(name: str, log: str, upstream: str = "") -> str:
    entered = time.time_ns()
    with open(log, "a") as file:
        file.write(f"{name} {entered} {time.time_ns()}\n")
    return name


@flow
def chain(tasks: int, log: str) -> str:
    before = ""
    for number in range(tasks):
        before = note(f"task-{number}", log, before)
    return before


if __name__ == "__main__":
    count, file, repeats = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    chain(1, os.devnull)
    seconds = []
    for number in range(repeats):
        started = time.time()
        chain(count, f"{file}.{number}")
        seconds.append(time.time() - started)
    print(json.dumps({"seconds": seconds}))
