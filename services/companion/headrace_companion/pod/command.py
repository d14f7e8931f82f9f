"""The command as the shim reads it (its format: shim/README.md), and the end of it that the shim tells. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

MAGIC: Final = "headrace-command 1"
LONGEST_ARGUMENT: Final = 128 * 1024 - 1  # bytes that Linux takes in one argument or variable


class NotRunnable(Exception):  # noqa: N818 - read as a statement
    """No system could start this; the message says what is too long or wrong."""


@dataclass(frozen=True, slots=True)
class Command:
    """What the shim is to run. `defaults` are variables that the container's own win over, `lists` are put at the end of
    what it has (PATH and the like), `folders` are made and named where what it names is none that its user can write to.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    removed: Sequence[str] = ()
    folder: str = ""  # "": the image's
    timeout_s: float = 0.0
    grace_s: float = 0.0

    def encode(self) -> bytes:
        """Raises NotRunnable."""
        settings = [
            *(f"-{name}" for name in self.removed),
            *(f"?{name}={text}" for name, text in self.defaults.items()),
            *(f"={name}={text}" for name, text in self.env.items()),
            *(f":{name}={text}" for name, text in self.lists.items()),
            *(f"~{name}={text}" for name, text in self.folders.items()),
        ]
        texts = [MAGIC, self.folder, str(_ms(self.timeout_s)), str(_ms(self.grace_s))]
        texts += [str(len(self.argv)), *self.argv, str(len(settings)), *settings, "end"]
        for number, text in enumerate(self.argv):
            _check(text, f"argument {number} of the command")
        for name, text in {**self.defaults, **self.env}.items():
            _check(f"{name}={text}", f"environment variable '{name}'")
        return b"".join(text.encode("utf-8", "surrogatepass") + b"\0" for text in texts)


def _ms(seconds: float) -> int:
    return math.ceil(seconds * 1000)


def _check(text: str, what: str) -> None:
    if "\0" in text:
        raise NotRunnable(f"{what} holds a NUL character, which no system takes there")
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LONGEST_ARGUMENT:
        raise NotRunnable(
            f"{what} would be {size} bytes long; Linux takes at most {LONGEST_ARGUMENT}: "
            "let the task take the value as an artifact, or in a Python component"
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """How the command ended, in the shim's words. `failed`: it could not be started."""

    code: int = -1
    signal: int = 0
    timed_out: bool = False
    stopped: bool = False
    terminated: bool = False
    oom: bool = False
    ready_ms: int = 0
    started_ms: int = 0
    ended_ms: int = 0
    log_errno: int = 0
    failed: str = ""
    errno: int = 0

    @classmethod
    def decode(cls, text: bytes) -> Ended:
        """User code could have written the file: whatever is no number where one should be is refused as ValueError."""
        held = json.loads(text)
        if not isinstance(held, dict) or not set(held) <= set(cls.__slots__):
            raise ValueError("the shim's report is not its own")
        for name, value in held.items():
            if not isinstance(value, str if name == "failed" else int):
                raise ValueError(f"the shim's report says {value!r} for {name}")
        return cls(**held)
