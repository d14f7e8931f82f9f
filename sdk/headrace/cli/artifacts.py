"""`headrace artifacts`: what a run's tasks put out, listed and downloaded; of all runs by provenance.py. Called by cli.main."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Any

from headrace.api.artifacts import AsyncArtifact
from headrace.api.calls import Calls
from headrace.api.provenance import AsyncArtifacts
from headrace.cli import provenance, results, retention
from headrace.cli.verbs import find_run
from headrace.display.screen import say
from headrace.display.texts import one_line
from headrace.errors import BadInput, HeadraceError, NotFound
from headrace.models import Artifact, Run


async def artifacts(client: Calls, options: argparse.Namespace) -> int:
    """What the action says."""
    if options.action == "diff":
        return await provenance.diff(client, options)
    if options.action in ("erase", "erasures"):
        return await {"erase": retention.erase, "erasures": retention.erasures}[options.action](client, options)
    if options.action == "list":
        return await _listed(client, options)
    run_id, one = await _one(client, options)
    if options.action == "lineage":
        return await provenance.lineage(client, options, one.artifact_id)
    if options.action == "download" and not options.to:
        options.to = file_name(one)
    if options.to == "-":
        return await _copy(AsyncArtifact(client, run_id, one), options)
    if options.to:
        made = await AsyncArtifact(client, run_id, one).download(options.to)
        told = {**artifact_object(one), "path": str(made)}
        print(f"{made}" if options.output == "text" else results.printed(told, options.output))
        return 0
    if not options.artifact:
        return await provenance.shown(client, options, one.artifact_id)
    files = await client.artifact_files(run_id, one)
    told = {**artifact_object(one), "files": [{"name": file.name, "size": file.size} for file in files]}
    if options.output != "text":
        print(results.printed(told, options.output))
        return 0
    print(_line(one))
    for file in files:
        print(f"  {file.size:>12,}  {one_line(file.name)}".rstrip())
    return 0


async def _listed(client: Calls, options: argparse.Namespace) -> int:
    """Of one run, as it has them; with anything to look for, or without a run, as records of their own."""
    wanted = (options.uri, options.type, options.digest, options.metadata, options.pipeline)
    run = await find_run(client, options.run) if options.run else None
    if run is None or any(wanted):
        return await provenance.listed(client, options, run.run_id if run is not None else "")
    return _list(await client.artifacts(run.run_id), options)


async def _one(client: Calls, options: argparse.Namespace) -> tuple[str, Artifact]:
    """The artifact that is named by RUN TASK/NAME, or by itself; with the run of the task that made it."""
    if options.artifact:
        run = await _run_of(client, options)
        return run.run_id, _named(options.artifact, await client.artifacts(run.run_id), run.run_id)
    record = await AsyncArtifacts(client.connection).get(options.run)
    if record.made_by is None:
        if options.action == "download" or options.to:
            raise NotFound(
                f"no run that is still there made {options.run}; read it where it lies: {record.artifact.uri}"
            )
        return "", record.artifact
    return record.made_by.run_id, record.artifact


async def _run_of(client: Calls, options: argparse.Namespace) -> Run:
    """The run of RUN TASK/NAME; a place to download to has an option of its own."""
    try:
        return await find_run(client, options.run)
    except (BadInput, NotFound):
        try:
            await AsyncArtifacts(client.connection).get(options.run)
        except HeadraceError:
            pass
        else:
            sentence = f"{options.run} is an artifact, which needs no TASK/NAME; where it goes is said by --to"
            raise BadInput(f"{sentence} {options.artifact}") from None
        raise


def file_name(one: Artifact) -> str:
    """Where a download goes without --to: beside the others in this folder, under its own name."""
    name = one.uri.partition("?")[0].rstrip("/").rpartition("/")[2]
    return name if name not in ("", ".", "..") and "\0" not in name else one.name or "artifact"


async def _copy(artifact: AsyncArtifact, options: argparse.Namespace) -> int:
    files = await artifact.files()
    if [file.name for file in files] != [""]:
        raise BadInput(f"{options.artifact} is a folder of {len(files)} files; give --to a path, not -")
    async for part in artifact.stream():
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()
    return 0


def artifact_object(one: Artifact) -> dict[str, Any]:
    """The object of `-o json`."""
    return {
        "task": one.task,
        "name": one.name,
        "index": one.index,
        "type": one.type,
        "uri": one.uri,
        "size": one.size,
        "digest": one.digest,
        "metadata": dict(one.metadata),
    }


def _list(found: Sequence[Artifact], options: argparse.Namespace) -> int:
    if options.output != "text":
        print(results.printed([artifact_object(one) for one in found], options.output))
        return 0
    for one in found:
        print(_line(one))
    if not found:
        say("the run's tasks have put out no artifact")
    return 0


def _line(one: Artifact) -> str:
    return f"{one_line(_called(one))} ({one_line(one.type.removeprefix('system.'))})  {one_line(one.uri)}"


def _called(one: Artifact) -> str:
    """How it is named on the command line; a list's later ones by their place."""
    return f"{one.task}/{one.name}" + (f"#{one.index}" if one.index else "")


def _named(text: str, found: Sequence[Artifact], run_id: str) -> Artifact:
    names = {_called(one): one for one in found}
    wanted = text.removesuffix("#0")
    if wanted not in names:
        near = difflib.get_close_matches(wanted, names, 1)
        way = f"did you mean {near[0]}?" if near else f"`headrace artifacts list {run_id}` shows them"
        raise NotFound(f"run {run_id} has no artifact {text}; {way}")
    return names[wanted]
