"""Messages about traces → the SDK's records. Pure; called by api.calls."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from headrace.models import CriticalStep, Span, SpanLink, TimeSpent, Trace
from headrace.reading import EPOCH

if TYPE_CHECKING:
    from headrace_protos.v1 import run_query_pb2


def trace(message: run_query_pb2.GetTraceResponse) -> Trace:
    return Trace(
        message.trace_id,
        tuple(_span(one) for one in message.spans),
        tuple(
            CriticalStep(one.path, one.attempt, one.cause, _time(one.start_us), _time(one.end_us), one.detail)
            for one in message.critical_path
        ),
        tuple(
            TimeSpent(one.cause, one.total_us / 1e6, one.critical_us / 1e6, one.tasks, one.most_path, one.most_us / 1e6)
            for one in message.times
        ),
        _time(message.now_us) if message.now_us else None,
        message.folded,
        message.partial,
    )


def _span(message: run_query_pb2.Span) -> Span:
    return Span(
        span_id=message.span_id,
        parent_span_id=message.parent_span_id,
        name=message.name,
        path=message.path,
        attempt=message.attempt,
        phase=message.phase,
        start=_time(message.start_us),
        end=_time(message.end_us) if message.end_us else None,
        state=message.state,
        attributes=dict(message.attributes),
        links=tuple(SpanLink(one.trace_id, one.span_id, one.kind) for one in message.links),
    )


def _time(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)
