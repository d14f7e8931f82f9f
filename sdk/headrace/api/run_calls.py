"""`calls.runs`: finding runs and steering them. asyncio, on plain records; used by api.calls alone."""

from __future__ import annotations

from typing import Any

from headrace.api.connection import Connection
from headrace.errors import BadInput
from headrace.models import RUN_STATES, Run


class RunCalls:
    """`calls.runs`: reading and steering runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, run_id: str) -> Run:
        """The run with this id."""
        from headrace_protos.v1 import run_query_pb2

        return await self._run("Get", run_query_pb2.GetRunRequest(run_id=run_id))

    async def beginning(self, prefix: str, *, limit: int) -> list[Run]:
        """Some of those whose ids begin with PREFIX, which may be without dashes."""
        from headrace import reading
        from headrace_protos.v1 import run_query_pb2

        first = _dashed(prefix)
        page = run_query_pb2.Page(size=limit, sort_field="run_id")
        page.predicates.add(operation=run_query_pb2.GREATER_THAN_EQUALS, field="run_id", values=[first])
        page.predicates.add(operation=run_query_pb2.LESS_THAN, field="run_id", values=[first + "g"])  # after any digit
        request = run_query_pb2.ListRunsRequest(namespace=self._connection.namespace, page=page)
        return [reading.run(one) for one in (await self._call("List", request)).runs]

    async def list(
        self, *, limit: int = 20, experiment_id: str = "", state: str = "", archived: bool | None = None
    ) -> list[Run]:
        """The newest runs first; LIMIT 0 = all. ARCHIVED: those alone that are, or are not."""
        from headrace import reading
        from headrace_protos.v1 import run_query_pb2

        page = run_query_pb2.Page(size=min(limit or 200, 200), sort_field="created_at", descending=True)
        if state:
            if state.upper() not in RUN_STATES:
                raise BadInput(f"no run is in a state {state!r}; there are {', '.join(RUN_STATES)}")
            page.predicates.add(operation=run_query_pb2.EQUALS, field="state", values=[state.upper()])
        if archived is not None:
            stored = "ARCHIVED" if archived else "AVAILABLE"
            page.predicates.add(operation=run_query_pb2.EQUALS, field="storage_state", values=[stored])
        namespace = self._connection.namespace
        request = run_query_pb2.ListRunsRequest(namespace=namespace, experiment_id=experiment_id, page=page)
        found: list[Run] = []
        while True:
            answer = await self._call("List", request)
            found += [reading.run(one) for one in answer.runs]
            if not answer.HasField("next") or (limit and len(found) >= limit):
                return found[: limit or None]
            request.page.first_value, request.page.first_id = answer.next.first_value, answer.next.first_id

    async def terminate(self, run_id: str, *, run_exit_tasks: bool = False) -> Run:
        """End the run: CANCELING at once, CANCELED when its tasks have ended. With RUN_EXIT_TASKS, exit tasks of the groups that
        are open run first; a second call without it ends those too.
        """
        from headrace_protos.v1 import runs_pb2

        return await self._run("Terminate", runs_pb2.TerminateRunRequest(run_id=run_id, run_exit_tasks=run_exit_tasks))

    async def retry(self, run_id: str) -> Run:
        """Run again what failed or was canceled, in the same run."""
        from headrace_protos.v1 import runs_pb2

        return await self._run("Retry", runs_pb2.RetryRunRequest(run_id=run_id))

    async def delete(self, run_id: str) -> None:
        """End what is running, then delete the run, also where it is pinned."""
        from headrace_protos.v1 import runs_pb2

        await self._call("Delete", runs_pb2.DeleteRunRequest(run_id=run_id))

    async def archive(self, run_id: str) -> None:
        """Take the run out of lists that hide archived ones; it goes on running."""
        from headrace_protos.kfp.v2beta1 import run_pb2

        await self._connection.call("RunService", "ArchiveRun", run_pb2.ArchiveRunRequest(run_id=run_id))

    async def unarchive(self, run_id: str) -> None:
        """Bring it back; its experiment must not be archived."""
        from headrace_protos.kfp.v2beta1 import run_pb2

        await self._connection.call("RunService", "UnarchiveRun", run_pb2.UnarchiveRunRequest(run_id=run_id))

    async def _run(self, method: str, request: Any) -> Run:
        from headrace import reading

        return reading.run(await self._call(method, request))

    async def _call(self, method: str, request: Any) -> Any:
        return await self._connection.call("Runs", method, request)


def _dashed(prefix: str) -> str:
    """The beginning of a UUID, as it is written."""
    digits = prefix.replace("-", "")
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(part for part in parts if part)
