"""Who made the call that a handler answers: verified by `interceptors`, read by handlers that must know.

A value and one context variable; `tokens` makes callers of tokens, `policies` says which of them a service lets in.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Caller:
    """A service account of the cluster, as its token names it; a token that is bound to no Pod leaves `pod_*` empty."""

    account: str
    namespace: str
    pod_name: str = ""
    pod_uid: str = ""
    audience: str = ""  # the one of the token's audiences for which it was accepted

    @property
    def name(self) -> str:
        """As the settings name accounts."""
        return f"{self.namespace}:{self.account}"

    @property
    def is_local(self) -> bool:
        """Nobody looked at a token: the platform itself over its sockets, or whoever the public API trusts by address."""
        return not self.account


LOCAL: Final = Caller("", "")
_current: ContextVar[Caller] = ContextVar("headrace_caller", default=LOCAL)
current: Final = _current.get  # who called the handler that runs here
enter: Final = _current.set  # for the rest of this asyncio task: what a server's interceptor does
