"""The agent's part: every so often, or when somebody asks, what the policies say is done. One agent at a time, by a lease;
whoever is killed leaves rows from which the next one goes on. Started by server.py, asked by the handler.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from headrace_metrics.definitions import RETENTION_PROBLEMS, RETENTION_WENT
from headrace_persistence.queries import SQL
from headrace_persistence.retention import policies as p
from headrace_persistence.retention.dooming import Doomer, Folder
from headrace_persistence.retention.erasing import finish_erasures
from headrace_persistence.retention.leaving import FOLDER
from headrace_persistence.retention.looking import Looker
from headrace_persistence.retention.planning import Action, Plan, plan
from headrace_persistence.retention.rules import Rules
from headrace_persistence.retention.sweeping import Remains, Sweeper
from headrace_protos.v1 import cache_pb2
from headrace_protos.v1 import retention_pb2 as pb
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Transaction

logger = logging.getLogger(__name__)
T = TypeVar("T")
LEASE: Final = "retention"
LEASE_S: Final = 30.0
RENEW_S: Final = 10.0
FIRST_S: Final = 300.0  # after the start, which has enough to do
SOME: Final = 50  # runs or artifacts in one transaction
FOLDERS: Final = 200
MOST_RUNS: Final = 10_000  # that one plan looks at; the next pass goes on
GONE_WITHIN_S: Final = 30.0  # the scheduler deletes what it is asked to
LOOK_EVERY_S: Final = 0.1


class Keeper:
    """One plan, one pass, or passes for as long as a block runs."""

    def __init__(
        self,
        database: Database,
        rules: Rules,
        looker: Looker,
        doomer: Doomer,
        sweeper: Sweeper,
        wake: Callable[[], None],
        pace: Callable[[int], Awaitable[None]],
    ) -> None:
        self._database, self._rules, self._looker = database, rules, looker
        self._doomer, self._sweeper, self._wake, self._pace = doomer, sweeper, wake, pace
        self._holder = str(uuid.uuid4())
        self._one_at_a_time = asyncio.Lock()

    async def plan(self, namespace: str = "") -> pb.RetentionPlan:
        """What a pass would do now."""
        said = await self._rules.said()
        seen = await self._looker.look(said, namespace)
        made = plan(seen.world, said)
        return _message(made.actions, made, (), more=seen.more)

    async def run_once(self, namespace: str = "") -> pb.RetentionPlan:
        """One pass; what it did. WRONG_STATE where another agent is at it."""
        async with self._one_at_a_time:
            if not await self._lease():
                sentence = "another agent does what the policies say just now: ask again in a while"
                raise ServiceError(Reason.WRONG_STATE, sentence)
            renewing = asyncio.create_task(self._renewing(), name="retention's lease")
            try:
                problems: list[str] = []
                said = await self._rules.said()
                seen = await self._looker.look(said, namespace)
                made = plan(seen.world, said)
                done = await self._carry(made, problems)
                return _message(done, made, problems, more=seen.more and not problems)
            finally:
                renewing.cancel()
                await self._give_back()

    async def run_all(self) -> None:
        """Passes, while there is more and each does something: what stays is in every plan, however often asked."""
        while (done := await self.run_once()).more and done.actions:
            pass
        for problem in done.problems:
            logger.warning("retention: %s", problem)

    @asynccontextmanager
    async def running(self, every_s: float) -> AsyncIterator[Keeper]:
        """A pass every so often while the block runs."""
        task = asyncio.create_task(self._loop(every_s), name="retention")
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _loop(self, every_s: float) -> None:
        await asyncio.sleep(min(every_s, FIRST_S))
        while True:
            try:
                await self.run_all()
            except ServiceError as failed:
                if failed.reason != Reason.WRONG_STATE:
                    logger.warning("retention waits: %s", failed)
            except Exception:  # a fault of ours must not end what keeps storage from growing
                logger.exception("retention waits for its next pass")
            await asyncio.sleep(every_s)

    async def _carry(self, made: Plan, problems: list[str]) -> list[Action]:
        """In order; each step is safe to do twice, and what it could not do the next pass sees again."""
        done = await self._entries([one for one in made.actions if one.kind == p.CACHE])
        runs = [one for one in made.actions if one.kind in (p.RUNS, p.ARCHIVED)]
        done += await self._some(runs, self._doomer.runs)
        await self._until_gone([one.name for one in done if one.kind in (p.RUNS, p.ARCHIVED)], problems)
        for kind in (p.LOGS, p.TRACES):
            of_kind = [one for one in made.actions if one.kind == kind]
            done += await self._some(of_kind, lambda some, kind=kind: self._doomer.parts_of_runs(kind, some))  # type: ignore[misc]  # a default binds it
        done += await self._some([one for one in made.actions if one.kind == p.ARTIFACTS], self._doomer.artifacts)
        done += await self._some([one for one in made.actions if one.kind == p.PACKAGES], self._doomer.packages)
        await self._folders()
        await self._renew()
        swept, unswept = await self._sweeper.sweep()
        problems += unswept
        RETENTION_PROBLEMS.inc(len(problems))
        await finish_erasures(self._database)
        self._tell(done, swept)
        return done

    async def _entries(self, actions: Sequence[Action]) -> list[Action]:
        async def drop(some: Sequence[Action]) -> list[Action]:
            await self._looker.neighbours.cache.Invalidate(cache_pb2.InvalidateRequest(keys=[one.name for one in some]))
            return list(some)

        return await self._some(actions, drop)

    async def _some(
        self, actions: Sequence[Action], work: Callable[[Sequence[Action]], Awaitable[list[Action]]]
    ) -> list[Action]:
        done: list[Action] = []
        for start in range(0, len(actions), SOME):
            some = actions[start : start + SOME]
            await self._renew()
            await self._pace(len(some))
            done += await work(some)
        return done

    async def _until_gone(self, run_ids: Sequence[str], problems: list[str]) -> None:
        """The scheduler deletes runs, in its own time."""
        if not run_ids:
            return
        self._wake()
        left = list(run_ids)
        for _ in range(round(GONE_WITHIN_S / LOOK_EVERY_S)):
            left = [row[0] for row in await self._database.read(SQL["runs_there"], {"run_ids": left})]
            if not left:
                return
            await asyncio.sleep(LOOK_EVERY_S)
        problems.append(f"{len(left)} runs wait for the scheduler to delete them")

    async def _folders(self) -> None:
        after = 0
        while True:
            rows = await self._database.read(SQL["waiting_folders"], {"after": after, "most": FOLDERS})
            if not rows:
                return
            after = rows[-1][0]
            await self._renew()
            await self._doomer.folders([Folder(row[0], row[1], row[2], row[3], tuple(row[4]), row[5]) for row in rows])

    def _tell(self, done: Iterable[Action], swept: Iterable[Remains]) -> None:
        went = Counter(one.kind for one in done)
        if folders := sum(one.kind == FOLDER for one in swept):
            went["remains"] = folders  # the others were told when they were doomed
        for kind, count in went.items():
            RETENTION_WENT.labels(kind).inc(count)
        if went:
            size = sum(one.size for one in done)
            counts = ", ".join(f"{count} {kind}" for kind, count in sorted(went.items()))
            logger.info("retention: %s went%s", counts, f", {size} bytes of artifacts" if size else "")

    async def _lease(self) -> bool:
        async def work(tx: Transaction) -> bool:
            asked = {"name": LEASE, "holder": self._holder, "seconds": LEASE_S}
            return await tx.fetch_one(SQL["take_lease"], asked) is not None

        return await self._database.transaction(work)

    async def _renewing(self) -> None:
        """A step may take long; whoever finds that the lease is lost is the next step."""
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self._lease()
            except ServiceError as failed:
                logger.warning("retention's lease is not renewed: %s", failed)

    async def _renew(self) -> None:
        if not await self._lease():
            raise ServiceError(Reason.WRONG_STATE, "another agent has taken retention over: it goes on there")

    async def _give_back(self) -> None:
        async def work(tx: Transaction) -> None:
            await tx.execute(SQL["give_lease"], {"name": LEASE, "holder": self._holder})

        await self._database.transaction(work)


def _message(done: Iterable[Action], made: Plan, problems: Iterable[str], *, more: bool) -> pb.RetentionPlan:
    actions = [
        pb.RetentionAction(
            kind=one.kind,
            name=one.name,
            namespace=one.namespace,
            pipeline_name=one.pipeline,
            created_at_us=one.created_us,
            size=one.size,
            why=one.why,
        )
        for one in done
    ]
    kept = [pb.RetentionKept(kind=one.kind, name=one.name, why=one.why) for one in made.kept]
    return pb.RetentionPlan(actions=actions, kept=kept, more=more, problems=list(problems))
