"""What a resume asks for: the ended run that it goes on from, with whatever is given over it. Called by handlers.headrace_runs.

Everything that can be wrong is said before anything is stored; that the origin has ended is checked once more where the run is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from headrace_apiserver.backends import Backends
from headrace_apiserver.names import RUN_NAME, check_id, check_name, check_text
from headrace_apiserver.specs import Compiled, compiled_file, compiled_text, parameters_of, parsed_texts
from headrace_apiserver.submitting import Submission
from headrace_apiserver.values import is_shown
from headrace_ir.problems import nearest
from headrace_ir.references import Held, reference_of
from headrace_ir.values import recorded
from headrace_protos import lifecycle
from headrace_protos.v1 import catalog_pb2, plan_pb2, run_query_pb2, run_store_pb2, runs_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_servicekit.errors import Reason, ServiceError

MOST_NAMED: Final = 1_000  # tasks to run again; more are better named by the group that they are in
SUFFIX: Final = " (resumed)"
_STEP: Final = re.compile(r"^(.+?)(?:\[(\d+)\])?$")
ENDED_LOOP: Final = frozenset({ev.TASK_SUCCEEDED, ev.TASK_FAILED, ev.TASK_CANCELED})


async def submission_of(backends: Backends, request: runs_pb2.ResumeRequest) -> Submission:
    """The new run; raises ServiceError with every problem."""
    run_id = check_id("Run", request.run_id)
    origin: run_query_pb2.Run = await backends.run_query.GetRun(run_query_pb2.GetRunRequest(run_id=run_id))
    if origin.state not in lifecycle.RUN_FINAL:
        name = ev.RunState.Name(origin.state).removeprefix("RUN_")
        sentence = f"Run {run_id} has not ended ({name}): wait for its end or terminate it, then resume it"
        raise ServiceError(Reason.WRONG_STATE, sentence)
    stored: run_query_pb2.GetSpecResponse = await backends.run_query.GetSpec(
        run_query_pb2.GetSpecRequest(run_id=run_id)
    )
    compiled, pipeline_id, version_id = await _source(backends, request, origin, stored)
    await _check_tasks(backends, run_id, compiled.plan, request.from_tasks)
    cache = request if request.HasField("enable_cache") else origin
    return Submission(
        compiled=compiled,
        display_name=_display_name(request.display_name, origin.display_name),
        description=check_text("description", request.description or origin.description),
        parameters=_parameters(compiled.plan, origin.parameters_json, stored.inputs, request),
        artifacts=_artifacts(compiled.plan, stored.inputs, request.root_artifacts),
        experiment_id=request.experiment_id or origin.experiment_id,
        pipeline_id=pipeline_id,
        pipeline_version_id=version_id,
        pipeline_root=check_text("pipeline_root", request.pipeline_root or origin.pipeline_root),
        service_account=check_text("service_account", request.service_account or origin.service_account),
        enable_cache=cache.enable_cache if cache.HasField("enable_cache") else None,
        request_id=request.request_id,
        resume=run_store_pb2.Resume(run_id=run_id, from_tasks=dict.fromkeys(request.from_tasks)),
    )


async def _source(
    backends: Backends,
    request: runs_pb2.ResumeRequest,
    origin: run_query_pb2.Run,
    stored: run_query_pb2.GetSpecResponse,
) -> tuple[Compiled, str, str]:
    """The spec with the ids of its pipeline and version; the origin's where none is given, with the Plan that it ran by."""
    given = [bool(request.package), bool(request.spec_json), bool(request.pipeline_version_id)]
    if sum(given) > 1:
        raise ServiceError(Reason.INVALID_INPUT, "give at most one of package, spec_json and pipeline_version_id")
    if request.package:
        return await asyncio.to_thread(compiled_file, request.package, request.filename or "pipeline.yaml"), "", ""
    if request.spec_json:
        return await asyncio.to_thread(compiled_text, request.spec_json), "", ""
    if not request.pipeline_version_id:
        plan = plan_pb2.Plan.FromString(stored.plan)
        return Compiled(stored.spec_json, plan), origin.pipeline_id, origin.pipeline_version_id
    version: catalog_pb2.PipelineVersion = await backends.catalog.GetPipelineVersion(
        catalog_pb2.GetByIdRequest(id=check_id("PipelineVersion", request.pipeline_version_id))
    )
    compiled = await asyncio.to_thread(compiled_text, version.spec_json)
    return compiled, version.pipeline_id, version.pipeline_version_id


def _display_name(given: str, origin: str) -> str:
    """The origin's name, marked once."""
    name = given or origin.removesuffix(SUFFIX)[: RUN_NAME - len(SUFFIX)] + SUFFIX
    return check_name("display_name", name, RUN_NAME)


