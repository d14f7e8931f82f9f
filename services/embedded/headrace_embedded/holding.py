"""Who holds a data folder: the lock that one platform takes on HOME, and up.json, by which clients find it.

Used by composing.py and by the commands; the SDK reads up.json, and reads it alone.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headrace_servicekit.errors import Reason, ServiceError


@contextmanager
def held(home: Path) -> Iterator[None]:
    """HOME is this process's while the block runs; a ServiceError that says who has it otherwise."""
    make_home(home)
    lock = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError(Reason.WRONG_STATE, _holder(home)) from None
        os.ftruncate(lock, 0)
        os.write(lock, json.dumps({"pid": os.getpid()}).encode())
        (home / "up.json").unlink(missing_ok=True)  # of a platform that was killed
        yield
    finally:
        os.close(lock)


def make_home(home: Path) -> None:
    """HOME, private to its user where we make it; a sentence where it cannot be written."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "logs").mkdir(mode=0o700, exist_ok=True)
    except OSError as failed:
        raise ServiceError(
            Reason.INVALID_INPUT,
            f"cannot write to {home} ({failed.strerror}); set HEADRACE_HOME to a folder that you may write to",
        ) from failed


@contextmanager
def announced(home: Path, facts: Mapping[str, Any]) -> Iterator[None]:
    """up.json says where the platform listens while the block runs; written whole or not at all."""
    path = home / "up.json"
    fresh = home / "up.json.new"
    fresh.write_text(json.dumps(dict(facts), indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _holder(home: Path) -> str:
    try:
        pid = int(json.loads((home / "up.lock").read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"another platform holds {home}; stop it, or set HEADRACE_HOME to another folder"
    try:
        where = json.loads((home / "up.json").read_text(encoding="utf-8"))["http_address"]
        return f"process {pid} holds {home} and serves it on http://{where}; use that, or set HEADRACE_HOME to another folder"
    except (OSError, ValueError, KeyError, TypeError):
        return f"process {pid} holds {home} and is starting or stopping; wait for it, or set HEADRACE_HOME to another folder"
