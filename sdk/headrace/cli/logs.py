"""`headrace runs logs`: one task's log, or those of a run's tasks with each line's task before it. Called by cli.main.

A call for each task is slow where there are thousands: without a task named at most MOST logs are shown, and a few are asked for
while one is printed. What waits to be printed is bounded, whatever the logs' size.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import deque
from collections.abc import Sequence
from typing import Final

from headrace.api.calls import Calls
from headrace.cli.verbs import find_run
from headrace.display.screen import say
from headrace.errors import NotFound
from headrace.models import Task

MOST: Final = 100  # tasks
AHEAD: Final = 8  # logs asked for at once
CHUNKS: Final = 4  # of a log that wait to be printed


async def logs(client: Calls, options: argparse.Namespace) -> int:
    """One task's log as it is, or the tasks' logs with each line's task before it."""
    run = await find_run(client, options.run)
    if options.task:
        async for data in client.logs(run.run_id, options.task, follow=options.follow):
            _write(data)
    elif options.follow and not run.ended:
        await _follow_all(client, run.run_id)
    else:
        shown, left_out = chosen(await client.tasks(run.run_id))
        await _copy_in_order(client, run.run_id, [task.path for task in shown])
        if not shown:
            say(
                f"headrace: no task of run {run.run_id} has a log: none has run, or all came from the cache or another run"
            )
        if left_out:
            say(
                f"headrace: the logs of {len(shown)} tasks are shown, those that failed first, and {left_out:,} are left out; "
                f"to see one: headrace runs logs {run.run_id} --task PATH"
            )
    return 0


def chosen(tasks: Sequence[Task]) -> tuple[list[Task], int]:
    """The tasks whose logs are shown, and how many others have one: all in their order, else what failed before the rest."""
    found = [task for task in tasks if task.attempts]
    if len(found) <= MOST:
        return found, 0
    return sorted(found, key=lambda task: task.state != "FAILED")[:MOST], len(found) - MOST


async def _copy_in_order(client: Calls, run_id: str, paths: Sequence[str]) -> None:
    """Each log whole before the next; those that follow are asked for meanwhile."""
    waiting, open_ = deque(paths), deque[asyncio.Queue[bytes | None]]()
    async with asyncio.TaskGroup() as group:
        while waiting or open_:
            while waiting and len(open_) < AHEAD:
                open_.append(asyncio.Queue(CHUNKS))
                group.create_task(_fetch(client, run_id, waiting.popleft(), open_[-1]))
            while (lines := await open_[0].get()) is not None:
                _write(lines)
            open_.popleft()


async def _fetch(client: Calls, run_id: str, path: str, into: asyncio.Queue[bytes | None]) -> None:
    lines = _Lines(path)
    try:
        async for data in client.logs(run_id, path):
            if whole := lines.add(data):
                await into.put(whole)
    except NotFound:
        pass  # an attempt that never came to write
    if rest := lines.rest():
        await into.put(rest)
    await into.put(None)


async def _follow_all(client: Calls, run_id: str) -> None:
    """Each task's log from its first attempt on, side by side; a line is never torn."""
    async with asyncio.TaskGroup() as group:
        started: set[str] = set()
        async for seen in client.watch(run_id):
            for task in seen.changed:
                if task.attempts and task.path not in started:
                    started.add(task.path)
                    group.create_task(_follow(client, run_id, task.path))


async def _follow(client: Calls, run_id: str, path: str) -> None:
    lines = _Lines(path)
    try:
        async for data in client.logs(run_id, path, follow=True):
            _write(lines.add(data))
    except NotFound:
        return  # an attempt that never came to write
    _write(lines.rest())


class _Lines:
    """A log's bytes → its whole lines with its task's path before each."""

    def __init__(self, path: str) -> None:
        self._before = f"{path}  ".encode()
        self._torn = b""

    def add(self, data: bytes) -> bytes:
        """The lines that DATA ended."""
        *lines, self._torn = (self._torn + data).split(b"\n")
        return b"".join(self._before + line + b"\n" for line in lines)

    def rest(self) -> bytes:
        """The last line, which nothing ended."""
        return self._before + self._torn + b"\n" if self._torn else b""


def _write(data: bytes) -> None:
    if data:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
