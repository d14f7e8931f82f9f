"""`headrace runs watch`: a run as it goes on, or its events or those of all runs, one a line. Called by cli.main."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import aclosing

from headrace.api.calls import Calls
from headrace.api.watching import events
from headrace.cli import results
from headrace.cli.verbs import find_run
from headrace.display.screen import progress_on
from headrace.display.texts import one_line
from headrace.models import Event, Run


async def watch(client: Calls, options: argparse.Namespace) -> int:
    """Until the run has ended, then its exit code; of all runs until it is interrupted."""
    as_json = options.json or options.output == "json"
    run = await find_run(client, options.run) if options.run else None
    if run is None:  # a platform that is not there is told of at once; one that goes away is waited for
        await client.runs.list(limit=1)
    chosen = as_json or options.kind or options.after or options.now or options.no_follow
    if run is not None and not chosen:
        return results.exit_code((await _shown(client, run)).state)
    found = events(
        client,
        run.run_id if run else "",
        after=options.after,
        from_now=options.now,
        kinds=options.kind,
        follow=not options.no_follow,
    )
    async with aclosing(found):  # also where nobody reads what is printed any more
        async for event in found:
            print(json_line(event) if as_json else text_line(event, named=run is None), flush=True)
    if run is None or options.no_follow:
        return 0
    return results.exit_code((await client.runs.get(run.run_id)).state)


async def _shown(client: Calls, run: Run) -> Run:
    face = progress_on(sys.stderr, run.display_name)
    drawing = asyncio.create_task(face.draw())
    try:
        return await client.wait(run.run_id, progress=face.show)
    finally:
        drawing.cancel()
        await asyncio.gather(drawing, return_exceptions=True)
        face.close()


def json_line(event: Event) -> str:
    """The object that server-sent events carry too."""
    fields = ("sequence", "run_id", "seq", "kind", "time", "path", "attempt", "data")
    return json.dumps({name: getattr(event, name) for name in fields} | {"time": results.rfc3339(event.time)})


def text_line(event: Event, *, named: bool) -> str:
    """When, in which run where NAMED, where in it, what, and how it ended or what it waits for."""
    where = f"{event.path}#{event.attempt}" if event.attempt else event.path or "run"
    state = str(event.data.get("state", "")).partition("_")[2]
    why = event.data.get("waiting_on", {}).get("detail", "") or event.data.get("error", {}).get("message", "")
    time = f"{event.time:%H:%M:%S}" if event.time else "--:--:--"
    parts = [time, *([event.run_id] if named else []), where, event.kind, state, one_line(why)]
    return "  ".join(part for part in parts if part)
