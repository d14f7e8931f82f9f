"""Spans as they go out: a run is one trace, but each thousand iterations of a wide loop are a trace of their own, whose root
and the loop's span, which sums up, link to each other. Read back, a run is one tree (messages.py). Pure; for exporting.py.

Which trace a span is in is a function of its path and of how many iterations the loops on it have, so that the scheduler
(TRACEPARENT) names the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from headrace_persistence.tracing.messages import exported
from headrace_persistence.tracing.parts import SUMMARY, iterations
from headrace_persistence.tracing.records import Link, Part, Span, Task
from headrace_persistence.tracing.spans import RUN_ID, Tracer
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev
from headrace_servicekit import telemetry

PART: Final = "part"  # phase of the root of a part, and of the links to it


def split(tracer: Tracer, ended: Iterable[Span]) -> list[telemetry.Span]:
    """What goes out of the spans that an event has ended."""
    return [one for span in ended for one in _placed(tracer, span)]


def _placed(tracer: Tracer, span: Span) -> Iterator[telemetry.Span]:
    """A span in its trace; before that of a wide loop the roots of its parts."""
    part = lifecycle.part_of(span.path, iterations(tracer.tasks))
    if span.phase == "task":
        loop = tracer.tasks.get(span.path)
        if part is not None and part[0] == lifecycle.parent_path(span.path):
            span = replace(span, parent_id=_root_id(tracer, *part))
        elif loop is not None and loop.wide is not None:
            there = Link(lifecycle.trace_id(tracer.run_id, part), span.span_id, "loop")
            roots = [_root(tracer, loop, number, there) for number in sorted(loop.wide.parts)]
            yield from roots
            span = replace(span, links=(*span.links, *(Link(one.trace_id, one.span_id, PART) for one in roots)))
    yield exported(lifecycle.trace_id(tracer.run_id, part), tracer.run_id, span)


def _root(tracer: Tracer, loop: Task, number: int, there: Link) -> telemetry.Span:
    """The root of a part's trace; THERE: the loop's span."""
    assert loop.wide is not None, f"{loop.path} is wide"
    part: Part = loop.wide.parts[number]
    first = number * lifecycle.WIDE_LOOP
    last = min(first + lifecycle.WIDE_LOOP, loop.iterations) - 1
    told = {"iterations": part.ended, "failed": part.failed, "first": first}
    root = Span(
        _root_id(tracer, loop.path, number),
        "",
        f"{loop.span.name} [{first}] to [{last}]",
        loop.path,
        loop.span.number,
        PART,
        part.first_us,
        part.last_us,
        state="FAILED" if part.failed else "SUCCEEDED",
        attributes={SUMMARY + name: str(figure) for name, figure in told.items()},
        links=(there,),
    )
    return exported(lifecycle.trace_id(tracer.run_id, (loop.path, number)), tracer.run_id, root)


def _root_id(tracer: Tracer, loop: str, number: int) -> str:
    again = tracer.tasks[loop].span.number
    return lifecycle.span_id(tracer.run_id, loop, again, f"{PART}/{number}")


def named_loops(events: Iterable[ev.Event]) -> set[tuple[str, str]]:
    """Loops of other runs, by run and path, that are round the tasks whose results were taken: what their links need."""
    found: set[tuple[str, str]] = set()
    for event in events:
        finished = event.task_finished
        for origin in (finished.cached_from, finished.linked_from):
            run_id, _, path = origin.partition("/")
            while "[" in path and RUN_ID.fullmatch(run_id):
                group = lifecycle.parent_path(path)
                if path.endswith("]"):
                    found.add((run_id, group))
                path = group
    return found
