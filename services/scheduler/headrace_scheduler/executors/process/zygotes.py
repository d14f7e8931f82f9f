"""Fork servers from the platform's side: starting them, asking them for processes, and ending them when they are idle.

Protocol with `zygote_main.py`, over a socket pair, JSON with a 4-byte length. To it: `run` (id, request file, record file;
the log's descriptor travels with the message), `signal` (id, signal), `stop`. From it: `ready`, `started` (pid,
start_time), `exited` (code or signal, max_rss in KiB), `failed`. `exited` comes when nothing of the attempt is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from headrace_scheduler.executors.process.runtimes import Runtime

PROGRAM: Final = Path(__file__).with_name("zygote_main.py")
READY_SECONDS: Final = 60.0
END_SECONDS: Final = 4.0
IDLE_SECONDS: Final = 300.0
MOST: Final = 8


class ZygoteFailed(Exception):  # noqa: N818 - read as a statement
    """A fork server could not be started, or died; the message says what it said."""


@dataclass(frozen=True, slots=True)
class Started:
    """The kernel's name of a process."""

    pid: int
    start_time: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a process ended; `lost` = its fork server died first."""

    code: int | None = None
    signal: int | None = None
    max_rss: int = 0
    lost: bool = False
    out_of_memory: bool = False  # the kernel killed something for memory while it ran, and this by KILL


@dataclass(slots=True)
class Running:
    """One process that was asked for."""

    name: str
    started: asyncio.Future[Started] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    exited: asyncio.Future[Outcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Zygote:
    """One fork server. With a runtime it has that imported and forks components; without it starts commands."""

    def __init__(self, python: str, runtime: Runtime | None, environ: Mapping[str, str], errors: Path) -> None:
        self._python = python
        self._runtime = runtime
        self._environ = environ
        self._errors = errors
        self._running: dict[str, Running] = {}
        self._buffer = b""
        self._outgoing: list[tuple[bytes, int | None]] = []
        self._socket: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ready: asyncio.Future[dict[str, Any]] | None = None
        self._starting: asyncio.Task[None] | None = None
        self.used_at = time.monotonic()

    @property
    def idle(self) -> bool:
        return not self._running

    @property
    def dead(self) -> bool:
        return self._starting is not None and self._starting.done() and self._socket is None

    async def start(self) -> None:
        """Start once; later callers wait for the same start."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._ready = asyncio.get_running_loop().create_future()
        mode = ("warm", json.dumps(self._runtime.warm_up())) if self._runtime else ("plain", "")
        self._errors.parent.mkdir(parents=True, exist_ok=True)
        with theirs, self._errors.open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                self._python, str(PROGRAM), mode[0], str(theirs.fileno()), mode[1],
                stdin=asyncio.subprocess.DEVNULL, stdout=errors, stderr=errors,
                pass_fds=(theirs.fileno(),), env=dict(self._environ), start_new_session=True,
            )  # fmt: skip
        self._socket = ours
        asyncio.get_running_loop().add_reader(ours, self._on_readable)
        try:
            ready = await asyncio.wait_for(asyncio.shield(self._ready), READY_SECONDS)
        except (TimeoutError, ZygoteFailed) as error:
            await self.stop()
            said = await asyncio.to_thread(self._errors.read_text, "utf-8", "replace")
            raise ZygoteFailed(f"the interpreter {self._python} did not start: {said.strip()[-2000:]}") from error
        if ready["problem"]:
            await self.stop()
            last = ready["problem"].strip().splitlines()[-1]
            module = self._runtime.module if self._runtime else "nothing"
            raise ZygoteFailed(f"{module} could not be imported by {self._python}: {last}")

    def run(self, name: str, request: Path, record: Path, output: int) -> Running:
        """Ask for a process. The caller closes `output` after this returns."""
        running = Running(name)
        self._running[name] = running
        self.used_at = time.monotonic()
        message = {"op": "run", "id": name, "request": str(request), "record": str(record)}
        self._send(message, os.dup(output))
        return running

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a process's group; one that has ended is no error."""
        if self._socket is not None:
            self._send({"op": "signal", "id": name, "signal": number}, None)

    async def stop(self) -> None:
        """End the server and with it all that it runs."""
        self._close()
        process = self._process
        if process is not None and process.returncode is None:
            try:
                await asyncio.wait_for(process.wait(), END_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()

    def _send(self, message: dict[str, Any], descriptor: int | None) -> None:
        data = json.dumps(message).encode()
        self._outgoing.append((struct.pack("!I", len(data)) + data, descriptor))
        self._flush()

    def _flush(self) -> None:
        """Write what the socket takes. A message is far smaller than a socket's buffer, so it goes whole or not at all."""
        loop = asyncio.get_running_loop()
        while self._outgoing and self._socket is not None:
            data, descriptor = self._outgoing[0]
            try:
                if descriptor is None:
                    self._socket.send(data)
                else:
                    socket.send_fds(self._socket, [data], [descriptor])
            except BlockingIOError:
                loop.add_writer(self._socket, self._flush)
                return
            except OSError:
                self._close()
                return
            self._outgoing.pop(0)
            if descriptor is not None:
                os.close(descriptor)
        if self._socket is not None:
            loop.remove_writer(self._socket)

    def _on_readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        self._buffer += data
        while len(self._buffer) >= 4:
            end = 4 + int(struct.unpack("!I", self._buffer[:4])[0])
            if len(self._buffer) < end:
                return
            message = json.loads(self._buffer[4:end])
            self._buffer = self._buffer[end:]
            self._handle(message)

    def _handle(self, message: dict[str, Any]) -> None:
        event = message.pop("event")
        if event == "ready":
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(message)
            return
        name = message.pop("id")
        running = self._running[name]
        if event == "started":
            if not running.started.done():
                running.started.set_result(Started(**message))
            return
        del self._running[name]
        self.used_at = time.monotonic()
        if event == "failed":
            running.started.set_exception(ZygoteFailed(message["message"]))
            running.started.exception()
            running.exited.cancel()
        elif not running.exited.done():
            running.exited.set_result(Outcome(**message))

    def _close(self) -> None:
        """The socket is gone, and with it the server: tell everybody who waits."""
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        loop.remove_writer(self._socket)
        self._socket.close()
        self._socket = None
        for _, descriptor in self._outgoing:
            if descriptor is not None:
                os.close(descriptor)
        self._outgoing.clear()
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(ZygoteFailed("it ended"))
            self._ready.exception()
        for running in self._running.values():
            if not running.started.done():
                running.started.set_exception(ZygoteFailed("the fork server died"))
                running.started.exception()
            if not running.exited.done():
                running.exited.set_result(Outcome(lost=True))
        self._running.clear()


class Zygotes:
    """The fork servers of one platform: none at first, one for each environment that is in use, at most MOST."""

    def __init__(self, environ: Mapping[str, str], logs: Path) -> None:
        self._environ = environ
        self._logs = logs
        self._zygotes: dict[tuple[str, str], Zygote] = {}

    async def get(self, name: str, python: str, runtime: Runtime | None = None) -> Zygote:
        """The fork server of an environment and a runtime, started if there is none."""
        key = (name, runtime.module if runtime else "")
        held = self._zygotes.get(key)
        if held is None or held.dead:
            await self._make_room()
            held = self._zygotes.get(key)
        if held is None or held.dead:
            errors = self._logs / f"zygote-{name}-{key[1] or 'commands'}.log"
            held = Zygote(python, runtime, self._environ, errors)
            self._zygotes[key] = held
        held.used_at = time.monotonic()
        await held.start()
        return held

    async def end_idle(self, older_than: float = IDLE_SECONDS) -> None:
        """End those that nobody has used for a while, to give their memory back."""
        limit = time.monotonic() - older_than
        await self._end([key for key, one in self._zygotes.items() if one.idle and one.used_at <= limit])

    async def end_of(self, names: Collection[str]) -> None:
        """End those of environments that are gone."""
        await self._end([key for key in self._zygotes if key[0] in names])

    async def close(self) -> None:
        await self._end(list(self._zygotes))

    async def _make_room(self) -> None:
        idle = sorted((one.used_at, key) for key, one in self._zygotes.items() if one.idle)
        excess = len(self._zygotes) + 1 - MOST
        if excess > 0:
            await self._end([key for _, key in idle[:excess]])

    async def _end(self, keys: list[tuple[str, str]]) -> None:
        ended = [self._zygotes.pop(key) for key in keys]
        results = await asyncio.gather(*(one.stop() for one in ended), return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            for result in results:
                if isinstance(result, BaseException):
                    raise result
