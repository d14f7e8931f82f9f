"""Answers `import kfp` by Headrace, where it is asked for: `--as-kfp`, or `kfp_alias.install()`. Never by default.

While it is on, `kfp`, `kfp.dsl`, `kfp.compiler` and what else pipeline files import of KFP's SDK are our modules; the names are
in names.py, the import hook is in finding.py. Called by the CLI, by tests, and in a task's container by the prelude of a
component that was compiled so: nothing is imported here but the standard library, and our modules only as names are used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from headrace.kfp_alias.finding import AliasModule, Finder
from headrace.kfp_alias.names import KFP_VERSION

__all__ = ["KFP_VERSION", "install", "installed", "is_on", "undo"]

_before: dict[str, object] = {}  # what `kfp` was before: the bare namespace that kfp-pipeline-spec leaves


def is_on() -> bool:
    """Whether `import kfp` is answered by us; components compiled meanwhile carry the alias to their container."""
    return any(isinstance(finder, Finder) for finder in sys.meta_path)


def install() -> None:
    """From now on `import kfp` gives Headrace's modules. Again: nothing. BadInput where KFP's own SDK is imported already."""
    if is_on():
        return
    if _is_real():
        from headrace.errors import BadInput

        raise BadInput(
            f"KFP's own SDK is imported already, from {_whereabouts()}, so that Headrace cannot answer for it; "
            "call headrace.kfp_alias.install() before the first `import kfp`, or change the imports to headrace"
        )
    if "kfp" in sys.modules:
        _before["kfp"] = sys.modules.pop("kfp")
    sys.meta_path.insert(0, Finder())


def undo() -> None:
    """`import kfp` is again what it was. Modules that imported it meanwhile keep what they have."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
    for name in [name for name, module in sys.modules.items() if isinstance(module, AliasModule)]:
        del sys.modules[name]
    if "kfp" in _before:
        sys.modules["kfp"] = _before.pop("kfp")  # type: ignore[assignment]  # it came from there


@contextmanager
def installed() -> Iterator[None]:
    """The alias while the block runs; one that was on before stays on after it."""
    already = is_on()
    install()
    try:
        yield
    finally:
        if not already:
            undo()


def _is_real() -> bool:
    """Whether KFP's SDK is imported; `kfp` alone may be the namespace that kfp-pipeline-spec leaves, which has no file."""
    return "kfp.dsl" in sys.modules or getattr(sys.modules.get("kfp"), "__file__", None) is not None


def _whereabouts() -> str:
    for name in ("kfp", "kfp.dsl"):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            return str(file)
    return "an unknown place"
