"""`headrace runs compare`: runs side by side by their figures. Called by cli.main; the table is a pure function."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from headrace.api.calls import Calls
from headrace.api.catalog import Catalog
from headrace.api.provenance import AsyncArtifacts
from headrace.cli import results
from headrace.cli.verbs import find_run
from headrace.display.screen import say
from headrace.display.texts import fit, one_line
from headrace.errors import BadInput
from headrace.provenance import Figure, RunFigures

WIDEST = 24  # characters of a cell


async def compare(client: Calls, options: argparse.Namespace) -> int:
    """Those that are named, else the newest or best."""
    if options.ascending and not options.sort:
        raise BadInput("--ascending says how --sort sorts: name a METRIC with --sort")
    run_ids = [(await find_run(client, text)).run_id for text in options.runs]
    experiment = options.experiment and (await Catalog(client.connection).experiment(options.experiment)).experiment_id
    found = await AsyncArtifacts(client.connection).compare_runs(
        run_ids,
        pipeline=options.pipeline,
        experiment_id=experiment,
        metrics=options.metric,
        sort_by=options.sort,
        ascending=options.ascending,
        limit=options.limit or 1000,
    )
    if options.output != "text":
        print(results.printed([figures_object(one) for one in found], options.output))
        return 0
    if not found and options.sort:
        say(f"no such run has a number {options.sort!r}; `headrace runs compare` shows those that there are")
    elif not found:
        say("there are no such runs; `headrace runs list` shows those that there are")
    else:
        print("\n".join(table(found)))
    if found and not any(one.figures for one in found):
        what = ", ".join(options.metric) or "a number"
        say(f"no task of these runs has written {what} into its artifacts' metadata")
    return 0


def figures_object(one: RunFigures) -> dict[str, Any]:
    """The object of `-o json`."""
    return {
        "run_id": one.run_id,
        "display_name": one.display_name,
        "pipeline_name": one.pipeline_name,
        "state": one.state,
        "created_at": results.rfc3339(one.created_at),
        "parameters": dict(one.parameters),
        "figures": [
            {"task": each.path, "output": each.output, "name": each.name, "value": each.value} for each in one.figures
        ],
    }


def table(runs: Sequence[RunFigures]) -> list[str]:
    """A row for each run: parameters that differ, then figures; one whose name is used twice is named with its task."""
    tasks: dict[str, set[str]] = {}
    for one in runs:
        for each in one.figures:
            tasks.setdefault(each.name, set()).add(each.path)
    differing = [
        name
        for name in dict.fromkeys(name for one in runs for name in one.parameters)
        if len({repr(one.parameters.get(name)) for one in runs}) > 1
    ]

    def called(figure: Figure) -> str:
        alone = len(tasks[figure.name]) == 1 and figure.name not in differing
        return figure.name if alone else f"{figure.path}.{figure.name}"

    rows = [
        {
            "run": one.run_id,
            "state": one.state,
            **{name: _cell(one.parameters.get(name, "")) for name in differing},
            **{called(each): _cell(each.value) for each in one.figures},
        }
        for one in runs
    ]
    heads = list(dict.fromkeys(head for row in rows for head in row))
    widths = [max(len(one_line(head)), *(len(row.get(head, "")) for row in rows)) for head in heads]
    lines = [[one_line(head) for head in heads], *([row.get(head, "") for head in heads] for row in rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else fit(one_line(str(value)), WIDEST)
