"""`headrace artifacts`: what a run's tasks put out, listed and downloaded; of all runs by provenance.py. Called by cli.main."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Final

from headrace.api.artifacts import AsyncArtifact
from headrace.api.calls import Calls
from headrace.api.provenance import AsyncArtifacts
from headrace.cli import DISK_FULL, erasing, provenance, results
from headrace.cli.trees import place
from headrace.cli.verbs import find_run
from headrace.display.screen import say
from headrace.display.texts import one_line
from headrace.errors import BadInput, NotFound
from headrace.models import Artifact, ArtifactFile, Run
from headrace.provenance import ArtifactRecord

GONE: Final = (
    "{} has no content: it was erased, or never had a place; `headrace artifacts erasures` says who erased what"
)


async def artifacts(client: Calls, options: argparse.Namespace) -> int:
    """What the action says."""
    actions = {
        "list": _list,
        "get": _get,
        "download": _download,
        "lineage": _lineage,
        "diff": provenance.diff,
        "erase": erasing.erase,
        "erasures": erasing.erasures,
    }
    return await actions[options.action](client, options)


async def _list(client: Calls, options: argparse.Namespace) -> int:
    """Of one run, as it has them; with anything to look for, or without a run, as records of their own."""
    wanted = (options.uri, options.type, options.digest, options.metadata, options.pipeline)
    run = await find_run(client, options.run) if options.run else None
    if run is None or any(wanted):
        return await provenance.listed(client, options, run.run_id if run is not None else "")
    found = await client.artifacts(run.run_id)
    if options.output != "text":
        print(results.printed([artifact_object(one) for one in found], options.output))
        return 0
    for one in found:
        print(_line(one))
    if not found:
        say("the run's tasks have put out no artifact")
    return 0


async def _get(client: Calls, options: argparse.Namespace) -> int:
    """Of a run's, its files; of one by itself, who reads and writes it."""
    if options.to:
        return await _download(client, options)
    if not options.artifact:
        return provenance.shown(await _record(client, options.run), options)
    run_id, one = await _of_run(client, options)
    files, missing = await _files(client, run_id, one)
    told = {**artifact_object(one), "files": [{"name": file.name, "size": file.size} for file in files]}
    if options.output != "text":
        print(results.printed(told, options.output))
        return 0
    print("\n".join([_line(one), *provenance.metadata_lines(one)]))
    for file in files:
        print(f"  {file.size:>12,}  {one_line(file.name)}".rstrip())
    if missing:
        say(missing)
    return 0


async def _files(client: Calls, run_id: str, one: Artifact) -> tuple[list[ArtifactFile], str]:
    """Metrics have none where their task wrote down figures alone; then also what the platform says to that."""
    if not one.uri:
        return [], GONE.format(_called(one))
    try:
        return await client.artifact_files(run_id, one), ""
    except NotFound as missing:
        return [], missing.message


async def _download(client: Calls, options: argparse.Namespace) -> int:
    run_id, one = await _readable(client, options)
    artifact = AsyncArtifact(client, run_id, one)
    if not one.uri:
        raise NotFound(GONE.format(options.artifact or options.run))
    try:
        if options.to == "-":
            return await _copy(artifact, options.artifact or options.run)
        made = await _put(artifact, options.to or file_name(one))
    except NotFound as missing:
        if not one.metadata:
            raise
        way = f"`headrace artifacts get {options.run} {options.artifact}".rstrip()
        raise NotFound(f"{missing}; what its task wrote down is shown by {way}`") from None
    told = {**artifact_object(one), "path": str(made)}
    print(f"{made}" if options.output == "text" else results.printed(told, options.output))
    return 0


async def _put(artifact: AsyncArtifact, place: str) -> Path:
    try:
        return await artifact.download(place)
    except OSError as refused:
        if refused.errno in DISK_FULL:
            raise
        raise BadInput(f"{place} cannot be written: {refused.strerror}; name another place with --to") from None


async def _lineage(client: Calls, options: argparse.Namespace) -> int:
    if options.artifact:
        _, one = await _of_run(client, options)
    else:
        one = (await _record(client, options.run)).artifact
    return await provenance.lineage(client, options, one.artifact_id)


# ---- which one


async def _readable(client: Calls, options: argparse.Namespace) -> tuple[str, Artifact]:
    """With the run through which its content is read."""
    if options.artifact:
        return await _of_run(client, options)
    record = await _record(client, options.run)
    if record.made_by is None:
        raise NotFound(f"no run that is still there made {options.run}; read it where it lies: {record.artifact.uri}")
    return record.made_by.run_id, record.artifact


async def _record(client: Calls, named: str) -> ArtifactRecord:
    """The artifact that is named by itself; a run is not enough."""
    try:
        return await AsyncArtifacts(client.connection).get(named)
    except NotFound:
        if named.isdecimal() or not await _is(find_run(client, named)):
            raise
    way = f"`headrace artifacts list {named}` shows them"
    raise BadInput(f"{named} is a run: name one of its artifacts too, as TASK/NAME; {way}")


async def _of_run(client: Calls, options: argparse.Namespace) -> tuple[str, Artifact]:
    """The artifact that is named by RUN TASK/NAME."""
    run = await _run_of(client, options)
    return run.run_id, _named(options.artifact, await client.artifacts(run.run_id), run.run_id)


async def _run_of(client: Calls, options: argparse.Namespace) -> Run:
    """The run of RUN TASK/NAME; a place to download to has an option of its own."""
    try:
        return await find_run(client, options.run)
    except (BadInput, NotFound):
        if not await _is(AsyncArtifacts(client.connection).get(options.run)):
            raise
    sentence = f"{options.run} is an artifact, which needs no TASK/NAME; where it goes is said by --to"
    raise BadInput(f"{sentence} {options.artifact}")


async def _is(asked: Awaitable[object]) -> bool:
    try:
        await asked
    except (BadInput, NotFound):
        return False
    return True


def file_name(one: Artifact) -> str:
    """Where a download goes without --to: beside the others in this folder, under its own name."""
    name = one.uri.partition("?")[0].rstrip("/").rpartition("/")[2]
    return name if name not in ("", ".", "..") and "\0" not in name else one.name or "artifact"


async def _copy(artifact: AsyncArtifact, named: str) -> int:
    files = await artifact.files()
    if [file.name for file in files] != [""]:
        raise BadInput(f"{named} is a folder of {len(files)} files; give --to a path, not -")
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


def _line(one: Artifact) -> str:
    return f"{one_line(_called(one))} ({one_line(one.type.removeprefix('system.'))})  {place(one)}"


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
