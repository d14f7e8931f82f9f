"""Headrace: the SDK, the client and the command line.

Importing it loads neither gRPC nor protobuf; what is named here comes when it is first used, modules too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace import compiler as compiler
    from headrace import components as components
    from headrace import dsl as dsl
    from headrace import kubernetes as kubernetes
    from headrace import local as local
    from headrace.async_client import AsyncClient
    from headrace.client import Client
    from headrace.errors import HeadraceError

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "HeadraceError", "__version__"]

_WHERE = {
    "AsyncClient": "headrace.async_client",
    "Client": "headrace.client",
    "HeadraceError": "headrace.errors",
}
_MODULES = ("compiler", "components", "dsl", "errors", "kubernetes", "local")


def __getattr__(name: str) -> Any:
    """The public names, imported when first used: `import headrace` must stay cheap."""
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"headrace.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'headrace' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
