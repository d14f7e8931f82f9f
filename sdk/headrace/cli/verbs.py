"""The verbs about runs that exist: list, get, terminate, retry, archive, delete (logs.py has logs, tracing.py the trace)."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from headrace.api.calls import Calls
from headrace.api.catalog import Catalog
from headrace.cli import results
from headrace.display.screen import say, style_of
from headrace.errors import BadInput, NotFound, WrongState
from headrace.models import Run

Verb = Callable[[Calls, argparse.Namespace], Awaitable[int]]


async def perform(verb: Verb, options: argparse.Namespace) -> int:
    async with Calls.to(options.endpoint) as client:
        return await verb(client, options)


async def find_run(client: Calls, text: str) -> Run:
    """RUN: an id, a unique beginning of one, or `latest`."""
    if text == "latest":
        newest = await client.runs.list(limit=1)
        if not newest:
            raise NotFound("there are no runs yet; start one with `headrace run FILE`")
        return newest[0]
    wanted = text.lower()
    if not wanted.strip("-") or set(wanted) - set("0123456789abcdef-"):
        raise BadInput(f"{text!r} is no run: give its id, a unique beginning of it, or `latest`")
    found = [await _whole(client, wanted)] if len(wanted) == 36 else await client.runs.beginning(wanted, limit=5)
    if not found:
        raise NotFound(f"no run's id begins with {text}; `headrace runs list` shows them")
    if len(found) > 1:
        named = ", ".join(run.run_id for run in found[:4])
        more = " and others" if len(found) > 4 else ""
        raise BadInput(f"the ids of several runs begin with {text}: {named}{more}; give more of it")
    return found[0]


async def _whole(client: Calls, run_id: str) -> Run:
    try:
        return await client.runs.get(run_id)
    except NotFound:
        raise NotFound(f"there is no run {run_id}; `headrace runs list` shows them") from None


async def list_runs(client: Calls, options: argparse.Namespace) -> int:
    experiment = options.experiment and (await Catalog(client.connection).experiment(options.experiment)).experiment_id
    runs = await client.runs.list(
        limit=options.limit, experiment_id=experiment, state=options.state, archived=options.archived
    )
    if options.output != "text":
        print(results.printed([results.run_object(run) for run in runs], options.output))
        return 0
    if not runs:
        asked = options.experiment or options.state or options.archived is not None
        say("there are no such runs" if asked else "there are no runs yet; start one with `headrace run FILE`")
    for line in results.listed(runs, style_of(sys.stdout), datetime.now(UTC)):
        print(line)
    return 0


async def get_run(client: Calls, options: argparse.Namespace) -> int:
    run = await find_run(client, options.run)
    tasks = await client.tasks(run.run_id)
    if options.output != "text":
        run = replace(run, outputs=await client.outputs(run))
        print(results.printed(results.as_object(run, tasks, await client.artifacts(run.run_id)), options.output))
        return 0
    width = max(shutil.get_terminal_size().columns, 80)
    print("\n".join(results.shown(run, tasks, width, style_of(sys.stdout), datetime.now(UTC))))
    for line in results.failures(run, tasks):
        say(line)
    return 0


async def terminate(client: Calls, options: argparse.Namespace) -> int:
    run = await find_run(client, options.run)
    return _told(await client.runs.terminate(run.run_id, run_exit_tasks=options.run_exit_tasks), options)


async def retry(client: Calls, options: argparse.Namespace) -> int:
    return _told(await client.runs.retry((await find_run(client, options.run)).run_id), options)


async def archive(client: Calls, options: argparse.Namespace) -> int:
    """Also `unarchive`."""
    run = await find_run(client, options.run)
    change = client.runs.archive if options.action == "archive" else client.runs.unarchive
    await change(run.run_id)
    run = await client.runs.get(run.run_id)
    state = "archived" if run.archived else "not archived"
    print(
        f"{run.run_id} is {state}"
        if options.output == "text"
        else results.printed(results.run_object(run), options.output)
    )
    return 0


async def delete(client: Calls, options: argparse.Namespace) -> int:
    """Nothing brings it back: what goes on, or is pinned, only where that is said."""
    run = await find_run(client, options.run)
    if not options.force:
        _refuse(run)
    await client.runs.delete(run.run_id)
    print(
        results.printed({"run_id": run.run_id}, options.output)
        if options.output != "text"
        else f"{run.run_id} is deleted"
    )
    return 0


def _refuse(run: Run) -> None:
    """Unless it may go without a word more."""
    if not run.ended:
        way = f"`headrace runs terminate {run.run_id}` ends it, and delete with --force ends it and deletes it"
        raise WrongState(f"run {run.run_id} has not ended ({run.state}): {way}")
    if run.pinned:
        way = f"`headrace runs unpin {run.run_id}`, or delete it with --force"
        raise WrongState(f"run {run.run_id} is pinned: {way}")


def _told(run: Run, options: argparse.Namespace) -> int:
    object_ = options.output != "text"
    print(results.printed(results.run_object(run), options.output) if object_ else f"{run.run_id} is {run.state}")
    return 0
