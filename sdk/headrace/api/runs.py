"""AsyncRun, and `client.runs`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from headrace.api.artifacts import AsyncArtifact
from headrace.api.experiments import AsyncExperiment, experiment_id_of
from headrace.api.following import all_logs
from headrace.api.later import Later
from headrace.api.lines import LogLine
from headrace.api.showing import Progressing, showing
from headrace.api.starting import Submittable, start_of
from headrace.api.tasks import AsyncTask, Outputs, Tasks, as_outputs, whole
from headrace.api.watching import events
from headrace.errors import RunFailed
from headrace.models import Event, Failure, Progress, Trace, Usage
from headrace.models import Run as Record

if TYPE_CHECKING:
    from headrace.api.calls import Calls


class AsyncRun:
    """One run. What is a plain value is as the platform last answered (`refresh` asks again); tasks, outputs, artifacts and trace
    are asked for each time.
    """

    def __init__(self, calls: Calls, record: Record) -> None:
        self._calls = calls
        self._record = record

    @property
    def record(self) -> Record:
        """What the platform says of it, as one plain value."""
        return self._record

    @property
    def id(self) -> str:
        """Its UUID."""
        return self._record.run_id

    @property
    def url(self) -> str:
        """The page about it."""
        address = self._calls.connection.found
        return f"{address.http}/#/runs/details/{self.id}" if address else ""

    @property
    def display_name(self) -> str:
        """What it was called when it was created."""
        return self._record.display_name

    @property
    def description(self) -> str:
        """What was said about it when it was created."""
        return self._record.description

    @property
    def pipeline_name(self) -> str:
        """Of the pipeline that it runs."""
        return self._record.pipeline_name

    @property
    def experiment_id(self) -> str:
        """Of the experiment that it belongs to."""
        return self._record.experiment_id

    @property
    def resumed_from(self) -> str:
        """The id of the run that it goes on from, or ""."""
        return self._record.resumed_from

    @property
    def state(self) -> str:
        """PENDING, RUNNING, CANCELING, SUCCEEDED, FAILED or CANCELED."""
        return self._record.state

    @property
    def ended(self) -> bool:
        """Whether it is in a state that it does not leave by itself."""
        return self._record.ended

    @property
    def archived(self) -> bool:
        """Whether lists that hide archived runs hide it."""
        return self._record.archived

    @property
    def pinned(self) -> bool:
        """Whether retention policies leave it alone; `client.retention.pin` pins it."""
        return self._record.pinned

    @property
    def error(self) -> Failure | None:
        """Why it failed."""
        return self._record.error

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What it was given."""
        return self._record.parameters

    @property
    def created_at(self) -> datetime | None:
        """When it was submitted."""
        return self._record.created_at

    @property
    def started_at(self) -> datetime | None:
        """When its first task could start."""
        return self._record.started_at

    @property
    def finished_at(self) -> datetime | None:
        """When it ended."""
        return self._record.finished_at

    @property
    def tasks(self) -> Later[Tasks[AsyncTask]]:
        """Its tasks, in order and by path."""
        return Later(self._tasks)

    @property
    def outputs(self) -> Later[Outputs]:
        """What the pipeline returned: parameters by value, artifacts as artifacts (a list of them for a list)."""
        return Later(self._outputs)

    @property
    def artifacts(self) -> Later[list[AsyncArtifact]]:
        """All that its tasks put out."""
        return Later(self._artifacts)

    @property
    def trace(self) -> Later[Trace]:
        """When what ran, and what it waited for."""
        return Later(self._trace)

    @property
    def usage(self) -> Later[Usage]:
        """The accelerator time that its tasks asked for and used."""
        return Later(self._usage)

    async def refresh(self) -> AsyncRun:
        """Ask the platform what it says of the run now."""
        self._record = await self._calls.runs.get(self.id)
        return self

    async def wait(
        self, *, timeout: float | None = None, progress: Progressing = None, check: bool = False
    ) -> AsyncRun:
        """Return when it has ended. WaitTimeout after TIMEOUT seconds, and the run goes on; with CHECK, RunFailed unless it
        SUCCEEDED.

        PROGRESS: None shows it on a terminal and in a notebook, True everywhere, False nowhere; a function is called with each
        change.
        """
        async with showing(progress, self.display_name) as show:
            self._record = await self._calls.wait(self.id, progress=show, timeout=timeout)
        if check and self.state != "SUCCEEDED":
            raise RunFailed(await self._why())
        return self

    def watch(self) -> AsyncIterator[Progress]:
        """Each change, until it has ended."""
        return self._calls.watch(self.id)

    def events(
        self, *, after: int = 0, from_now: bool = False, kinds: Sequence[str] = (), follow: bool = True
    ) -> AsyncIterator[Event]:
        """What happened and happens in it, each event once and in order, until it has ended: after a sequence number, or
        FROM_NOW; of these KINDS alone, such as task_finished. Without FOLLOW, what has happened.
        """
        return events(self._calls, self.id, after=after, from_now=from_now, kinds=kinds, follow=follow)

    def logs(self, *, follow: bool = False) -> AsyncIterator[LogLine]:
        """The lines of all its tasks' last attempts, one task after the other; with FOLLOW as they are written, until it has
        ended.
        """
        return all_logs(self._calls, self.id, follow=follow)

    async def terminate(self, *, run_exit_tasks: bool = False) -> AsyncRun:
        """End it: CANCELING at once, CANCELED when its tasks have ended. With RUN_EXIT_TASKS, exit tasks of the groups that are
        open run first; a second call without it ends those too. WrongState where it has ended.
        """
        self._record = await self._calls.runs.terminate(self.id, run_exit_tasks=run_exit_tasks)
        return self

    async def retry(self) -> AsyncRun:
        """Run again what failed or was canceled, in this run. WrongState where it has not ended, or SUCCEEDED."""
        self._record = await self._calls.runs.retry(self.id)
        return self

    async def resume(
        self,
        pipeline: Submittable | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        from_tasks: Sequence[str] = (),
        experiment: str | AsyncExperiment = "",
        display_name: str = "",
        description: str = "",
        enable_cache: bool | None = None,
        pipeline_root: str = "",
        request_id: str = "",
        **arguments: Any,
    ) -> AsyncRun:
        """A new run that goes on from this one, which has ended: what SUCCEEDED here and is the same there is linked, the rest
        runs, and so does what FROM_TASKS name with all that follows it. What is not given is as it was here. WrongState where
        this one has not ended.
        """
        start = await start_of(pipeline, parameters, arguments, complete=False)
        record = await self._calls.resume(
            self.id,
            start.source,
            start.parameters,
            root_artifacts=start.artifacts,
            pipeline_version_id=start.version_id,
            from_tasks=from_tasks,
            experiment_id=await experiment_id_of(self._calls.connection, experiment),
            display_name=display_name,
            description=description,
            enable_cache=enable_cache,
            pipeline_root=pipeline_root,
            request_id=request_id,
        )
        return AsyncRun(self._calls, record)

    async def archive(self) -> AsyncRun:
        """Take it out of lists that hide archived runs; it goes on running."""
        await self._calls.runs.archive(self.id)
        return await self.refresh()

    async def unarchive(self) -> AsyncRun:
        """Bring it back. WrongState where its experiment is archived."""
        await self._calls.runs.unarchive(self.id)
        return await self.refresh()

    async def delete(self) -> None:
        """End what is running, then delete it, also where it is pinned; artifacts stay where they are."""
        await self._calls.runs.delete(self.id)

    async def _tasks(self) -> Tasks[AsyncTask]:
        return Tasks(AsyncTask(self._calls, self.id, one) for one in await self._calls.tasks(self.id))

    async def _outputs(self) -> Outputs:
        record = (self if self.ended else await self.refresh())._record
        values = {name: value for name, value in record.outputs.items() if name not in record.artifacts}
        return {**await whole(self._calls, self.id, values), **as_outputs(self._calls, self.id, record.artifacts)}

    async def _artifacts(self) -> list[AsyncArtifact]:
        return [AsyncArtifact(self._calls, self.id, one) for one in await self._calls.artifacts(self.id)]

    async def _usage(self) -> Usage:
        return await self._calls.usage(self.id)

    async def _trace(self) -> Trace:
        return await self._calls.trace(self.id)

    async def _why(self) -> str:
        """One sentence with what failed first."""
        failed = [
            one.record for one in await self._tasks() if one.error is not None and one.error.reason != "TaskFailed"
        ]
        error = failed[0].error if failed else self.error
        what = f": {failed[0].path}" if failed else ""
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        said = f": {error.reason}: {error.message}" if error else ""
        return f"run {self.id} {self.state}{what}{said}{more}; {self.url}"

    def __repr__(self) -> str:
        name = f" {self.display_name!r}" if self.display_name else ""
        return f"<{type(self).__name__.removeprefix('Async')} {self.id} {self.state}{name}>"

    async def _html(self) -> str:
        """For a notebook: the run with its tasks and outputs."""
        from headrace.api import html

        if not self.ended:
            await self.refresh()
        return html.run(self._record, await self._calls.tasks(self.id, limit=html.MOST_TASKS), self.url)


class AsyncRuns:
    """`client.runs`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def get(self, run_id: str) -> AsyncRun:
        """The run with this id; NotFound."""
        await self._calls.connection.address()
        return AsyncRun(self._calls, await self._calls.runs.get(run_id))

    async def list(
        self,
        *,
        limit: int = 20,
        experiment: str | AsyncExperiment = "",
        state: str = "",
        archived: bool | None = None,
    ) -> list[AsyncRun]:
        """The newest first; LIMIT 0 = all. EXPERIMENT by its name; ARCHIVED: those alone that are, or are not."""
        found = await self._calls.runs.list(
            limit=limit,
            experiment_id=await experiment_id_of(self._calls.connection, experiment, create=False),
            state=state,
            archived=archived,
        )
        return [AsyncRun(self._calls, one) for one in found]
