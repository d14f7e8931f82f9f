"""Headrace: the SDK, the client and the command line.

Importing it loads neither gRPC nor protobuf; `Client`, `AsyncClient` and the errors come when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    """The public names, imported when first used: `import headrace` must stay cheap."""
    import importlib

    if name not in _WHERE:
        raise AttributeError(f"module 'headrace' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
