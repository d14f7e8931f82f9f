"""A platform for the time of one run: `headrace up` as a child process, found by HOME/up.json, ended by SIGTERM.

Called by cli.running and local.platforms. The child is in a session of its own, so that Ctrl-C reaches us alone; where the
system can (Linux), it is asked to end when this process dies without a word.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from headrace.errors import HeadraceError, PlatformUnreachable
from headrace.finding import Address, home_folder, platform_up

END_WITH = "HEADRACE_END_WITH"
LOOK_EVERY = 0.05  # seconds between two looks for up.json: another process writes it
ENDS_WITHIN = 15.0  # seconds after SIGTERM; it promises 10
OTHER_STARTS_WITHIN = 120.0  # seconds for a platform that another process is starting
COMMAND = ("-m", "headrace", "up", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--quiet")
LOOK_AGAIN = 0.5  # seconds between two looks at whether the platform of another process is still up
REFUSED = 2  # the exit code of a platform that may not start
GONE_WITHIN = 2.0  # seconds after its last answer in which a platform that ends is gone
Say = Callable[[str], None]
T = TypeVar("T")


class DidNotStart(PlatformUnreachable):
    """The embedded platform ended before it was up; the text has the end of its log."""


class PlatformEnded(PlatformUnreachable):
    """The platform ended under the work. Where another process had started it, the work goes on with the next platform."""


@dataclass(slots=True)
class Local:
    """The platform to use; `child` where it is ours, `home` where it is the one that another process has up on this machine."""

    address: Address
    child: asyncio.subprocess.Process | None = None
    home: Path | None = None

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """What WORK gives; PlatformEnded where the platform ends first."""
        doing, ending = asyncio.create_task(work), asyncio.create_task(self._ended())
        try:
            await asyncio.wait({doing, ending}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done() and not (
                isinstance(doing.exception(), PlatformUnreachable) and await self._is_ending(ending)
            ):
                return doing.result()
            raise PlatformEnded(
                "the embedded platform ended; its log is platform.log in the folder logs of HEADRACE_HOME"
            )
        finally:
            for task in (doing, ending):
                task.cancel()
            await asyncio.gather(doing, ending, return_exceptions=True)

    async def _is_ending(self, ending: asyncio.Task[None]) -> bool:
        """A platform that ends answers no more before it is gone."""
        if self.child is not None or self.home is not None:
            await asyncio.wait({ending}, timeout=GONE_WITHIN)
        return ending.done()

    async def _ended(self) -> None:
        """Returns when the platform has ended; never where it is not on this machine."""
        if self.child is not None:
            await self.child.wait()
        elif self.home is not None:
            while await asyncio.to_thread(platform_up, self.home) == self.address:  # noqa: ASYNC110  # another process's
                await asyncio.sleep(LOOK_AGAIN)
        else:
            await asyncio.Event().wait()


@asynccontextmanager
async def local_platform(say: Say, home: Path | None = None) -> AsyncIterator[Local]:
    """The platform that is up on HOME (by default this user's), else one of our own while the block runs."""
    home = home or home_folder()
    if up := await asyncio.to_thread(platform_up, home):
        yield Local(up, home=home)
        return
    log = await asyncio.to_thread(_open_log, home)
    child: asyncio.subprocess.Process | None = None
    try:
        say(_sentence(home))
        refusals = 3
        while True:
            begin = log.tell()
            child = await _spawn(log, home)
            if up := await _up(home, child):
                break
            code, child = child.returncode, None
            if await asyncio.to_thread(_held, home):
                say(f"another platform has {home}; waiting for it")
                if up := await _other(home):
                    break
            elif code == REFUSED and refusals:  # whoever held the folder gave it back just now
                refusals -= 1
            else:
                raise DidNotStart(_why(log, begin, code))
        yield Local(up, child, home)
    finally:
        if child is not None:
            await asyncio.shield(_end(child))
        log.close()


def _sentence(home: Path) -> str:
    if (home / "postgres").exists():
        return f"starting an embedded platform on {home}"
    return f"starting an embedded platform on {home}; its Postgres is made first, which takes some seconds"


def _open_log(home: Path) -> IO[bytes]:
    try:
        (home / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        return (home / "logs" / "platform.log").open("a+b")
    except OSError as failed:
        raise HeadraceError(
            f"cannot write to {home} ({failed.strerror}); set HEADRACE_HOME to a folder that you may write to"
        ) from None


async def _spawn(log: IO[bytes], home: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *COMMAND,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        env={**_environment(), "HEADRACE_HOME": str(home), END_WITH: str(os.getpid())},
    )


def _environment() -> dict[str, str]:
    """Ours, without what this command set for itself: the platform hands its environment on to user code."""
    return {name: value for name, value in os.environ.items() if (name, value) != ("GRPC_VERBOSITY", "NONE")}


def end_with_parent() -> None:
    """In the child: end with the process that started it, also where that one is killed. Elsewhere than on Linux: nothing."""
    parent = os.environ.pop(END_WITH, "")
    if not parent.isdigit() or sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(1, int(signal.SIGTERM), 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != int(parent):
        raise SystemExit(143)


async def _up(home: Path, child: asyncio.subprocess.Process) -> Address | None:
    """Where our child listens; None where it has ended. The platform of a process that was faster does not count as ours."""
    ended = asyncio.ensure_future(child.wait())
    try:
        while not ended.done():
            if up := await asyncio.to_thread(platform_up, home, child.pid):
                return up
            await asyncio.wait({ended}, timeout=LOOK_EVERY)
    except BaseException:
        await asyncio.shield(_end(child))
        raise
    finally:
        ended.cancel()
    return None


async def _other(home: Path) -> Address | None:
    """The platform that another process has or is starting; None where it gave the folder back."""
    async with asyncio.timeout(OTHER_STARTS_WITHIN):
        while await asyncio.to_thread(_held, home):
            if up := await asyncio.to_thread(platform_up, home):
                return up
            await asyncio.sleep(LOOK_EVERY)
    return None


def _held(home: Path) -> bool:
    """Whether somebody holds the folder's lock. Asked only when we start nothing ourselves."""
    try:
        with (home / "up.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    with suppress(ProcessLookupError):
        child.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(child.wait(), ENDS_WITHIN)
    except TimeoutError:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _why(log: IO[bytes], begin: int, code: int | None) -> str:
    lines = tail(log, begin)
    if not lines:
        return f"the embedded platform ended at once (exit code {code}) and said nothing; its log is {log.name}"
    return f"the embedded platform did not start (exit code {code}); the end of {log.name}:\n{lines}"


def tail(log: IO[bytes], begin: int = 0, count: int = 12) -> str:
    """The last lines that were written since BEGIN."""
    with open(log.name, "rb") as opened:
        opened.seek(max(begin, os.fstat(opened.fileno()).st_size - 16_384))
        lines = opened.read().decode(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-count:])
