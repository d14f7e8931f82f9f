"""Finding the Python that an image's tag names (`python:3.11-slim` → 3.11) on this machine, without downloading one.

Blocking (it starts candidates to ask for their version); the executor calls it in a thread and once per version.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TAG: Final = re.compile(r"(?:^|/)python:(?P<version>\d+\.\d+)(?:[.\-@]|$)")
NAME: Final = re.compile(r"(?:^|/)python-(?P<major>3)(?P<minor>\d{1,2})(?:[:@]|$)")  # ubi9/python-311
OLDEST: Final = (3, 8)
ASK: Final = "import sys; print('%d.%d' % sys.version_info[:2])"
PROGRAM_ITSELF: Final = "import sys; print(sys.executable)"  # a version manager's shim goes by the name it is called
ASK_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python program; `note` is what the user should know about the choice, or empty."""

    path: str
    version: str
    note: str = ""


def version_of(image: str) -> str:
    """The Python version (3.11) that an image's name promises, or empty."""
    if found := TAG.search(image):
        return found["version"]
    found = NAME.search(image)
    return f"{found['major']}.{found['minor']}" if found else ""


def ours() -> Interpreter:
    """The interpreter below our own virtual environment."""
    return Interpreter(os.path.realpath(sys.executable), f"{sys.version_info[0]}.{sys.version_info[1]}")


class Interpreters:
    """Answers per image, remembered."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._known: dict[str, Interpreter] = {}

    def find(self, image: str) -> Interpreter:
        if image not in self._known:
            self._known[image] = self._choose(image)
        return self._known[image]

    def _choose(self, image: str) -> Interpreter:
        own, version = ours(), version_of(image)
        if not version:
            note = f"the image {image} is not used on this machine; the task runs with Python {own.version}"
            return Interpreter(own.path, own.version, note)
        if version == own.version:
            return own
        if tuple(map(int, version.split("."))) >= OLDEST:
            for path in self._candidates(version):
                if answers(path) == version:
                    return Interpreter(path, version)
        note = f"Python {version} of the image {image} is not on this machine; the task runs with Python {own.version}"
        return Interpreter(own.path, own.version, note)

    def _candidates(self, version: str) -> Iterator[str]:
        for folder in self._environ.get("PATH", "").split(os.pathsep):
            found = shutil.which(f"python{version}", path=folder) if folder else None
            if found:
                yield found
        home = Path(self._environ.get("HOME") or os.path.expanduser("~"))
        pyenv = Path(self._environ.get("PYENV_ROOT") or home / ".pyenv")
        for pattern in (f"{version}.*/bin/python{version}", f"{version}/bin/python{version}"):
            yield from (str(path) for path in sorted((pyenv / "versions").glob(pattern), reverse=True))
        data = Path(self._environ.get("XDG_DATA_HOME") or home / ".local/share")
        yield from (str(path) for path in sorted(data.glob(f"uv/python/*-{version}.*/bin/python{version}")))


def on_path(interpreter: Interpreter, folder: Path) -> Path:
    """A folder for the PATH in which `python` and `python3` are this interpreter."""
    made = folder / f"python-{interpreter.version}"
    made.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        link = made / name
        if not link.is_symlink():
            new = made / f".{name}-{os.getpid()}-{threading.get_ident()}"
            new.symlink_to(_said(interpreter.path, PROGRAM_ITSELF) or interpreter.path)
            new.replace(link)
    return made


def answers(path: str) -> str:
    """The version that a program says it is; empty where it does not run (a shim of a version that is not there)."""
    return _said(path, ASK)


def _said(path: str, question: str) -> str:
    try:
        done = subprocess.run(
            [path, "-I", "-c", question], capture_output=True, timeout=ASK_SECONDS, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
