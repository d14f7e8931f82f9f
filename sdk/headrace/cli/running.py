"""`headrace run` and `headrace resume`: submit, show it going on, print what came out. Called by cli.main."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from headrace.api.calls import Calls
from headrace.cli import arguments, results
from headrace.cli.authoring import read, warn
from headrace.cli.catalog import experiment_id
from headrace.cli.verbs import find_run
from headrace.display.screen import progress_on, say, style_of
from headrace.errors import BadInput, PlatformUnreachable
from headrace.finding import Address, find, home_folder
from headrace.models import Run
from headrace.own_platform import Local, PlatformEnded, local_platform

Submit = Callable[[Calls], Awaitable[Run]]
Given: TypeAlias = tuple[bytes, str] | None  # a package's bytes and file name; None where a resume gives none


def run(options: argparse.Namespace) -> Coroutine[Any, Any, int]:
    """`headrace run`: reads what is given, and gives what there is to await; the exit code."""
    data, name = read(options.file, options.pipeline, as_kfp=options.as_kfp)
    asked = _asked(options)

    async def submit(client: Calls) -> Run:
        experiment = await experiment_id(client, options.experiment)
        caching = {"refresh": options.refresh, "cache_max_age": options.cache_max_age}
        return await client.submit(data, filename=name, experiment_id=experiment, **caching, **asked)

    return _somewhere(submit, (data, name), options)


def resume(options: argparse.Namespace) -> Coroutine[Any, Any, int]:
    """`headrace resume`; the same."""
    given = None
    if options.file:
        given = read(options.file, options.pipeline, as_kfp=options.as_kfp)
    elif options.pipeline or options.as_kfp:
        raise BadInput("--pipeline and --as-kfp say how FILE is read, and no FILE is given")
    asked = _asked(options)

    async def submit(client: Calls) -> Run:
        origin = await find_run(client, options.run)
        data, name = given or (None, "")
        experiment = await experiment_id(client, options.experiment)
        return await client.resume(
            origin.run_id, data, filename=name, from_tasks=options.from_tasks, experiment_id=experiment, **asked
        )

    return _somewhere(submit, given, options)


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    texts, values = arguments.parameters(options.parameter)
    return {
        "parameters": values,
        "text_parameters": texts,
        "root_artifacts": {name: located(name, uri) for name, uri in arguments.artifacts(options.artifact).items()},
        "enable_cache": options.cache,
        "display_name": options.name,
    }


def located(name: str, given: str) -> str:
    """An artifact's URI; a file or folder of this machine may be given by its path."""
    if "://" in given:
        return given
    if not os.path.exists(given):  # unlike Path.exists, no error where the name is too long
        raise BadInput(
            f"-a {name}: there is no file or folder {given[:200]}; give a path, or a URI such as s3://bucket/x"
        )
    return Path(given).absolute().as_uri()


async def _somewhere(submit: Submit, given: Given, options: argparse.Namespace) -> int:
    """On the platform that is named or up, else on one of our own."""
    address = await asyncio.to_thread(_named, options.endpoint)
    if address is not None:
        return await _on(Local(address), submit, given, options)
    submit = _once(submit)
    while True:
        async with local_platform(say) as local:
            if options.no_wait and local.child is not None:
                raise BadInput(
                    "--no-wait needs a platform that stays: start one with `headrace up`, or give --endpoint"
                )
            try:
                return await _on(local, submit, given, options)
            except PlatformEnded:
                if local.child is not None:
                    raise
        say("the platform, which another process had started, has ended; going on with the next")


def _once(submit: Submit) -> Submit:
    """SUBMIT, which gives the run that it has made when it is asked again."""
    made: list[Run] = []

    async def once(client: Calls) -> Run:
        if not made:
            made.append(await submit(client))
        return made[0]

    return once


def _named(endpoint: str | None) -> Address | None:
    """The platform that the command or the settings name; None where they name none."""
    return find(endpoint) if endpoint or os.environ.get("HEADRACE_ENDPOINT") else None


async def _on(local: Local, submit: Submit, given: Given, options: argparse.Namespace) -> int:
    async with Calls.at(local.address) as client:
        created = await submit(client)
        say(f"run {created.run_id}  {local.address.http}/#/runs/details/{created.run_id}")
        if options.no_wait:
            await _advise(client, given)
            print(
                results.printed(results.run_object(created), options.output)
                if options.output != "text"
                else created.run_id
            )
            return 0
        try:
            await _advise(client, given)
            ended = await _follow(client, created, local)
        except asyncio.CancelledError:
            say(interrupted(created.run_id, own=local.child is not None))
            raise
        return await local.during(_report(client, ended, options))


async def _advise(client: Calls, given: Given) -> None:
    """What the platform's checks say of the package, whose run is created: a lost answer is no reason to leave the run alone."""
    if given is not None:
        with suppress(PlatformUnreachable):
            warn((await client.validate(given[0], filename=given[1])).warnings)


def interrupted(run_id: str, *, own: bool) -> str:
    """What Ctrl-C leaves behind."""
    if own:
        return (
            f"interrupted: run {run_id} is kept and goes on when a platform is up again (`headrace up`); "
            f"to end it then: headrace runs terminate {run_id}"
        )
    return f"interrupted: run {run_id} goes on; to end it: headrace runs terminate {run_id}"


async def _follow(client: Calls, created: Run, local: Local) -> Run:
    """The run when it has ended; a platform of our own that dies is said at once."""
    face = progress_on(sys.stderr, created.display_name)
    drawing = asyncio.create_task(face.draw())
    waiting = asyncio.create_task(local.during(client.wait(created.run_id, progress=face.show)))
    try:
        await asyncio.wait({waiting, drawing}, return_when=asyncio.FIRST_COMPLETED)
        if drawing.done():
            drawing.result()  # a fault of the renderer is a fault to see
        return await waiting
    except PlatformEnded:
        log = home_folder() / "logs" / "platform.log"
        raise PlatformEnded(
            f"the embedded platform ended while run {created.run_id} was going on; its log is {log}. "
            "The run goes on at the next start: headrace up"
        ) from None
    finally:
        for task in (drawing, waiting):
            task.cancel()
        await asyncio.gather(drawing, waiting, return_exceptions=True)
        face.close()


async def _report(client: Calls, run: Run, options: argparse.Namespace) -> int:
    tasks, artifacts = await client.tasks(run.run_id), await client.artifacts(run.run_id)
    for line in results.failures(run, tasks):
        say(line)
    if options.output != "text":
        run = replace(run, outputs=await client.outputs(run))
        print(results.printed(results.as_object(run, tasks, artifacts), options.output))
    else:
        trace = await client.trace(run.run_id)
        width = shutil.get_terminal_size().columns
        lines = results.as_text(run, tasks, artifacts, trace, width, style_of(sys.stdout), datetime.now(UTC))
        print("\n".join(lines))
    return results.exit_code(run.state)
