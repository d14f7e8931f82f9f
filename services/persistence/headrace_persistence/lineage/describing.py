"""Tasks as lineage shows them: code by its digest, image, parameters and run. Called by walking.py; what is decided is pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from headrace_persistence.queries import SQL
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_protos.v1 import plan_pb2
from headrace_servicekit.postgres import Row, Transaction

LONGEST: Final = 1_000  # characters of a parameter that is shown whole


async def described(tx: Transaction, runs: Mapping[int, int]) -> list[pb.LineageTask]:
    """The tasks, given with their runs' numbers."""
    if not runs:
        return []
    rows = await tx.fetch(SQL["lineage_tasks"], {"runs": list(runs.values()), "tasks": list(runs)})
    plans = {
        run: plan
        for text, alike in await tx.fetch(SQL["lineage_plans"], {"runs": sorted(set(runs.values()))})
        for plan in (plan_pb2.Plan.FromString(text),)
        for run in alike
    }
    digests: dict[tuple[int, int], str] = {}
    return [task_of(row, plans.get(row[15]), digests) for row in rows]


def task_of(row: Row, plan: plan_pb2.Plan | None, digests: dict[tuple[int, int], str]) -> pb.LineageTask:
    """A row of lineage_tasks with its run's plan. DIGESTS: of code that was seen, by plan's identity and executor's number."""
    number, run_id, path, kind, state, namespace, pipeline_name, run_name, definition, inputs = row[:10]
    cached_from, linked_from, started, finished, version = row[10:15]
    made = pb.LineageTask(
        id=number,
        run_id=run_id,
        path=path,
        kind=kind,
        state=state,
        namespace=namespace,
        pipeline_name=pipeline_name,
        run_name=run_name,
        cached_from=cached_from,
        linked_from=linked_from,
        started_at_us=started,
        finished_at_us=finished,
        pipeline_version_id=version,
    )
    for name, value in ev.Values.FromString(bytes(inputs)).parameters.items():
        made.parameters[name].CopyFrom(short(value))
    if plan is not None:
        _say_code(made, plan, ev.TaskCreated.FromString(bytes(definition)), digests)
    made.image_digest = ev.AttemptLaunched.FromString(bytes(row[16])).image_digest or made.image.partition("@")[2]
    return made


def _say_code(
    made: pb.LineageTask, plan: plan_pb2.Plan, created: ev.TaskCreated, digests: dict[tuple[int, int], str]
) -> None:
    if not (created.dag < len(plan.dags) and created.task < len(plan.dags[created.dag].tasks)):
        return
    task = plan.dags[created.dag].tasks[created.task]
    made.component = task.component
    if task.WhichOneof("target") != "executor":
        return
    executor = plan.executors[task.executor]
    if executor.WhichOneof("kind") == "container":
        made.image = executor.container.image
        key = id(plan), task.executor
        made.code_digest = digests.get(key) or digests.setdefault(key, code_digest(executor.container))


def code_digest(container: plan_pb2.Container) -> str:
    """Of command and arguments as they are in the pipeline: a component's source is among them."""
    text = json.dumps([list(container.command), list(container.args)])
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def short(value: ev.Value) -> ev.Value:
    """A long text by its size and digest."""
    if value.WhichOneof("kind") != "json" or len(value.json) <= LONGEST:
        return value
    data = value.json.encode("utf-8", "surrogatepass")
    return ev.Value(size=len(data), digest=f"sha256:{hashlib.sha256(data).hexdigest()}")
