"""A finished span as plain values, and where spans go: to the sink of the composition root (`headrace_embedded.exporting`).
Live spans come from `interceptors`, those that are made from events from persistence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span; ids in lower-case hex, times in nanoseconds since 1970, STATUS empty where it went well."""

    trace_id: str
    span_id: str
    parent_id: str  # "" for a root
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Value] = field(default_factory=dict)
    status: str = ""
    links: tuple[tuple[str, str], ...] = ()  # (trace id, span id)
    service: str = "headrace"


class SpanSink(Protocol):  # offer never blocks or raises; deliver: ConnectionError where they are not received yet
    def offer(self, *spans: Span) -> None: ...
    async def deliver(self, spans: Sequence[Span]) -> None: ...


on_call: list[Callable[..., None]] = []  # metrics: told (service, method, code, seconds, stream=…) of each call
pools: dict[str, Callable[[], Mapping[str, Any]]] = {}  # the statistics of this process's connection pools
