"""`headrace nodes`, `headrace usage` and `headrace runs usage`. Called by cli.main; their shapes are in docs/reference/cli.md."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from headrace.api.calls import Calls
from headrace.cli import results
from headrace.cli.verbs import find_run
from headrace.display.screen import say
from headrace.display.texts import one_line
from headrace.models import Accelerators, AcceleratorTime, Node

GIB = 2**30


async def nodes(client: Calls, options: argparse.Namespace) -> int:
    """What runs tasks."""
    found = await client.nodes()
    if options.output != "text":
        print(results.printed([node_object(one) for one in found], options.output))
        return 0
    if not found:
        say("no node is known yet")
    for one in found:
        print("\n".join(node_lines(one)))
    return 0


async def run_usage(client: Calls, options: argparse.Namespace) -> int:
    """Of one run."""
    run = await find_run(client, options.run)
    found = await client.usage(run.run_id)
    if options.output != "text":
        tasks = {path: _time_objects(times) for path, times in found.tasks.items()}
        told = {"run_id": run.run_id, "total": _time_objects(found.total), "tasks": tasks}
        print(results.printed(told, options.output))
        return 0
    if not found.total:
        say(f"no task of run {run.run_id} has held an accelerator")
        return 0
    print("\n".join(table([*((path, times) for path, times in found.tasks.items()), ("total", found.total)])))
    return 0


async def namespace_usage(client: Calls, options: argparse.Namespace) -> int:
    """Of a namespace, or of all."""
    found = await client.namespace_usage(options.namespace, since=options.since, until=options.until)
    if options.output != "text":
        days = [
            {"namespace": one.namespace, "day": one.day, "accelerators": _time_objects(one.times)} for one in found.days
        ]
        print(results.printed({"total": _time_objects(found.total), "days": days}, options.output))
        return 0
    if not found.total:
        say("no attempt with accelerators has ended in that time")
        return 0
    print(
        "\n".join(table([*((f"{one.namespace} {one.day}", one.times) for one in found.days), ("total", found.total)]))
    )
    return 0


def table(rows: Iterable[tuple[str, Sequence[AcceleratorTime]]]) -> list[str]:
    """A line for each name and product: seconds asked for and used."""
    cells = [
        ("", "accelerator", "attempts", "asked (s)", "used (s)"),
        *(
            (one_line(name), one_line(one.accelerator), str(one.attempts), f"{one.asked_s:.1f}", f"{one.used_s:.1f}")
            for name, times in rows
            for one in times
        ),
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = []
    for row in cells:
        left = "  ".join(cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True))
        right = "  ".join(cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True))
        lines.append(f"{left}  {right}".rstrip())
    return lines


def node_lines(one: Node) -> list[str]:
    """A node and its accelerators, as people read them."""
    taints = f"  taints: {one_line(', '.join(one.taints))}" if one.taints else ""
    lines = [
        f"{one_line(one.name)}  {one.status}  {_used(one.cpu_used, one.cpu)} cores  "
        f"{_used(one.memory_used / GIB, one.memory / GIB)} GiB{taints}"
    ]
    return lines + [f"  {kind.used} of {kind.count} × {_named(kind)} in use" for kind in one.accelerators]


def _used(used: float, there: float) -> str:
    return f"{used:.4g} of {there:.4g}" if there else f"{used:.4g}"


def _named(kind: Accelerators) -> str:
    name = one_line(kind.product or kind.resource) + (f" MIG {kind.mig}" if kind.mig else "")
    return f"{name} ({kind.memory / GIB:.4g} GiB)" if kind.memory else name


def node_object(one: Node) -> dict[str, Any]:
    return {
        "name": one.name,
        "status": one.status,
        "cpu": one.cpu,
        "cpu_used": one.cpu_used,
        "memory": one.memory,
        "memory_used": one.memory_used,
        "accelerators": [
            {
                "resource": kind.resource,
                "product": kind.product,
                "mig": kind.mig,
                "memory": kind.memory,
                "count": kind.count,
                "used": kind.used,
            }
            for kind in one.accelerators
        ],
        "taints": list(one.taints),
    }


def _time_objects(times: Iterable[AcceleratorTime]) -> list[dict[str, Any]]:
    return [
        {"accelerator": one.accelerator, "attempts": one.attempts, "asked_s": one.asked_s, "used_s": one.used_s}
        for one in times
    ]
