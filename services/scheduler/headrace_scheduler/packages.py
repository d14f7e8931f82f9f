"""Where tasks that install the same packages into the same image share them: a function of the Launch (ADR 0014). Pure.

A place of the namespace's own: nothing that another namespace's code could have written reaches a task.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import lru_cache
from typing import Final

from headrace_companion.lightweight import recognise
from headrace_companion.templates import join_all
from headrace_scheduler.executors.port import Launch

FOLDER: Final = "packages"
FORMAT: Final = 1


def packages_uri(launch: Launch, default_root: str) -> str:
    """The archive's URI; "" where the command installs nothing that is recognised. `default_root`: the namespace's own place."""
    words = tuple(join_all((*launch.command, *launch.args), lambda reference: "{}"))
    name = _name(launch.image, words)
    return f"{default_root}/{FOLDER}/{name}/tree.tar" if name else ""


@lru_cache(maxsize=1024)
def _name(image: str, words: tuple[str, ...]) -> str:
    component = recognise(words)
    if component is None or not component.installs:
        return ""
    wanted = [FORMAT, image, [asdict(install) for install in component.installs]]
    return hashlib.sha256(json.dumps(wanted).encode("utf-8", "surrogatepass")).hexdigest()
