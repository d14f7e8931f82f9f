"""`headrace cache explain`: why a task took a result from before, or did not. Called by cli.main."""

from __future__ import annotations

import argparse

from headrace.api.calls import Calls
from headrace.cli import results
from headrace.cli.verbs import find_run
from headrace.display.texts import one_line
from headrace.models import CacheAnswer


async def explain(client: Calls, options: argparse.Namespace) -> int:
    """Of one task."""
    run = await find_run(client, options.run)
    found = await client.explain_cache(run.run_id, options.task)
    if options.output != "text":
        print(results.printed({"run_id": run.run_id, "task": options.task, **answer_object(found)}, options.output))
    else:
        print("\n".join(answer_lines(options.task, found)))
    return 0


def answer_object(one: CacheAnswer) -> dict[str, object]:
    """The object of `-o json`."""
    return {
        "outcome": one.outcome,
        "reason": one.reason,
        "key": one.key,
        "origin": one.origin,
        "origin_created_at": results.rfc3339(one.origin_created_at),
        "first_difference": one.first_difference,
        "ours": one.ours,
        "theirs": one.theirs,
        "fields": list(one.fields),
    }


def answer_lines(task: str, one: CacheAnswer) -> list[str]:
    """For people."""
    lines = [f"{one_line(task)}: {one.outcome}", f"  {one_line(one.reason)}"]
    if one.first_difference:
        lines.append(f"  {one_line(one.first_difference)}")
        lines.append(f"    here   {one_line(one.ours) or '(nothing)'}")
        lines.append(f"    there  {one_line(one.theirs) or '(nothing)'}")
    if one.origin and one.origin_created_at is not None:
        lines.append(f"  made {results.rfc3339(one.origin_created_at)} by {one_line(one.origin)}")
    if one.fields:
        lines.append(f"  its key is made of {', '.join(one.fields)}")
    return lines
