"""`headrace.local`: run a pipeline or a component by calling it, on the embedded platform of this machine.

    from headrace import local
    local.init()
    task = train(epochs=3)
    print(task.output)

The names of `kfp.local`, and ours. Importing it starts nothing; the platform starts with the first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.local.calling import run
    from headrace.local.platforms import NoServer
    from headrace.local.results import LocalRun, LocalTask, RunFailed
    from headrace.local.settings import DockerRunner, SubprocessRunner, init

__all__ = ["DockerRunner", "LocalRun", "LocalTask", "NoServer", "RunFailed", "SubprocessRunner", "init", "run"]

_WHERE = {
    "DockerRunner": "settings",
    "LocalRun": "results",
    "LocalTask": "results",
    "NoServer": "platforms",
    "RunFailed": "results",
    "SubprocessRunner": "settings",
    "init": "settings",
    "run": "calling",
}


def __getattr__(name: str) -> Any:
    """The public names, imported when first used."""
    import importlib

    if name not in _WHERE:
        raise AttributeError(f"module 'headrace.local' has no attribute {name!r}")
    return getattr(importlib.import_module(f"headrace.local.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
