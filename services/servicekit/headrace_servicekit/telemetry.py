"""Spans out by OTLP: a small bounded queue that never slows a caller, and one exporter behind it.

Live spans come from `interceptors`, spans made from events come from persistence; both are plain `Span` values. Nothing is
started unless the standard OTEL_EXPORTER_OTLP_* variables name an endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span; ids in lower-case hex, times in nanoseconds since 1970, STATUS empty where it went well."""

    trace_id: str
    span_id: str
    parent_id: str  # "" for a root
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    status: str = ""
    links: tuple[tuple[str, str], ...] = ()  # (trace id, span id)
    service: str = "headrace"
