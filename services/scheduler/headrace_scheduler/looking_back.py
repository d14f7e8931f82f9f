"""Reads the run that another one resumes, for the engine: its plan and what became of its tasks. Called by replica.py.

Costs in proportion to the origin's tasks, a page at a time. What has been linked already is in the resuming run's own events, so
an origin that is deleted later takes nothing away: what is still to come runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import plan_pb2
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.engine import PlanIndex
from headrace_scheduler.engine.origins import Done, Origin
from headrace_scheduler.engine.rows import GROUPS
from headrace_servicekit.errors import Reason, ServiceError

logger = logging.getLogger(__name__)
PAGE = 2_000  # tasks


class Origins:
    """`query` is a RunQuery stub; `index` makes the engine's form of a plan."""

    def __init__(self, query: Any, index: Callable[[plan_pb2.Plan, str], PlanIndex]) -> None:
        self._query = query
        self._index = index
        self._ahead: dict[str, tuple[rq.GetSpecResponse, dict[str, Done]]] = {}

    async def read_ahead(self, run_ids: Iterable[str]) -> None:
        """Read these origins before the runs that resume them are loaded, because other runs wait while one is loaded."""
        self.forget()
        for run_id in dict.fromkeys(run_ids):
            try:
                self._ahead[run_id] = await self._read(run_id)
            except ServiceError as refused:
                if refused.reason != Reason.NOT_FOUND:
                    raise

    def forget(self) -> None:
        """What was read ahead has been used, or is not needed."""
        self._ahead.clear()

    async def of(self, snapshot: rs.RunSnapshot) -> Origin | None:
        """The run that this one resumes; None where it resumes none, has nothing left to do, or where that run is gone."""
        if not snapshot.HasField("resume") or snapshot.state == ev.RUN_SUCCEEDED:
            return None
        run_id = snapshot.resume.run_id
        try:
            spec, tasks = self._ahead.get(run_id) or await self._read(run_id)
        except ServiceError as refused:
            if refused.reason != Reason.NOT_FOUND:
                raise
            logger.warning("run %s resumes %s, which was deleted: what is left runs", snapshot.run_id, run_id)
            return None
        plan = self._index(plan_pb2.Plan.FromString(spec.plan), snapshot.namespace)
        return Origin(run_id, plan, spec.inputs, tasks, snapshot.resume.from_tasks)

    async def _read(self, run_id: str) -> tuple[rq.GetSpecResponse, dict[str, Done]]:
        spec: rq.GetSpecResponse = await self._query.GetSpec(rq.GetSpecRequest(run_id=run_id))
        return spec, await self._tasks(run_id)

    async def _tasks(self, run_id: str) -> dict[str, Done]:
        found: dict[str, Done] = {}
        request = rq.ListTasksRequest(run_id=run_id, page_size=PAGE)
        while True:
            page: rq.ListTasksResponse = await self._query.ListTasks(request)
            found.update((task.path, _done(run_id, task)) for task in page.tasks)
            if not page.next_after_id:
                return found
            request.after_id = page.next_after_id


def _done(run_id: str, task: rq.Task) -> Done:
    return Done(
        kind=task.kind,
        state=task.state,
        inputs=task.inputs,
        outputs=ev.Values() if task.kind in GROUPS else _numberless(task.outputs),
        iteration_count=task.iteration_count,
        made_by=task.linked_from or f"{run_id}/{task.path}",
    )


def _numberless(outputs: ev.Values) -> ev.Values:
    """As the event had them: artifacts without the numbers that persistence gives to readers."""
    for group in outputs.artifacts.values():
        for artifact in group.artifacts:
            artifact.id = 0
    return outputs
