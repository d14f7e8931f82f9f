"""One scheduler replica: its session, the loading of runs, and the loops that feed the driver. Made by server.py.

Order at a start: session, shards, the runs' rows, then the executor with every attempt that the rows know (survivors of a
former life are followed, recovered or ended), then commands. Nothing is launched before that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from headrace_protos.lifecycle import shard_of
from headrace_protos.v1 import plan_pb2
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.claiming import RENEW_EVERY_S, Session
from headrace_scheduler.dispatching import Dispatcher
from headrace_scheduler.drives import Drive
from headrace_scheduler.driving import Driver, now_us
from headrace_scheduler.engine import PlanIndex, RunState, pending
from headrace_scheduler.engine.facts import AttemptEnded, AttemptHeld, AttemptLaunched, Fact
from headrace_scheduler.executors.port import AttemptId, Executor, Finished, Held, Launched, Ran
from headrace_scheduler.looking_back import Origins
from headrace_scheduler.noting import Notes
from headrace_scheduler.receiving import Receiver, fact_of
from headrace_servicekit.errors import Reason, ServiceError

logger = logging.getLogger(__name__)
AGAIN_S = 1.0
LOAD_AT_ONCE = 50  # runs; the first ones start while the others are still being loaded


class Replica:
    """`async with` runs it; `failed` is done when one of its loops has died, which is a fault of ours."""

    def __init__(
        self,
        store: Any,
        session: Session,
        receiver: Receiver,
        executor: Executor,
        driver: Driver,
        dispatcher: Dispatcher,
        index: Callable[[plan_pb2.Plan, str], PlanIndex],
        origins: Origins,
    ) -> None:
        self._store = store
        self._index = index
        self._origins = origins
        self._session = session
        self._receiver = receiver
        self._executor = executor
        self._driver = driver
        self._dispatcher = dispatcher
        self._notes = Notes(store)
        self._started = False
        self._loaded: frozenset[int] = frozenset()  # shards whose runs are driven here
        self._loading = (
            asyncio.Lock()
        )  # while runs are loaded, facts wait: nobody would take those of a run that is not held yet
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Replica:
        self._driver.attach(self._dispatcher, self.load_runs)
        self._driver.loaded = lambda run_id: shard_of(run_id, self._session.shards) in self._loaded
        await self._open()
        await self._dispatcher.__aenter__()
        loops = (
            *(self._renewing, self._receiving, self._receiver.watch),
            *(self._listening, self._driver.run, self._notes.write),
        )
        self._tasks = [asyncio.create_task(loop(), name=f"scheduler {loop.__name__.strip('_')}") for loop in loops]
        for task in self._tasks:
            task.add_done_callback(_log_death)
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._dispatcher.__aexit__(*exc)
        await self._executor.close()
        try:
            await self._session.close()
        except ServiceError as gone:
            logger.warning("the session was not handed over, its shards are free in 10 s: %s", gone)

    async def failed(self) -> None:
        """Waits; raises what a loop died of."""
        done, _ = await asyncio.wait([*self._tasks, *self._dispatcher.tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    # ---- session and shards

    async def _open(self) -> None:
        while True:
            try:
                await self._session.open()
                await self._session.renew()
                if not self._session.held:
                    logger.info(
                        "no shard is free yet: another scheduler has them, or one died and its session ends within 10 s"
                    )
                await self._keep_to_session()
            except ServiceError as away:
                if away.reason not in (Reason.UNAVAILABLE, Reason.DEADLINE, Reason.SESSION_LOST):
                    raise
                logger.warning("cannot start yet, trying again: %s", away)
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def _renewing(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            try:
                await self._session.renew()
                await self._keep_to_session()
            except ServiceError as refused:
                if refused.reason != Reason.SESSION_LOST:
                    logger.warning("cannot renew the session: %s", refused)
                    continue
                logger.warning("the session has expired; every run is dropped and loaded again")
                self._driver.left_all = True
                await self._open()
                self._receiver.reset()

    async def _keep_to_session(self) -> None:
        """Leave the runs of shards that are not held any more, and load those of shards that are held and were not loaded."""
        held = self._session.held
        if self._driver.left_all:
            self._driver.leave(self._loaded)
            self._loaded, self._driver.left_all = frozenset(), False
        self._driver.leave(self._loaded - held)
        self._loaded &= held
        missing = held - self._loaded
        if missing:
            await self._load_shards(missing)
            self._loaded |= missing
            self._receiver.look()
        await self._executor.shards(self._loaded)
        self._driver.end_left()

    # ---- loading

    async def _load_shards(self, shards: frozenset[int]) -> None:
        await self._load(rs.LoadRunsRequest(shards=sorted(shards)))

    async def load_runs(self, run_ids: Sequence[str], *, inside: bool = False) -> None:
        """Load exactly these, terminal ones too; INSIDE: with what a retry may need."""
        await self._load(rs.LoadRunsRequest(run_ids=run_ids, inside=inside))

    async def _load(self, request: rs.LoadRunsRequest) -> None:
        async with self._loading:
            await self._load_and_adopt(request)

    async def _load_and_adopt(self, request: rs.LoadRunsRequest) -> None:
        request.session_id, request.epoch = self._session.session_id, self._session.epoch
        loaded: list[Drive] = []
        async for snapshot in self._store.LoadRuns(request):
            index = self._index(plan_pb2.Plan.FromString(snapshot.plan), snapshot.namespace)
            loaded.append(Drive(index, RunState.load(index, snapshot, await self._origins.of(snapshot))))
        known = [
            (AttemptId(drive.run_id, path, number), handle)
            for drive in loaded
            for path, number, handle in drive.state.in_flight()
        ]
        if not self._started:
            await self._executor.start(known)
            self._started = True
        elif known:
            await self._executor.adopt(known)
        for drive in loaded:
            if not self._driver.holds(drive.run_id):
                self._driver.adopt(drive, pending(drive.plan, drive.state, now_us()))

    # ---- feeding

    async def _receiving(self) -> None:
        while True:
            await self._receiver.wait()
            if not self._session.confirmed:
                continue
            try:
                await self._receive(await self._receiver.fetch())
            except ServiceError as away:
                if away.reason not in (Reason.UNAVAILABLE, Reason.DEADLINE, Reason.SESSION_LOST):
                    logger.error("cannot read the inbox: %s", away)
                self._receiver.reset()

    async def _receive(self, items: Sequence[rs.InboxItem]) -> None:
        """Load what is not held, in few calls because many runs may come at once, and hand the items on in their order."""
        for begin in range(0, len(items), LOAD_AT_ONCE):
            page = items[begin : begin + LOAD_AT_ONCE]
            retried = {item.request.run_id for item in page if item.request.HasField("retry")}
            held = {run_id for run_id in retried if self._driver.holds(run_id)}
            named = dict.fromkeys(item.request.run_id for item in page)
            origins = [item.request.create.resume.run_id for item in page if item.request.create.HasField("resume")]
            await self._origins.read_ahead(origins)
            for inside in (False, True):
                unknown = [one for one in named if not self._driver.holds(one) and (one in retried) is inside]
                if unknown:
                    await self.load_runs(unknown, inside=inside)
            self._origins.forget()
            for item in page:
                if item.request.run_id in held:
                    self._receiver.later(item.inbox_id)  # about to be left: a retry needs what its end made us forget
                elif self._driver.holds(item.request.run_id):
                    self._driver.deliver(item, fact_of(item.request))

    async def _listening(self) -> None:
        async for batch in self._executor.facts():
            async with self._loading:
                for fact in batch:
                    if isinstance(fact, Ran):
                        self._notes.add(fact)
                    else:
                        self._driver.tell(fact.attempt.run_id, _engine_fact(fact))


def _log_death(task: asyncio.Task[None]) -> None:
    """Said at once, whoever watches: without one of its loops a replica drives nothing."""
    if not task.cancelled():
        logger.error("the loop %r has ended", task.get_name(), exc_info=task.exception())


def _engine_fact(fact: Launched | Held | Finished) -> Fact:
    path, number = fact.attempt.path, fact.attempt.number
    match fact:
        case Launched():
            more = (fact.warnings, fact.log_uri, fact.accelerator, fact.image_digest)
            return AttemptLaunched(path, number, fact.handle, fact.node, *more)
        case Held():
            return AttemptHeld(path, number, fact.detail, fact.resource)
        case Finished():
            return AttemptEnded(path, number, fact.result)
