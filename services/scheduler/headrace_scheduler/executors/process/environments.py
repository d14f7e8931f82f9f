"""Virtual environments for components, made with uv and kept under HOME/environments by what is in them.

An environment is complete when its marker is there, which is written last; a build that a crash interrupted is thrown away
by the next. One build at a time for each environment: tasks of this process share it, other processes wait at a file
lock. Its marker's time says when an environment was last used; `shed` takes away what nobody uses (shedding.py). Called by
the process executor; what goes into an environment is `lightweight`'s PipInstall.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from headrace_companion.lightweight import PipInstall
from headrace_scheduler.executors.process import shedding
from headrace_scheduler.executors.process.indexes import config_files, pip_settings, uv_variables
from headrace_scheduler.executors.process.interpreters import Interpreter

logger = logging.getLogger(__name__)
MARKER: Final = "headrace.json"
SHOWN_LINES: Final = 12
Progress = Callable[[str], None]
NO_INDEX: Final = re.compile(
    r"failed to fetch|error sending request|dns error|connection refused|network is unreachable|could not connect"
    r"|network connectivity is disabled|no-index|tunnel|timed out|certificate",
    re.IGNORECASE,
)
DISK_FULL: Final = re.compile(r"no space left on device", re.IGNORECASE)


class EnvironmentFailed(Exception):  # noqa: N818 - read as a statement
    """An environment could not be made; the message says why and what to do."""

    def __init__(self, message: str, *, temporary: bool) -> None:
        super().__init__(message)
        self.temporary = temporary


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """What an environment is: an interpreter and installs in their order."""

    interpreter: Interpreter
    installs: tuple[PipInstall, ...]

    @property
    def key(self) -> str:
        held = json.dumps([self.interpreter.path, self.interpreter.version, [asdict(one) for one in self.installs]])
        return hashlib.sha256(held.encode()).hexdigest()[:24]

    @property
    def words(self) -> str:
        """The requirements for a sentence."""
        named = [
            word.partition(";")[0] for one in self.installs for word in one.requirements if "typing-ext" not in word
        ]
        return ", ".join(named) or f"Python {self.interpreter.version}"


@dataclass(frozen=True, slots=True)
class Environment:
    """A complete environment."""

    key: str
    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")


class Environments:
    """All environments of one HOME."""

    def __init__(
        self,
        folder: Path,
        uv: str,
        environ: Mapping[str, str],
        keep: shedding.Keep = shedding.Keep(),  # noqa: B008
    ) -> None:
        self.folder = folder
        self._uv = uv
        self._environ = environ
        self._keep = keep
        self._uses: Counter[str] = Counter()  # attempts, by key
        self._sizes: dict[str, int] = {}  # of complete ones: nothing writes into them any more
        self._ready: dict[str, Environment] = {}
        self._builds: dict[str, asyncio.Task[Environment]] = {}
        self._listeners: dict[str, list[Progress]] = {}

    def ready(self, spec: EnvironmentSpec) -> Environment | None:
        """The environment if this process knows that it is complete."""
        return self._ready.get(spec.key)

    async def ensure(self, spec: EnvironmentSpec, progress: Progress) -> Environment:
        """The environment, made if it is not there yet. A cancelled caller does not stop the build for others."""
        known = self._ready.get(spec.key)
        if known is not None:
            return known
        build = self._builds.get(spec.key)
        if build is None or (build.done() and not build.cancelled() and build.exception() is not None):
            self._listeners[spec.key] = []
            build = asyncio.create_task(self._make(spec))
            self._builds[spec.key] = build
        self._listeners[spec.key].append(progress)
        return await asyncio.shield(build)

    @contextlib.contextmanager
    def using(self, spec: EnvironmentSpec) -> Iterator[None]:
        """The environment stays while the block runs; its last use is now, and again at the end."""
        self._uses[spec.key] += 1
        self._touch(spec.key)
        try:
            yield
        finally:
            self._uses -= Counter([spec.key])
            self._touch(spec.key)

    async def shed(self) -> list[str]:
        """Put aside what goes, so that nobody finds it any more; `shedding.clear` deletes it. Answers with the keys."""
        looked = await asyncio.to_thread(lambda: [self._held(key) for key in shedding.keys(self.folder)])
        held = [replace(one, in_use=self._is_in_use(one.key)) for one in looked]
        return [key for key, why in shedding.going(held, self._keep, time.time()) if self._put_aside(key, why)]

    def _held(self, key: str) -> shedding.Held:
        try:
            used_at = (self.folder / key / MARKER).stat().st_mtime
        except OSError:
            return shedding.Held(key, 0.0, 0, in_use=False)
        if key not in self._sizes:
            self._sizes[key] = shedding.size_of(self.folder / key)
        return shedding.Held(key, used_at, self._sizes[key], in_use=False)

    def _is_in_use(self, key: str) -> bool:
        build = self._builds.get(key)
        return self._uses[key] > 0 or (build is not None and not build.done())

    def _put_aside(self, key: str, why: str) -> bool:
        lock = _locked(self.folder / f"{key}.lock", wait=False)
        if lock is None:
            return False  # another process makes it
        try:
            logger.info("the environment %s %s", self._shown(key), why)
            shedding.put_aside(self.folder, key)
            (self.folder / f"{key}.lock").unlink()
        finally:
            os.close(lock)
        for known in (self._ready, self._builds, self._listeners, self._sizes):
            known.pop(key, None)
        return True

    def _shown(self, key: str) -> str:
        try:
            installs = json.loads((self.folder / key / MARKER).read_text())["installs"]
            return ", ".join(word for one in installs for word in one["requirements"]) or key
        except (OSError, ValueError, KeyError, TypeError):
            return key

    def _touch(self, key: str) -> None:
        with contextlib.suppress(OSError):  # it is not made yet, or cannot be
            os.utime(self.folder / key / MARKER)

    async def make_private(self, spec: EnvironmentSpec, folder: Path, progress: Progress) -> None:
        """An environment that belongs to one attempt alone, with pip in it and nothing else."""
        progress(
            f"making an environment with Python {spec.interpreter.version} for a command that may install packages"
        )
        settings = pip_settings(self._environ, config_files(self._environ))
        variables = uv_variables(settings, PipInstall(("pip",)), self._environ)
        await self._uv_run(spec, variables, "venv", "--seed", str(folder))

    async def close(self) -> None:
        """Stop builds that are under way; the next platform makes them anew."""
        running = [build for build in self._builds.values() if not build.done()]
        for build in running:
            build.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _make(self, spec: EnvironmentSpec) -> Environment:
        folder = self.folder / spec.key
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = await asyncio.to_thread(_locked, self.folder / f"{spec.key}.lock")
        try:
            if not (folder / MARKER).is_file():
                await self._build(spec, folder)
        finally:
            if lock is not None:
                os.close(lock)
        environment = Environment(spec.key, folder)
        self._ready[spec.key] = environment
        return environment

    async def _build(self, spec: EnvironmentSpec, folder: Path) -> None:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        self._tell(spec, f"making the environment ({spec.words}) with Python {spec.interpreter.version}")
        settings = pip_settings(self._environ, config_files(self._environ))
        try:
            await self._make_venv(spec, folder, uv_variables(settings, PipInstall(("pip",)), self._environ))
            for install in spec.installs:
                await self._install(spec, folder, install, uv_variables(settings, install, self._environ))
            held = {"interpreter": asdict(spec.interpreter), "installs": [asdict(one) for one in spec.installs]}
            marker = folder / (MARKER + ".new")
            marker.write_text(json.dumps(held))
            marker.replace(folder / MARKER)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise

    async def _make_venv(self, spec: EnvironmentSpec, folder: Path, variables: dict[str, str]) -> None:
        """With pip in it. Where no index can be reached and nothing else has to come from one, by the interpreter's own means,
        which take longer.
        """
        try:
            await self._uv_run(spec, variables, "venv", "--seed", str(folder))
        except EnvironmentFailed:
            if spec.installs:
                raise
            await self._run(spec, {}, spec.interpreter.path, "-m", "venv", "--clear", str(folder))

    async def _install(
        self, spec: EnvironmentSpec, folder: Path, install: PipInstall, variables: dict[str, str]
    ) -> None:
        options = ["--no-deps"] if install.no_deps else []
        await self._uv_run(
            spec, variables, "pip", "install", "--compile-bytecode", *options, "--python", str(folder / "bin/python"),
            "--", *install.requirements,
        )  # fmt: skip

    async def _uv_run(self, spec: EnvironmentSpec, variables: Mapping[str, str], *words: str) -> None:
        python = ("--python", spec.interpreter.path, "--no-python-downloads") if words[0] == "venv" else ()
        await self._run(spec, variables, self._uv, *words[:1], *python, *words[1:])

    async def _run(self, spec: EnvironmentSpec, variables: Mapping[str, str], *command: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**self._environ, **variables},
        )  # fmt: skip
        lines: list[str] = []
        try:
            assert process.stderr is not None
            async for line in process.stderr:
                text = line.decode("utf-8", "replace").rstrip()
                if text:
                    lines.append(text)
                    self._tell(spec, f"making the environment ({spec.words}): {text.strip()}")
            code = await process.wait()
        except BaseException:
            if process.returncode is None:
                process.kill()
            raise
        if code != 0:
            raise failure(spec, lines)

    def _tell(self, spec: EnvironmentSpec, line: str) -> None:
        for progress in self._listeners.get(spec.key, ()):
            progress(line)


def failure(spec: EnvironmentSpec, lines: list[str]) -> EnvironmentFailed:
    """What uv said, with what to do about the commonest causes in front."""
    said = "\n".join(lines[-SHOWN_LINES:])
    hint = ""
    if DISK_FULL.search(said):
        hint = " the disk is full: free some space and retry;"
    elif NO_INDEX.search(said):
        hint = " no package index can be used: check the network, or set PIP_INDEX_URL, PIP_FIND_LINKS or PIP_CERT;"
    message = f"the environment ({spec.words}) could not be made:{hint} uv said: {said}"
    return EnvironmentFailed(message, temporary=bool(hint))


def _locked(path: Path, *, wait: bool = True) -> int | None:
    """A descriptor that holds the lock until it is closed, or its process ends; None: another has it, who is not waited for."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # it went with its environment while we waited
