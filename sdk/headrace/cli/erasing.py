"""`headrace artifacts erase, erasures`: erasing for ever, after a look and a yes. Called by cli.artifacts."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from typing import Any

from headrace.api.calls import Calls
from headrace.api.provenance import AsyncArtifacts
from headrace.api.retention import AsyncRetention
from headrace.cli import results
from headrace.display.screen import say
from headrace.display.texts import many, one_line
from headrace.errors import BadInput
from headrace.retention import Erasure


async def erase(client: Calls, options: argparse.Namespace) -> int:
    """After a look at what it reaches, and a yes."""
    calls = AsyncRetention(client.connection)
    named = options.artifact
    if named.startswith("sha256:"):
        named = str((await AsyncArtifacts(client.connection).get(named)).number)
    asked: dict[str, Any] = {"derived": options.derived, "reason": options.reason}
    if options.dry_run or not options.yes:
        found = await calls.erase(named, dry_run=True, **asked)
        if options.dry_run:
            _print_erasure(found, options)
            return 0
        if not sys.stdin.isatty():
            what = many(len(found.artifacts), "artifact")
            raise BadInput(f"{what} would be erased for ever: look with --dry-run, then say --yes")
        print("\n".join(erasure_lines(found)))
        answer = await _answer("Erase all of this for ever? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            say("nothing was erased")
            return 1
    found = await calls.erase(named, **asked)
    _print_erasure(found, options)
    return 0 if found.finished_at else 1


async def erasures(client: Calls, options: argparse.Namespace) -> int:
    """Who erased what."""
    found = await AsyncRetention(client.connection).erasures(limit=options.limit)
    if options.output != "text":
        print(results.printed([erasure_object(one) for one in found], options.output))
        return 0
    for one in found:
        what = f"{one.artifact_id} with {len(one.artifacts) - 1} more" if len(one.artifacts) > 1 else one.artifact_id
        state = results.rfc3339(one.finished_at) if one.finished_at else "not all of it is gone yet"
        reason = f": {one_line(one.reason)}" if one.reason else ""
        print(f"{results.rfc3339(one.asked_at)}  {one_line(one.asked_by)}  {what}  {state}{reason}")
    if not found:
        say("nothing was erased yet")
    return 0


async def _answer(question: str) -> str:
    """A line of standard input, "" at its end. No thread waits for it: an interruption could not end that."""
    print(question, end="", flush=True)
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def ready() -> None:
        if not line.done():
            line.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin, ready)
    try:
        answer = await line
    finally:
        loop.remove_reader(sys.stdin)
    if not answer:
        print()
    return answer


def _print_erasure(found: Erasure, options: argparse.Namespace) -> None:
    if options.output != "text":
        print(results.printed(erasure_object(found), options.output))
        return
    print("\n".join(erasure_lines(found)))


# ---- pure


def erasure_lines(one: Erasure) -> Iterator[str]:
    done = bool(one.number)
    for artifact in one.artifacts:
        yield one_line(f"{artifact.number}  {artifact.type.removeprefix('system.')}  {artifact.uri}")
    for uri in one.objects:
        yield one_line(f"{'deleted' if done else 'to be deleted'}: {uri}")
    what = f"{many(len(one.artifacts), 'artifact')} of {many(len(one.runs), 'run')}"
    yield f"{what} {('are' if len(one.artifacts) != 1 else 'is') if done else 'would be'} erased"
    if done and one.finished_at is None:
        yield "not all of it is gone yet: the platform goes on"
    for sentence in one.not_erased:
        yield f"not erased: {one_line(sentence)}"


def erasure_object(one: Erasure) -> dict[str, Any]:
    return {
        "number": one.number,
        "artifact_id": one.artifact_id,
        "derived": one.derived,
        "asked_by": one.asked_by,
        "reason": one.reason,
        "asked_at": results.rfc3339(one.asked_at),
        "finished_at": results.rfc3339(one.finished_at),
        "artifacts": [
            {"number": each.number, "artifact_id": each.artifact_id, "type": each.type, "uri": each.uri}
            for each in one.artifacts
        ],
        "objects": list(one.objects),
        "runs": list(one.runs),
        "not_erased": list(one.not_erased),
    }
