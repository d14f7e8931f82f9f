"""`headrace trace RUN`. Called by cli.main; what it prints for programs is in docs/reference/cli.md."""

from __future__ import annotations

import argparse
import shutil
import sys
from datetime import UTC, datetime
from typing import Any

from headrace.api.calls import Calls
from headrace.cli import results, spending
from headrace.cli.verbs import find_run
from headrace.cli.waterfall import ROWS, waterfall
from headrace.display.screen import say, style_of
from headrace.models import Span, Trace


async def trace(client: Calls, options: argparse.Namespace) -> int:
    """The waterfall, the critical path and the time by cause; with --critical the path step by step."""
    run = await find_run(client, options.run)
    found = await client.trace(run.run_id)
    if options.output != "text":
        print(results.printed(trace_object(found), options.output))
        return 0
    style, now = style_of(sys.stdout), found.now or datetime.now(UTC)
    width = shutil.get_terminal_size().columns
    if options.critical:
        lines = spending.steps(found, width, style)
    else:
        lines = waterfall(found, now, width, style, None if options.all else ROWS)
        lines += spending.critical_line(found, width, style)
        lines += spending.by_cause(found, width, style)
    lines.append(results.summary(run, await client.tasks(run.run_id), style, datetime.now(UTC)))
    print("\n".join(lines))
    if found.partial:
        say("the run has more events than a trace is made of: this is of the first ones")
    return 0


def trace_object(trace: Trace) -> dict[str, Any]:
    return {
        "trace_id": trace.trace_id,
        "now": results.rfc3339(trace.now),
        "folded": trace.folded,
        "partial": trace.partial,
        "critical_path": [
            {
                "path": one.path,
                "attempt": one.attempt,
                "cause": one.cause,
                "start": results.rfc3339(one.start),
                "end": results.rfc3339(one.end),
                "detail": one.detail,
            }
            for one in trace.critical_path
        ],
        "times": [
            {
                "cause": one.cause,
                "total_s": one.total,
                "critical_s": one.critical,
                "tasks": one.tasks,
                "most_path": one.most_path,
                "most_s": one.most,
            }
            for one in trace.times
        ],
        "spans": [_span_object(span) for span in trace.spans],
    }


def _span_object(span: Span) -> dict[str, Any]:
    return {
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "name": span.name,
        "path": span.path,
        "attempt": span.attempt,
        "phase": span.phase,
        "state": span.state,
        "start": results.rfc3339(span.start),
        "end": results.rfc3339(span.end),
        "attributes": dict(span.attributes),
        "links": [{"trace_id": one.trace_id, "span_id": one.span_id, "kind": one.kind} for one in span.links],
    }
