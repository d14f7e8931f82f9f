"""The platform that this process uses: the one that is up on this machine, else one of its own until the process ends.

Our own is `headrace up` as a child, which a debugger does not stop and a busy interpreter does not starve; it ends with this
process, also where that is killed. The thread of the blocking client talks to it, so that calls work from any thread, also from
one whose own loop is running. Called by `calling`.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from headrace.api.calls import Calls
from headrace.api.runner import SHARED
from headrace.errors import HeadraceError, PlatformUnreachable
from headrace.finding import home_folder, platform_up
from headrace.own_platform import Local, local_platform

T = TypeVar("T")
Say = Callable[[str], None]


class NoServer(HeadraceError):  # noqa: N818  # the names are what people read; all are errors
    """The platform is not installed beside the SDK."""


@dataclass(slots=True)
class Opened:
    """A platform in use, and what gives it back."""

    home: Path
    local: Local
    calls: Calls
    stack: AsyncExitStack

    @property
    def lives(self) -> bool:
        """Whether it still answers, as far as can be told without asking it."""
        return self.local.child is None or self.local.child.returncode is None


class Session:
    """The process's loop, and the platforms that are held on it, by HOME."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._runner = SHARED.take()
        self._opening = asyncio.Lock()
        self._opened: dict[Path, Opened] = {}
        self._gone: list[Opened] = []  # of platforms that ended; closed late, for calls may still be under way on them

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """WORK, begun on the loop."""
        return self._runner.begin(work)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of WORK; an interruption cancels it."""
        return self._runner.run(work)

    async def platform(self, say: Say, home: Path | None = None) -> Opened:
        """The platform of HOME, else of the one that the settings name now; started where none is up."""
        home = home or home_folder()
        async with self._opening:
            held = self._opened.get(home)
            if held is not None and held.lives and await asyncio.to_thread(platform_up, home) == held.local.address:
                return held
            if held is not None:
                self._gone.append(self._opened.pop(home))
            self._opened[home] = opened = await _open(home, say)
            return opened

    def close(self) -> None:
        """End what is ours. At the end of the process."""
        if os.getpid() == self.pid:
            self._runner.run(self._close_all())
            SHARED.give_back(self._runner)

    async def _close_all(self) -> None:
        for opened in [*self._gone, *self._opened.values()]:
            await opened.stack.aclose()


async def _open(home: Path, say: Say) -> Opened:
    if await asyncio.to_thread(platform_up, home) is None and not entry_points(group="headrace.commands", name="up"):
        raise NoServer(
            "headrace.local needs the embedded platform, which is not installed here: pip install 'headrace[server]'"
        )
    async with AsyncExitStack() as stack:
        local = await stack.enter_async_context(local_platform(say, home))
        calls = await stack.enter_async_context(Calls.at(local.address))
        return Opened(home, local, calls, stack.pop_all())
    raise PlatformUnreachable(f"no platform could be opened on {home}")  # a stack never swallows what was raised


_session: Session | None = None
_making = threading.Lock()


def session() -> Session:
    """This process's."""
    global _session  # noqa: PLW0603  # one for each process is what it is
    if _session is not None and _session.pid != os.getpid():
        raise HeadraceError(
            "this process was forked from one that has called headrace.local, and gRPC does not work after that; start it with "
            "multiprocessing's 'spawn', or call nothing before the fork"
        )
    with _making:
        if _session is None:
            _session = Session()
            atexit.register(_session.close)
        return _session
