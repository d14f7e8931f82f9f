"""Deadlines that shrink inward: what a handler may still spend, for the calls that it makes itself.

`interceptors` sets the one variable when a call arrives and reads it when one leaves. A task that outlives the call that made it
needs `create_task(…, context=contextvars.Context())`, or it inherits that call's deadline.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Final

from headrace_servicekit.errors import Reason, ServiceError

LEAST: Final = 0.100  # seconds; with less left nothing useful can be started
MARGIN: Final = 0.020  # seconds that stay here, so that the inner service names its own time-out
DEFAULT: Final = 30.0  # seconds, for a call with one response that sets none

_deadline: ContextVar[float | None] = ContextVar("headrace_deadline", default=None)


def admit(remaining: float | None, method: str) -> None:
    """Start a handler with REMAINING seconds (None: no deadline); raises where too little is left."""
    if remaining is not None and remaining < LEAST:
        left = f"{max(remaining, 0) * 1000:.0f} ms left, at least {LEAST * 1000:.0f} needed"
        raise ServiceError(Reason.DEADLINE, f"{method}: {left}")
    _deadline.set(None if remaining is None else time.monotonic() + remaining)


def remaining() -> float | None:
    """Seconds left for the handler that runs here; None without a deadline."""
    return None if (deadline := _deadline.get()) is None else deadline - time.monotonic()


def inner_timeout(asked: float | None, *, default: float | None = DEFAULT) -> float | None:
    """The time-out of a call made here: the caller's or DEFAULT, and never more than is left."""
    wanted, left = default if asked is None else asked, remaining()
    if left is None:
        return wanted
    left = max(left - MARGIN, 0.001)
    return left if wanted is None else min(wanted, left)
