"""W3C trace context: which trace and span the work that runs here belongs to.

Pure parsing and one context variable; `interceptors` carries it in gRPC metadata both ways, `telemetry` sends the spans out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Ids in lower-case hex, as in `traceparent`; a run's trace id is its UUID without dashes."""

    trace_id: str
    span_id: str
    sampled: bool = True

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


_current: ContextVar[TraceContext | None] = ContextVar("headrace_trace", default=None)


def parse(traceparent: str) -> TraceContext | None:
    """The context in a `traceparent` value; None where it is malformed, as the standard asks."""
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    if found is None or set(found[1]) == {"0"} or set(found[2]) == {"0"} or traceparent.startswith("ff"):
        return None
    return TraceContext(found[1], found[2], sampled=bool(int(found[3], 16) & 1))


current: Final = _current.get  # the context that calls made here carry
enter: Final = _current.set  # for the rest of this asyncio task: what a server's interceptor does


@contextmanager
def within(context: TraceContext | None) -> Iterator[None]:
    """Calls made inside belong to CONTEXT: how the scheduler and the apiserver make calls for a run."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
