"""A finished span as plain values, and where spans go.

Live spans come from `interceptors`, spans made from events from persistence; both go to the same sink, which the composition
root makes (`headrace_embedded.exporting`: OTLP, when an endpoint is set).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

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


class SpanSink(Protocol):  # takes spans; never blocks, never raises
    def offer(self, *spans: Span) -> None: ...