def _parameters(
    plan: plan_pb2.Plan, before: str, inputs: ev.Values, request: runs_pb2.ResumeRequest
) -> dict[str, Held] | None:
    """What the origin was given, as far as the pipeline still takes it, under what is given now."""
    declared = {one.name for one in plan.dags[0].parameters}
    kept: dict[str, Held] = {
        name: _whole(inputs.parameters[name]) if is_shown(value) else value
        for name, value in parameters_of(before).items()
        if name in declared
    }
    given = {**parameters_of(request.parameters_json), **parsed_texts(plan, request.text_parameters)}
    none = not before and not request.parameters_json and not request.text_parameters
    return None if none else {**kept, **given}


def _whole(found: ev.Value) -> Held:
    """A large value of the origin, which shows but its size: by reference, or whole where the origin never began."""
    return reference_of(found) if found.uri else recorded(found.json)


def _artifacts(plan: plan_pb2.Plan, before: ev.Values, given: Mapping[str, str]) -> dict[str, str]:
    declared = {one.name for one in plan.dags[0].artifacts}
    kept = {
        name: group.artifacts[0].uri for name, group in before.artifacts.items() if name in declared and group.artifacts
    }
    return kept | dict(given)


# ── tasks that are named ──


async def _check_tasks(backends: Backends, run_id: str, plan: plan_pb2.Plan, paths: Iterable[str]) -> None:
    named = list(dict.fromkeys(paths))
    if len(named) > MOST_NAMED:
        sentence = f"{len(named)} tasks are named to run again, at most {MOST_NAMED}; name the groups that they are in"
        raise ServiceError(Reason.INVALID_INPUT, sentence)
    problems = [problem for path in named if (problem := unknown_task(plan, path))]
    if not problems:
        loops = {loop for path in named for loop, _ in indexes(path)}
        counts = {loop: await _iterations(backends, run_id, loop) for loop in sorted(loops)}
        problems = [problem for path in named if (problem := _beyond(run_id, path, counts))]
    if problems:
        raise ServiceError(Reason.INVALID_INPUT, "\n".join(problems), details=[("from_tasks", one) for one in problems])


def unknown_task(plan: plan_pb2.Plan, path: str, asked: str = "from") -> str:
    """What is wrong with a path by the pipeline alone; "" = nothing. ASKED: the word for what is wanted of it."""
    dag: plan_pb2.DagTemplate | None = plan.dags[0]
    done = ""
    for step in path.split("/"):
        match = _STEP.match(step)
        key, index = match.groups() if match else ("", None)
        tasks: dict[str, Any] = {task.key: task for task in dag.tasks} if dag is not None else {}
        if key not in tasks:
            return f"{asked} task '{path}': {_no_task(done, key, tasks)}"
        task = tasks[key]
        if index is not None and not task.HasField("iterator"):
            return f"{asked} task '{path}': '{lifecycle.child_path(done, key)}' is no loop, it has no item {index}"
        done = lifecycle.child_path(done, step)
        dag = plan.dags[task.dag] if task.WhichOneof("target") == "dag" else None
    return ""


def _no_task(inside: str, key: str, tasks: Mapping[str, Any]) -> str:
    meant = nearest(key, tasks)
    where = f"in '{inside}'" if inside else "in the pipeline"
    if not tasks:
        return f"there are no tasks {where}"
    end = (
        f"did you mean '{lifecycle.child_path(inside, meant)}'?"
        if meant
        else f"there are {', '.join(sorted(tasks)[:10])}"
    )
    return f"there is no task '{key}' {where}; {end}"


def indexes(path: str) -> list[tuple[str, int]]:
    """The loops of a path that are named by an item: their paths, and which."""
    found = []
    at = path
    while at:
        above = lifecycle.parent_path(at)
        if at.endswith("]"):
            found.append((above, int(at[len(above) + 1 : -1])))
        at = above
    return found


async def _iterations(backends: Backends, run_id: str, loop: str) -> int:
    """How many items a loop of the origin had; -1 where that is not known."""
    found: run_query_pb2.ListTasksResponse = await backends.run_query.ListTasks(
        run_query_pb2.ListTasksRequest(run_id=run_id, path=loop)
    )
    task = found.tasks[0] if found.tasks else None
    return task.iteration_count if task is not None and task.started_at_us and task.state in ENDED_LOOP else -1


def _beyond(run_id: str, path: str, counts: Mapping[str, int]) -> str:
    for loop, index in indexes(path):
        if 0 <= counts[loop] <= index:
            had = f"{counts[loop]} item{'' if counts[loop] == 1 else 's'}"
            return f"from task '{path}': loop '{loop}' had {had} in run {run_id}, counted from 0"
    return ""
