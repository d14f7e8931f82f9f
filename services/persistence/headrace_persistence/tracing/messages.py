"""A trace as it is answered, and its spans as they are exported: the same ids, times, links and attributes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headrace_persistence.tracing.causes import by_cause
from headrace_persistence.tracing.critical import Step, critical_path
from headrace_persistence.tracing.folding import chosen, shortened, stand_ins, with_groups
from headrace_persistence.tracing.records import Span, Spent
from headrace_persistence.tracing.spans import Tracer
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_servicekit import telemetry

SOURCE: Final = "event"  # what a span was made from: those of calls say "live"


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a run: its critical path, and the paths of the tasks whose spans are told (None = all)."""

    path: list[Step]
    shown: set[str] | None


def view(tracer: Tracer, now_us: int) -> View:
    """Needs no spans, but what the time of all tasks was spent on."""
    path = critical_path(tracer.tasks, now_us)
    return View(path, chosen(tracer.tasks, with_groups(path), now_us))


def answer(tracer: Tracer, seen: View, spans: list[Span], now_us: int) -> rq.GetTraceResponse:
    """What GetTrace says of the run; SPANS: those of what is shown."""
    folded = 0
    if seen.shown is not None:
        others = stand_ins(tracer.run_id, tracer.tasks, seen.shown)
        spans = sorted([*(one for one in spans if one.path in seen.shown), *others], key=lambda span: span.start_us)
        folded = len(tracer.tasks) - len(seen.shown)
    return rq.GetTraceResponse(
        trace_id=tracer.trace_id,
        spans=[message(tracer.run_id, span) for span in spans],
        critical_path=[_step(one) for one in shortened(seen.path)],
        times=[_spent(one) for one in by_cause(tracer, seen.path, now_us)],
        now_us=now_us,
        folded=folded,
    )


def _spent(spent: Spent) -> rq.TimeSpent:
    return rq.TimeSpent(
        cause=spent.cause,
        total_us=spent.total_us,
        critical_us=spent.critical_us,
        tasks=spent.tasks,
        most_path=spent.most,
        most_us=spent.most_us,
    )


def _step(step: Step) -> rq.CriticalStep:
    stretch = step.stretch
    return rq.CriticalStep(
        path=step.path,
        attempt=stretch.attempt,
        cause=stretch.cause,
        start_us=stretch.start_us,
        end_us=stretch.end_us,
        detail=stretch.detail,
    )


def message(run_id: str, span: Span) -> rq.Span:
    """A span as it is read back."""
    return rq.Span(
        span_id=span.span_id,
        parent_span_id=span.parent_id,
        name=span.name,
        path=span.path,
        attempt=span.number,
        phase=span.phase,
        start_us=span.start_us,
        end_us=span.end_us,
        state=span.state,
        attributes=_attributes(run_id, span),
        links=[rq.SpanLink(trace_id=one.trace_id, span_id=one.span_id, kind=one.kind) for one in span.links],
    )


def exported(trace_id: str, run_id: str, span: Span) -> telemetry.Span:
    """A span as the exporter takes it."""
    attributes: dict[str, telemetry.Value] = {**_attributes(run_id, span), "headrace.phase": span.phase}
    if span.state:
        attributes["headrace.state"] = span.state
    if span.phase not in ("run", "task", "waiting", "part"):
        attributes["headrace.attempt"] = span.number
    failed = span.state in ("FAILED", "LOST")
    return telemetry.Span(
        trace_id=trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=span.name,
        start_ns=span.start_us * 1000,
        end_ns=max(span.end_us * 1000, span.start_us * 1000 + 1),  # Jaeger takes one without length for a fault
        attributes=attributes,
        status=(span.attributes.get("error.message", "") or span.state) if failed else "",
        links=tuple((one.trace_id, one.span_id) for one in span.links),
    )


def _attributes(run_id: str, span: Span) -> dict[str, str]:
    made = {"headrace.source": SOURCE, "headrace.run_id": run_id}
    if span.path:
        made["headrace.path"] = span.path
    return made | span.attributes
