"""The logs of a whole run as one stream of lines. Used by runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from headrace.api.lines import LogLine, lines_of
from headrace.errors import NotFound

if TYPE_CHECKING:
    from headrace.api.calls import Calls

WAITING: Final = 1_000  # lines that nobody has taken yet
AT_ONCE: Final = 32  # logs that are followed side by side


async def all_logs(calls: Calls, run_id: str, *, follow: bool) -> AsyncIterator[LogLine]:
    """With FOLLOW as they are written, else one log after the other."""
    if follow and not (await calls.runs.get(run_id)).ended:
        async for line in _followed(calls, run_id):
            yield line
        return
    for task in await calls.tasks(run_id):
        if task.attempts:
            async for line in _log(calls, run_id, task.path, follow=False):
                yield line


async def _log(calls: Calls, run_id: str, path: str, *, follow: bool) -> AsyncIterator[LogLine]:
    try:
        async for text in lines_of(calls.logs(run_id, path, follow=follow)):
            yield LogLine(path, text)
    except NotFound:
        return  # an attempt that never came to write


async def _followed(calls: Calls, run_id: str) -> AsyncIterator[LogLine]:
    lines: asyncio.Queue[LogLine] = asyncio.Queue(WAITING)
    working = asyncio.create_task(_follow_all(calls, run_id, lines))
    try:
        while True:
            if not lines.empty():
                yield lines.get_nowait()
            elif working.done():
                break
            else:
                getting = asyncio.create_task(lines.get())
                await asyncio.wait({getting, working}, return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    yield getting.result()
                else:
                    getting.cancel()  # what came meanwhile stays in the queue
        if failed := working.exception():
            raise _first(failed)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _follow_all(calls: Calls, run_id: str, lines: asyncio.Queue[LogLine]) -> None:
    """A follower for each task that has begun; of very many at once the rest wait for one that has ended."""
    seats, started = asyncio.Semaphore(AT_ONCE), set[str]()

    async def follow(path: str) -> None:
        async with seats:
            async for line in _log(calls, run_id, path, follow=True):
                await lines.put(line)

    async with asyncio.TaskGroup() as group:
        async for seen in calls.watch(run_id):
            for task in seen.changed:
                if task.attempts and task.path not in started:
                    started.add(task.path)
                    group.create_task(follow(task.path))


def _first(failed: BaseException) -> BaseException:
    """Of what went wrong side by side, one."""
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return failed
