"""Python → IR: `Compiler().compile(...)`, and `Package`, what comes out. Each name's module is imported when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from headrace.compiler.manifests import KubernetesManifestOptions as KubernetesManifestOptions
    from headrace.compiler.package import Package as Package
    from headrace.compiler.writing import Compiler as Compiler

__all__ = ["Compiler", "KubernetesManifestOptions", "Package"]

_MODULE_OF: Final = {"Compiler": "writing", "KubernetesManifestOptions": "manifests", "Package": "package"}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'headrace.compiler' has no attribute {name!r}")
    return getattr(importlib.import_module(f"headrace.compiler.{_MODULE_OF[name]}"), name)
