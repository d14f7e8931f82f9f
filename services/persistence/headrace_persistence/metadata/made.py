"""What runs made, read for ML Metadata: the rows of runs, tasks and artifacts; rendering.py says what they are there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from headrace_persistence.metadata import rendering
from headrace_persistence.metadata.kinds import ARTIFACT, CONTEXT, EXECUTION, Kind
from headrace_persistence.queries import SQL
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import plan_pb2
from headrace_servicekit.postgres import Row, Transaction

SMALL: Final = 32 << 10  # bytes of plans that are read together
RUNS: Final = 200  # whose plans are read together
LARGEST: Final = 4 << 20  # bytes of a plan: of larger ones neither images nor producers are told


async def fill(tx: Transaction, kind: Kind, rows: Sequence[Row], found: Mapping[int, Any]) -> None:
    """Give the nodes of ROWS, which runs made, their custom properties."""
    ids = [row[0] for row in rows]
    held = await (
        _artifacts(tx, ids) if kind is ARTIFACT else _executions(tx, ids) if kind is EXECUTION else _runs(tx, ids)
    )
    for number, properties in held.items():
        for name, value in properties.items():
            found[number].custom_properties[name].CopyFrom(value)


def own_properties(kind: Kind, node: Any) -> Collection[str]:
    """The custom properties that only its run gives to NODE, which has those of its run alone."""
    if kind is ARTIFACT:
        return frozenset(node.custom_properties)
    return rendering.TASK_KEYS if kind is EXECUTION else rendering.RUN_KEYS


def is_for_runs(kind: Kind, type_name: str) -> bool:
    """Whether nodes of a type are made by runs alone."""
    return kind is CONTEXT and type_name in ("system.Pipeline", "system.PipelineRun")


async def _artifacts(tx: Transaction, ids: Sequence[int]) -> dict[int, dict[str, ms.Value]]:
    rows = await tx.fetch(SQL["made_artifacts"], {"ids": list(ids)})
    return {number: rendering.artifact(ev.Artifact.FromString(payload)) for number, payload in rows}


async def _runs(tx: Transaction, ids: Sequence[int]) -> dict[int, dict[str, ms.Value]]:
    rows = await tx.fetch(SQL["made_runs"], {"ids": list(ids)})
    return {
        number: rendering.run(run_id, pipeline, namespace, rendering.published(run_id, pipeline, root, uri or ""))
        for number, run_id, pipeline, namespace, root, uri in rows
    }


async def _executions(tx: Transaction, ids: Sequence[int]) -> dict[int, dict[str, ms.Value]]:
    made: dict[int, dict[str, ms.Value]] = {}
    for number, name, inputs, outputs in await tx.fetch(SQL["made_roots"], {"ids": list(ids)}):
        made[number] = rendering.root(ev.Values.FromString(inputs), ev.Values.FromString(outputs), name)
    rows = await tx.fetch(SQL["made_tasks"], {"ids": list(ids)})
    runs = [(run, list(tasks)) for run, tasks in groupby(rows, key=lambda row: row[1])]  # they come run by run
    for start in range(0, len(runs), RUNS):
        some = runs[start : start + RUNS]
        plans = await _small_plans(tx, [run for run, _ in some])
        for run, tasks in some:
            plan = plans.get(run) or await _plan(tx, run)  # one large plan at a time is held
            made.update((row[0], rendering.task(_task(row), plan)) for row in tasks)
    return made


def _task(row: Row) -> rendering.Task:
    _, _, path, kind, definition, inputs, outputs, count, handle, cache_key, parent, cached, namespace = row
    return rendering.Task(
        path=path,
        kind=kind,
        definition=ev.TaskCreated.FromString(definition),
        inputs=ev.Values.FromString(inputs),
        outputs=ev.Values.FromString(outputs),
        parent=parent,
        iteration_count=count,
        namespace=namespace,
        handle=handle,
        cache_key=cache_key,
        cached=cached or 0,
    )


async def _small_plans(tx: Transaction, runs: Sequence[int]) -> dict[int, plan_pb2.Plan]:
    """The small ones of some runs; those of one version are alike, and read once."""
    found = await tx.fetch(SQL["made_small_plans"], {"runs": runs, "most": SMALL})
    read = {plan: plan_pb2.Plan.FromString(plan) for plan in {plan for _, plan in found}}
    return {run: read[plan] for run, plan in found}


async def _plan(tx: Transaction, run: int) -> plan_pb2.Plan:
    """The plan of a run; an empty one where it is too large."""
    row = await tx.fetch_one(SQL["made_plan"], {"run": run, "most": LARGEST})
    return plan_pb2.Plan.FromString(row[0]) if row else plan_pb2.Plan()
