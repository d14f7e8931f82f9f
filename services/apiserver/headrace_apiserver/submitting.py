"""Creating runs and asking things of them: check, Deliver to persistence, then hint the scheduler.

What both public APIs share. Nothing is created by a call that fails; the scheduler is never needed to accept a run.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from headrace_apiserver.backends import Backends
from headrace_apiserver.handlers.experiments import default_experiment
from headrace_apiserver.identity import delivery_key, new_run_id
from headrace_apiserver.names import NAMESPACE, check_id
from headrace_apiserver.specs import Compiled, run_inputs
from headrace_apiserver.values import check_given, refuse_shown, shown_parameters
from headrace_ir.references import Held
from headrace_protos import lifecycle
from headrace_protos.v1 import catalog_pb2, events_pb2, plan_pb2, run_store_pb2, scheduler_pb2
from headrace_servicekit import tracing
from headrace_servicekit.errors import Reason, ServiceError

logger = logging.getLogger(__name__)
# Seconds for the scheduler's part in a submission: a hint, and a check that matters only where the cluster is fixed.
HINT: Final = 1.0
PLACEMENT: Final = 3.0


@dataclass(frozen=True, slots=True)
class Submission:
    """A run to be created, its spec already compiled and its texts checked."""

    compiled: Compiled
    display_name: str
    parameters: Mapping[str, Held] | None  # None: none were given at all
    description: str = ""
    experiment_id: str = ""
    pipeline_id: str = ""
    pipeline_version_id: str = ""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    pipeline_root: str = ""
    service_account: str = ""
    enable_cache: bool | None = None
    scheduled_at_us: int = 0
    source: str = "api"
    request_id: str = ""
    resume: run_store_pb2.Resume | None = None
    caching: run_store_pb2.Caching | None = None


class Submitter:
    """Delivers requests about runs. `fixed`: the cluster is what it is, so a request that can never be met is refused.
    `roots`: the kinds of places that runs may publish to.
    """

    def __init__(self, backends: Backends, *, fixed: bool = False, roots: Sequence[str] = ("file",)) -> None:
        self._backends = backends
        self._roots = roots
        self._fixed = fixed
        self._to_wake: set[int] = set()
        self._waking: asyncio.Task[None] | None = None
        self._default_experiment = ""  # it can never be deleted, so its id is good for ever

    async def create(self, submission: Submission) -> str:
        """The id of the run that is stored now."""
        self._check_root(submission.pipeline_root)
        # In a thread: values may have megabytes.
        inputs, shown = await asyncio.to_thread(_checked, submission)
        experiment_id = await self._experiment(submission.experiment_id)
        plan = submission.compiled.plan.SerializeToString(deterministic=True)
        if self._fixed:
            await self._check_placement(plan)
        run_id = new_run_id()
        new = run_store_pb2.NewRun(
            run_id=run_id,
            namespace=NAMESPACE,
            experiment_id=experiment_id,
            display_name=submission.display_name,
            description=submission.description,
            pipeline_id=submission.pipeline_id,
            pipeline_version_id=submission.pipeline_version_id,
            spec_json=submission.compiled.spec_json,
            plan=plan,
            inputs=inputs,
            parameters_json=shown,
            pipeline_root=submission.pipeline_root,
            service_account=submission.service_account,
            enable_cache=submission.enable_cache,
            scheduled_at_us=submission.scheduled_at_us,
            source=submission.source,
            resume=submission.resume,
            caching=submission.caching,
        )
        request_id = submission.request_id or run_id
        request = run_store_pb2.DeliverRequest(key=delivery_key("create", request_id), run_id=run_id, create=new)
        return await self._deliver(request)

    def warnings(self, plan: plan_pb2.Plan) -> list[str]:
        """What of a valid plan has no effect on this platform."""
        problem = self._root_problem(plan.default_pipeline_root)
        return [f"defaultPipelineRoot {problem}"] if problem else []

    def _check_root(self, root: str) -> None:
        problem = self._root_problem(root)
        if problem:
            raise ServiceError(Reason.INVALID_INPUT, f"pipeline_root {problem}")

    def _root_problem(self, root: str) -> str:
        if not root or ("://" in root and root.partition("://")[0] in self._roots):
            return ""
        known = " or ".join(f"{scheme}://" for scheme in self._roots)
        return (
            f"{root!r} cannot be used: runs of this platform publish to {known}; "
            "leave it out for the platform's own store"
        )

    async def terminate(self, run_id: str, *, run_exit_tasks: bool = False) -> None:
        """Ask the run to end; exit tasks of its open groups run first where that is wanted."""
        item = run_store_pb2.Terminate(run_exit_tasks=run_exit_tasks)
        await self._deliver(_request("terminate", run_id, terminate=item))

    async def retry(self, run_id: str) -> None:
        """Ask for what failed to run again."""
        await self._deliver(_request("retry", run_id, retry=run_store_pb2.Retry()))

    async def delete(self, run_id: str) -> None:
        """Ask for the run to be ended and removed."""
        await self._deliver(_request("delete", run_id, delete=run_store_pb2.Delete()))

    async def _deliver(self, request: run_store_pb2.DeliverRequest) -> str:
        trace = tracing.TraceContext(
            lifecycle.trace_id(request.run_id), lifecycle.span_id(request.run_id, "", 0, "run")
        )
        with tracing.within(trace):
            delivered: run_store_pb2.DeliverResponse = await self._backends.run_store.Deliver(request)
            self._wake_soon(delivered.shard)
        return delivered.run_id or request.run_id

    def _wake_soon(self, shard: int) -> None:
        """Only a hint, so nobody waits for it: the holder of the shard also finds the item by itself."""
        self._to_wake.add(shard)
        if self._waking is None or self._waking.done():
            self._waking = asyncio.create_task(self._wake(), name="wake the scheduler")

    async def _wake(self) -> None:
        """One call at a time: deliveries that come meanwhile share the next one."""
        while self._to_wake:
            shards, self._to_wake = sorted(self._to_wake), set()
            try:
                await self._backends.scheduler.Wake(scheduler_pb2.WakeRequest(shards=shards), timeout=HINT)
            except ServiceError as missed:
                logger.info("the scheduler was not woken for shards %s: %s", shards, missed)

    async def _experiment(self, experiment_id: str) -> str:
        if not experiment_id:
            self._default_experiment = self._default_experiment or await default_experiment(self._backends)
            return self._default_experiment
        request = catalog_pb2.GetByIdRequest(id=check_id("Experiment", experiment_id))
        found: catalog_pb2.Experiment = await self._backends.catalog.GetExperiment(request)
        return found.experiment_id

    async def _check_placement(self, plan: bytes) -> None:
        """A scheduler that is down cannot say no; the run then waits with its reason."""
        request = scheduler_pb2.CheckPlacementRequest(plan=plan)
        try:
            answer: scheduler_pb2.CheckPlacementResponse = await self._backends.scheduler.CheckPlacement(
                request, timeout=PLACEMENT
            )
        except ServiceError as missed:
            logger.info("placement was not checked: %s", missed)
            return
        if answer.problems:
            raise ServiceError(
                Reason.INVALID_SPEC,
                "\n".join(answer.problems),
                details=[("", problem) for problem in answer.problems],
            )


def _checked(submission: Submission) -> tuple[events_pb2.Values, str]:
    """The run's inputs, and its parameters as the API shows them."""
    parameters = submission.parameters or {}
    refuse_shown(parameters)
    inputs = run_inputs(submission.compiled.plan, parameters, submission.artifacts)
    check_given(inputs)
    return inputs, "" if submission.parameters is None else shown_parameters(parameters)


def _request(kind: str, run_id: str, **item: object) -> run_store_pb2.DeliverRequest:
    checked = check_id("Run", run_id)
    return run_store_pb2.DeliverRequest(
        key=delivery_key(kind, f"{checked}/{uuid.uuid4()}"),
        run_id=checked,
        **item,  # type: ignore[arg-type]
    )
