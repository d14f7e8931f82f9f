"""The bundled Postgres of an embedded platform: a child process of ours on a data folder of ours.

`async with BundledPostgres(home) as server: server.dsn()`. Made anew where there is none, recovered without a limit of time
where it crashed, started again if it dies, stopped within seconds; it dies with its parent. `postgres_place` says where and as
whom, `postgres_binaries` with what, `postgres_config` how.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

from headrace_embedded import postgres_launcher
from headrace_embedded.postgres_binaries import Binaries, find_binaries
from headrace_embedded.postgres_config import DATABASE, PORT, USER, authentication, configuration
from headrace_embedded.postgres_place import Place, find_place
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import connect

logger = logging.getLogger(__name__)
STOP_WITHIN: Final = (
    5.0  # seconds for a fast shutdown; after them Postgres is made to end and recovers at its next start
)
LARGEST_LOG: Final = 8 * 1024 * 1024
Progress = Callable[[str], None]


class BundledPostgres:
    """One Postgres below HOME; enter it from the thread that lives as long as the platform (the kernel watches that thread)."""

    def __init__(self, home: Path, *, progress: Progress | None = None) -> None:
        self.home = home.absolute()
        self._progress = progress or logger.info
        self._place: Place
        self._binaries: Binaries
        self._lock: IO[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

    def dsn(self, database: str = DATABASE) -> str:
        """A connection URL; no secret in it, because the socket's folder and the system user are the credentials."""
        return f"postgresql:///{quote(database)}?host={quote(str(self._place.sockets), safe='')}&user={USER}"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def __aenter__(self) -> BundledPostgres:
        try:
            self._place = await asyncio.to_thread(find_place, self.home)
            self._lock = await asyncio.to_thread(_take_lock, self._place, self.home)
            try:
                self._binaries = await asyncio.to_thread(find_binaries, self._place.owner)
                await self._start_first()
            except BaseException:
                await self._stop()
                raise
        except OSError as failed:
            if failed.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _disk_full(self.home) from failed
            raise
        self._supervisor = asyncio.create_task(self._supervise(), name="bundled postgres")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await self._supervisor
        await self._stop()

    async def _start_first(self) -> None:
        await _stop_orphan(self._place.data, self._progress)
        await asyncio.to_thread(_forget_the_dead, self._place)
        new = not (self._place.data / "PG_VERSION").exists()
        if new:
            await self._initialise()
        else:
            _check_major(self._place.data, self._binaries.major)
        await self._start()
        if new:
            connection = await connect(self.dsn("postgres"), "headrace set-up")
            async with connection:
                await connection.execute(f"CREATE DATABASE {DATABASE} STRATEGY = file_copy")

    async def _initialise(self) -> None:
        self._progress("making a new database folder")
        making = self._place.root / "data.new"
        await asyncio.to_thread(shutil.rmtree, making, ignore_errors=True)
        options = [
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
        ]
        if sys.platform == "linux":
            options.append("--sync-method=syncfs")
        with self._log() as log:
            begin = log.tell()
            initdb = await self._launch(
                self._binaries.initdb,
                f"--pgdata={making}",
                f"--username={USER}",
                "--auth=peer",
                "--no-instructions",
                *options,
                log=log,
            )
            if await initdb.wait() != 0:
                raise _failure("initdb", self._log_path, begin)
        os.rename(making, self._place.data)

    async def _start(self) -> None:
        data = self._place.data
        await asyncio.to_thread(self._configure)
        with self._log() as log:
            begin = log.tell()
            self._process = await self._launch(self._binaries.postgres, "-D", str(data), log=log)
        started, said = time.monotonic(), 0.0
        while not _is_ready(data, self._process.pid):
            if self._process.returncode is not None:
                raise _failure("Postgres", self._log_path, begin)
            waited = time.monotonic() - started
            if waited > said + 2:
                said = waited
                self._progress(f"Postgres is recovering ({waited:.0f} s): {_last_line(self._log_path, begin)}")
            await asyncio.sleep(0.005 if waited < 1 else 0.05)

    def _configure(self) -> None:
        try:
            client = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            client = None
        hba, ident = authentication(client)
        texts = {"postgresql.conf": configuration(self._place.sockets), "pg_hba.conf": hba, "pg_ident.conf": ident}
        for name, text in texts.items():
            # initdb made them, so they have the right owner; root follows no link that another user could have put there.
            opened = os.open(self._place.data / name, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
            with os.fdopen(opened, "w", encoding="utf-8") as file:
                file.write(text)

    @property
    def _log_path(self) -> Path:
        return self.home / "logs" / "postgres.log"

    def _log(self) -> IO[bytes]:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        if self._log_path.exists() and self._log_path.stat().st_size > LARGEST_LOG:
            self._log_path.replace(self._log_path.with_suffix(".log.1"))
        return self._log_path.open("ab")

    async def _launch(self, program: Path, *arguments: str, log: IO[bytes]) -> asyncio.subprocess.Process:
        owner = self._place.owner
        uid, gid = (owner.uid, owner.gid) if owner else (-1, -1)
        launcher = [sys.executable, "-I", "-S", postgres_launcher.__file__, str(os.getpid()), str(uid), str(gid)]
        return await asyncio.create_subprocess_exec(
            *launcher,
            str(program),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            start_new_session=True,  # a Ctrl-C in the terminal is for the platform, which stops Postgres last
        )

    async def _supervise(self) -> None:
        """Start Postgres again when it dies under us: the services wait and reconnect."""
        delay = 0.1
        while True:
            assert self._process is not None
            status = await self._process.wait()
            logger.error("Postgres ended with status %s: starting it again", status)
            while True:
                try:
                    await self._start()
                except (ServiceError, OSError) as failed:
                    logger.error("%s; trying again in %.1f s", failed, delay)  # the sentence says it all
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, 10.0)
                    continue
                delay = 0.1
                break

    async def _stop(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            for number, patience in ((signal.SIGINT, STOP_WITHIN), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 5.0)):
                with suppress(ProcessLookupError):
                    process.send_signal(number)
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), patience)
                    break
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _take_lock(place: Place, home: Path) -> IO[str]:
    """The right to this data folder, held as long as the file is open, so also given up by a crash."""
    opened = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    lock = os.fdopen(opened, "r+", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = lock.read(32).strip() or "unknown"
        lock.close()
        raise ServiceError(
            Reason.WRONG_STATE,
            f"the database below {home} is in use by process {holder}: stop it, or choose another HEADRACE_HOME",
        ) from None
    lock.seek(0)
    lock.truncate()
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _is_ready(data: Path, pid: int) -> bool:
    """What Postgres itself writes into the eighth line when it accepts connections; cheaper than trying one."""
    lines = _pid_file(data)
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


async def _stop_orphan(data: Path, progress: Progress) -> None:
    """End a Postgres of a dead platform on this folder (the lock is ours, so no platform lives)."""
    lines = _pid_file(data)
    pid = int(lines[0]) if lines and lines[0].isdigit() else 0
    if not pid or not await asyncio.to_thread(_serves, pid, data):
        return
    progress(f"stopping the Postgres of a platform that died (process {pid})")
    for number, patience in ((signal.SIGINT, STOP_WITHIN), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 5.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if not await asyncio.to_thread(_serves, pid, data):
                return
            await asyncio.sleep(0.02)


def _forget_the_dead(place: Place) -> None:
    """Remove what a killed Postgres left: if its number belongs to another process by now, the next one would not start."""
    place.sockets.joinpath(f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
    if place.data.is_dir():
        place.data.joinpath("postmaster.pid").unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    """Whether process PID is a Postgres on DATA; a number that was given to another program since is not."""
    if sys.platform == "linux":
        try:
            return os.readlink(f"/proc/{pid}/cwd") == str(data)  # the postmaster's working folder is its data folder
        except OSError:
            return False
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return str(data) in listed.stdout


def _check_major(data: Path, major: int) -> None:
    made = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if made != str(major):
        raise ServiceError(
            Reason.WRONG_STATE,
            f"{data} was made by Postgres {made}, this Headrace brings {major}: "
            "start the Headrace that made it, or choose another HEADRACE_HOME",
        )


def _tail(log: Path, begin: int) -> list[str]:
    with log.open("rb") as opened:
        opened.seek(max(begin, log.stat().st_size - 64 * 1024))
        return opened.read().decode(errors="replace").splitlines()


def _last_line(log: Path, begin: int) -> str:
    lines = _tail(log, begin)
    return lines[-1] if lines else "nothing logged yet"


def _failure(program: str, log: Path, begin: int) -> ServiceError:
    lines = _tail(log, begin)
    if any("No space left on device" in line for line in lines):
        return _disk_full(log.parent.parent)
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line] or lines[-1:]
    said = telling[-1] if telling else "it said nothing"
    return ServiceError(Reason.UNAVAILABLE, f"{program} did not start: {said} (all of it in {log})")


def _disk_full(home: Path) -> ServiceError:
    return ServiceError(
        Reason.STORAGE_FULL, f"the disk of {home} is full: make room, then start again; nothing is lost"
    )
