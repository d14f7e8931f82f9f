"""The program that calls a component's function, KFP's or ours, and what has to be installed for it.

Ours is not installed where this platform has it: a folder with nothing else in it goes to the end of the interpreter's
path, so that a version that the component brings itself comes first. Called by attempts.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from headrace_companion.lightweight import OurRuntime, PipInstall, PythonComponent, runs_our_runtime

OLDEST: Final = (3, 9)
FOLDER: Final = "runtime"
AS_KFP: Final = "--as_kfp"


@dataclass(frozen=True, slots=True)
class Runtime:
    """A module for `python -m`, what a fork server imports beforehand, and a folder for the end of the path ("": none)."""

    module: str
    imports: tuple[str, ...]
    path: str = ""

    def warm_up(self) -> dict[str, Any]:
        """As the fork server is told."""
        return {"module": self.module, "imports": self.imports, "path": self.path}


_DSL: Final = ("annotations", "artifacts", "constants", "final_status", "notebooks", "task_config")
OURS: Final = Runtime(
    "headrace.runtime",
    ("logging", "headrace.runtime.command_line", "headrace.kfp_alias", *(f"headrace.dsl.{name}" for name in _DSL)),
)
KFP: Final = Runtime("kfp.dsl.executor_main", ("logging", "kfp.dsl.executor", "kfp.dsl.kfp_config", "kfp.dsl.utils"))
# A component that installs no kfp expects it in its image; this one stands in.
KFP_INSTALL: Final = (PipInstall(("kfp==2.17.3",), no_deps=True),)


def runtime_of(component: PythonComponent, home: Path) -> tuple[Runtime, tuple[PipInstall, ...]]:
    """The runtime of a component, and the installs that make its environment."""
    wanted = component.runtime
    if wanted is None:
        return KFP, component.installs or KFP_INSTALL
    if not wanted.version or _serves(wanted.version):
        return Runtime(OURS.module, OURS.imports, own_copy(home) if wanted.version else ""), component.installs
    return OURS, (*component.installs, _install(wanted, component.installs))


def too_old(version: str) -> str:
    """What the command itself would say where the image's Python is older than our runtime needs; "" where it is not."""
    if tuple(map(int, version.split("."))) >= OLDEST:
        return ""
    return f"Python {version} is too old: components need Python 3.9 or newer, choose another base_image"


def flags_of(component: PythonComponent) -> tuple[str, ...]:
    """Arguments for the runtime besides those of KFP's."""
    return (AS_KFP,) if component.runtime is not None and component.runtime.as_kfp else ()


def _install(wanted: OurRuntime, others: tuple[PipInstall, ...]) -> PipInstall:
    """The runtime from the indexes that the component's packages come from."""
    requirement = (wanted.requirement or f"headrace=={wanted.version}",)
    if not others:
        return PipInstall(requirement, no_deps=True)
    first = others[0]
    return PipInstall(requirement, True, first.index_url, first.extra_index_urls, first.trusted_hosts)


@cache
def _serves(version: str) -> bool:
    """Whether this platform has a runtime that stands in for VERSION."""
    if find_spec("headrace") is None:
        return False
    from headrace.runtime import serves

    return serves(version)


def show_ours(argv: Sequence[str], env: dict[str, str], home: Path) -> None:
    """Let a literal command that names our runtime find this platform's, unless its own PYTHONPATH has one."""
    if runs_our_runtime(argv) and find_spec("headrace") is not None:
        env["PYTHONPATH"] = os.pathsep.join([*filter(None, [env.get("PYTHONPATH")]), own_copy(home)])


def own_copy(home: Path) -> str:
    """A folder in which nothing but `headrace` can be imported: this platform's own."""
    found = find_spec("headrace")
    assert found is not None
    assert found.origin is not None
    folder = home.absolute() / FOLDER
    link, package = folder / "headrace", Path(found.origin).parent
    if not link.is_symlink() or link.readlink() != package:
        folder.mkdir(parents=True, exist_ok=True)
        # Attempts that begin at once do this side by side, each in a thread.
        new = folder / f"headrace.{os.getpid()}-{threading.get_ident()}"
        new.unlink(missing_ok=True)
        new.symlink_to(package)
        new.replace(link)
    return str(folder)
