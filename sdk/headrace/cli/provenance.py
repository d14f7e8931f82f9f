"""`headrace artifacts list, get, lineage, diff` about artifacts of all runs. Called by cli.artifacts; what is printed is pure."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from headrace.api.calls import Calls
from headrace.api.provenance import AsyncArtifacts
from headrace.cli import arguments, results
from headrace.cli.trees import SHOWN, lineage_lines, record_line
from headrace.display.screen import say, style_of
from headrace.display.texts import fit, one_line
from headrace.models import Artifact
from headrace.provenance import ArtifactRecord, ArtifactUse, Difference, Direction, Lineage, LineageTask


async def listed(client: Calls, options: argparse.Namespace, run_id: str) -> int:
    """Artifacts by what they are."""
    found = await AsyncArtifacts(client.connection).find(
        uri=options.uri,
        kind=options.type,
        digest=options.digest,
        pipeline=options.pipeline,
        run_id=run_id,
        metadata=arguments.metadata(options.metadata),
        limit=options.limit,
    )
    if options.output != "text":
        print(results.printed([record_object(one) for one in found], options.output))
        return 0
    for one in found:
        print(record_line(one))
    if not found:
        way = "; types are written as system.Model is" if options.type and "." not in options.type else ""
        say(f"there are no such artifacts{way}")
    return 0


def shown(one: ArtifactRecord, options: argparse.Namespace) -> int:
    """One, with who reads and writes it."""
    if options.output != "text":
        uses = [use_object(use) for use in one.uses]
        print(results.printed({**record_object(one), "uses": uses}, options.output))
        return 0
    print("\n".join([record_line(one), *metadata_lines(one.artifact)]))
    for use in one.uses:
        print(f"  {'written' if use.output else 'read'} by {use_line(use)}")
    return 0


async def lineage(client: Calls, options: argparse.Namespace, named: str) -> int:
    """A tree up, and one down."""
    direction: Direction = "up" if options.up else "down" if options.down else "both"
    graph = await AsyncArtifacts(client.connection).lineage(named, direction=direction, hops=options.hops)
    if options.output != "text":
        print(results.printed(lineage_object(graph), options.output))
        return 0
    print("\n".join(lineage_lines(graph, direction, style_of(sys.stdout))))
    if graph.truncated:
        say("there is more: ask with fewer --hops, or for one way alone")
    return 0


async def diff(client: Calls, options: argparse.Namespace) -> int:
    """Exit code 1 where they differ, as diff's."""
    found = await AsyncArtifacts(client.connection).diff(options.first, options.second)
    if options.output != "text":
        told = [{"field": one.field, "first": one.first, "second": one.second} for one in found]
        print(results.printed(told, options.output))
    else:
        for one in found:
            print("\n".join(difference_lines(one)))
        if not found:
            say(f"{options.first} and {options.second} do not differ")
    return 1 if found else 0


# ---- objects


def record_object(one: ArtifactRecord) -> dict[str, Any]:
    """The object of `-o json`."""
    return {
        "number": one.number,
        "artifact_id": one.artifact.artifact_id,
        "type": one.artifact.type,
        "uri": one.artifact.uri,
        "size": one.artifact.size,
        "digest": one.artifact.digest,
        "metadata": dict(one.artifact.metadata),
        "created_at": results.rfc3339(one.created_at),
        "made_by": use_object(one.made_by) if one.made_by is not None else None,
    }


def use_object(one: ArtifactUse) -> dict[str, Any]:
    return {
        "run_id": one.run_id,
        "task": one.path,
        "name": one.name,
        "index": one.index,
        "output": one.output,
        "pipeline_name": one.pipeline_name,
    }


def lineage_object(graph: Lineage) -> dict[str, Any]:
    return {
        "root": graph.root,
        "artifacts": [record_object(one) for one in graph.artifacts.values()],
        "tasks": [task_object(one) for one in graph.tasks.values()],
        "edges": [
            {"artifact": one.artifact, "task": one.task, "output": one.output, "name": one.name, "index": one.index}
            for one in graph.edges
        ],
        "same": [{"artifact": later, "earlier": earlier} for later, earlier in graph.same],
        "truncated": graph.truncated,
    }


def task_object(one: LineageTask) -> dict[str, Any]:
    return {
        "number": one.number,
        "run_id": one.run_id,
        "task": one.path,
        "kind": one.kind,
        "state": one.state,
        "pipeline_name": one.pipeline_name,
        "run_name": one.run_name,
        "component": one.component,
        "code_digest": one.code_digest,
        "image": one.image,
        "image_digest": one.image_digest,
        "parameters": dict(one.parameters),
        "cached_from": one.cached_from,
        "linked_from": one.linked_from,
        "started_at": results.rfc3339(one.started_at),
        "finished_at": results.rfc3339(one.finished_at),
    }


# ---- lines


def metadata_lines(one: Artifact) -> list[str]:
    """What its task wrote down."""
    return [f"  {one_line(name)} = {fit(one_line(str(value)), SHOWN)}" for name, value in one.metadata.items()]


def use_line(one: ArtifactUse) -> str:
    place = f"#{one.index}" if one.index else ""
    return one_line(f"{one.run_id}/{one.path} ({one.pipeline_name}) as {one.name}{place}")


def difference_lines(one: Difference) -> Iterator[str]:
    yield one_line(one.field)
    yield f"  - {one_line(one.first) or '(nothing)'}"
    yield f"  + {one_line(one.second) or '(nothing)'}"
