"""The driver: holds the runs of this replica's shards, and turns facts into events and commands, tick by tick.

A tick takes every run that has facts, unless they wait for others (gathering.py), and steps each (pure). All their events are
appended in one transaction, and then the commands are carried out; meanwhile runs step on from what is not durable yet, and
are appended next. Nothing else appends. A run that the append refuses is dropped and loaded again; the others commit. The
loops that feed it (inbox, executor, session) only leave facts and set a signal. Started by server.py.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from headrace_protos.lifecycle import shard_of
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.admitting import Admission
from headrace_scheduler.awaiting import Ends
from headrace_scheduler.claiming import Session
from headrace_scheduler.dispatching import Dispatcher
from headrace_scheduler.drives import Advance, Drive, advance
from headrace_scheduler.engine import in_flight, launch_of, pending
from headrace_scheduler.engine.commands import Admit, AskCache, CancelAttempt, Command, StartAttempt, WakeAt
from headrace_scheduler.engine.facts import Admitted, Fact, Queued, Unplaceable
from headrace_scheduler.executors.port import AttemptId, Executor, Launch
from headrace_scheduler.failing import failed_run
from headrace_scheduler.gathering import Gathering
from headrace_scheduler.queueing import Steps
from headrace_scheduler.receiving import Receiver
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.storing import Contents, Unstorable
from headrace_servicekit.errors import Reason, ServiceError

logger = logging.getLogger(__name__)
AGAIN_S = 0.5
TURNS_TO_SEND = 10  # of the event loop: a call passes through interceptors, each a task of its own, before it is sent
FREEING = frozenset({"attempt_finished", "task_finished"})


def now_us() -> int:
    """The wall clock in microseconds; the engine gets it as a fact."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class Parts:
    """What a driver works with; made by server.py."""

    store: Any
    session: Session
    receiver: Receiver
    executor: Executor
    admission: Admission
    settings: SchedulerSettings
    contents: Contents


class Driver:
    """One replica's runs. `tick()` is one step of the world; `run()` ticks for ever."""

    def __init__(self, parts: Parts, clock: Callable[[], int] = now_us) -> None:
        self._load: Callable[[Sequence[str]], Awaitable[None]] = _not_attached
        self._store = parts.store
        self._reloading: set[str] = set()  # runs that an append refused, until they are loaded again
        self.loaded: Callable[[str], bool] = lambda run_id: False  # whether the runs of its shard are
        self._session = parts.session
        self._receiver = parts.receiver
        self._executor = parts.executor
        self._admission = parts.admission
        self._settings = parts.settings
        self._contents = parts.contents
        self._clock = clock
        self._drives: dict[str, Drive] = {}
        self._dirty: dict[str, None] = {}  # runs to step
        self._unasked: dict[str, None] = {}  # runs with commands that were left out while the session was in doubt
        self._timers: list[tuple[int, str]] = []
        self._signal = asyncio.Event()
        self._dispatcher: Dispatcher | None = None
        self._roots: dict[AttemptId, str] = {}  # where attempts in flight publish
        self.ends = Ends()
        self._left: dict[AttemptId, None] = {}  # in flight when their runs were left
        self.left_all = False  # every run was left since the replica last looked: they are to be loaded again
        self._stored: list[tuple[Drive, Advance]] = []  # steps whose contents are stored: to be appended
        self._storing: set[asyncio.Task[None]] = set()
        self._queue = Steps()  # to be appended
        self._appending: asyncio.Task[None] | None = None
        self._gathering = Gathering(self._touch_all)
        self._departing = 0  # turns of the loop that a new append needs until it is sent

    def attach(self, dispatcher: Dispatcher, load: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        """Who carries out the commands, and who loads runs again that an append refused."""
        self._dispatcher = dispatcher
        self._load = load

    def writes(self, uri: str) -> bool:
        """Whether an attempt in flight may still add to the object (a log)."""
        return any(uri.startswith(f"{root}/") for root in self._roots.values())

    # ---- what the feeding loops call

    def tell(self, run_id: str, fact: Fact) -> None:
        """Leave a fact for the run's next tick; facts for runs that are not held here have no effect."""
        drive = self._drives.get(run_id)
        if drive is not None:
            drive.facts.append(fact)
            self._gathering.came(run_id, fact, len(self._roots))

    def knows(self, run_id: str) -> bool:
        """Whether what the run has in flight is known here: its shard's runs are loaded, and it is not being loaded again."""
        return run_id in self._drives or (self.loaded(run_id) and run_id not in self._reloading)

    def attempt(self, attempt: AttemptId) -> tuple[Launch, str] | None:
        """The Launch of an attempt in flight, made again, and the executor's handle of it ("" before it is durable)."""
        drive = self._drives.get(attempt.run_id)
        return None if drive is None else launch_of(drive.state, attempt.path, attempt.number)

    def holds(self, run_id: str) -> bool:
        """Whether the run is loaded here."""
        return run_id in self._drives

    def _is_held(self, drive: Drive) -> bool:
        """Whether it is still driven here: it may have been left, or loaded again, while it waited for the store."""
        return self._drives.get(drive.run_id) is drive

    def deliver(self, item: rs.InboxItem, fact: Fact | None) -> None:
        """An inbox item for a loaded run; the next append of the run consumes it."""
        drive = self._drives[item.request.run_id]
        drive.deliver(item.inbox_id, fact)
        drive.note(item.request)
        self._touch(item.request.run_id)

    def adopt(self, drive: Drive, commands: Iterable[Command]) -> None:
        """A run that was loaded: from now on it is driven here."""
        self._drives[drive.run_id] = drive
        for launch in in_flight(drive.state):
            self._hold(launch)
        self._carry_out(drive, commands)
        self._touch(drive.run_id)

    def leave(self, shards: frozenset[int]) -> None:
        """Forget the runs of shards that are not held any more; `end_left` ends what they have in flight."""
        for drive in [d for d in self._drives.values() if shard_of(d.run_id, self._session.shards) in shards]:
            self._left.update(dict.fromkeys(self.drop(drive)))

    def end_left(self) -> None:
        """End attempts of runs that were left, but those that this replica follows again: it holds their shard anew."""
        assert self._dispatcher is not None, "attach() comes first"
        left, self._left = self._left, {}
        for attempt in left:
            drive = self._drives.get(attempt.run_id)
            here = drive.state.in_flight() if drive is not None else ()
            if (attempt.path, attempt.number) not in [(path, number) for path, number, _ in here]:
                # behind a launch of it that may still be queued
                self._dispatcher.dispatch(attempt.run_id, CancelAttempt(attempt.path, attempt.number))

    def drop(self, drive: Drive) -> list[AttemptId]:
        """Forget one run; its attempts in flight."""
        self._drives.pop(drive.run_id, None)
        self._dirty.pop(drive.run_id, None)
        in_flight = [AttemptId(drive.run_id, path, number) for path, number, _ in drive.state.in_flight()]
        self._admission.free_run(drive.run_id)
        for attempt in in_flight:
            self._roots.pop(attempt, None)
        return in_flight

    # ---- the loop

    async def run(self) -> None:
        """Tick whenever there is something to do, and append whenever there is something to append."""
        try:
            while True:
                await self._wait()
                if self._appending is not None and self._appending.done():
                    self._appending.result()
                await self._let_depart()
                if self._session.confirmed:
                    self._ask_again()
                    self.tick()
                    await asyncio.sleep(0)
                else:
                    await asyncio.sleep(AGAIN_S)
        finally:
            for task in (*self._storing, *([self._appending] if self._appending is not None else ())):
                task.cancel()

    async def _let_depart(self) -> None:
        """A step may take the loop for long; an append that has just begun must be on its way first, or nothing is overlapped."""
        while self._departing:
            self._departing -= 1
            await asyncio.sleep(0)

    async def _wait(self) -> None:
        late = (self._timers[0][0] - self._clock()) / 1e6 if self._timers else self._settings.queue_notice_s
        pause = min(late, self._settings.queue_notice_s if self._admission.waiting else late)
        if not self._signal.is_set():
            with suppress(TimeoutError):  # then a timer is due, or it is time to tell who waits
                async with asyncio.timeout(max(pause, 0.001)):
                    await self._signal.wait()
        self._signal.clear()

    def tick(self) -> None:
        """Step every run that is due. What there is to append is appended meanwhile, and carried out once it is durable."""
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            self._touch(heapq.heappop(self._timers)[1])
        self._admit_waiting(now)
        for drive, step in self._steps(now):
            if step.events or step.consumed or drive.ahead is not None:
                self._queue_up(drive, step)
            else:
                self._committed(drive, step)
        if self._queue and (self._appending is None or self._appending.done()):
            self._appending = asyncio.create_task(self._append_queue(), name="scheduler append")
            self._appending.add_done_callback(lambda _: self._signal.set())

    def _steps(self, now: int) -> Iterator[tuple[Drive, Advance]]:
        """Steps to append: those whose contents are stored by now, and a new one of each run that has facts, until what
        waits to be appended is as much as one append may carry.
        """
        stored, self._stored = self._stored, []
        for drive, step in stored:
            if self._is_held(drive):
                drive.storing = False
                self._touch(drive.run_id)
                yield drive, step
        dirty, self._dirty = self._dirty, {}
        for run_id in dirty:
            held = self._drives.get(run_id)
            if held is None:
                continue
            if held.storing or self._queue.events >= self._settings.tick_events:
                self._dirty[run_id] = None  # as soon as its last step, or any, is committed
                continue
            step = self._advance(held, now)
            if step.contents:
                self._store_first(held, step)
            else:
                yield held, step

    def _queue_up(self, drive: Drive, step: Advance) -> None:
        """The step is to be appended; the run may go on from it meanwhile. Questions to the cache change nothing that is
        not undone by itself, so they are asked before the events that they follow from are durable.
        """
        asks = [command for command in step.commands if isinstance(command, AskCache)]
        if asks:
            self._carry_out(drive, asks)
            step = replace(step, commands=tuple(one for one in step.commands if not isinstance(one, AskCache)))
        drive.ahead = step.state
        self._queue.add(drive, step)
        if step.more:
            self._touch(drive.run_id)

    async def _append_queue(self) -> None:
        """Append what waits, as many steps at a time as one append may carry, those of one run as one."""
        while self._queue:
            batch = self._queue.take(self._settings.tick_events, self._is_held)
            self._signal.set()  # there is room for steps again
            self._departing = TURNS_TO_SEND
            await self._append(batch)

    def _store_first(self, drive: Drive, step: Advance) -> None:
        """Store what a step made, off the tick's path: other runs go on meanwhile, this one does not."""
        drive.storing = True
        task = _watched(self._put_contents(drive, step), f"store values of {drive.run_id}")
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)

    async def _put_contents(self, drive: Drive, step: Advance) -> None:
        try:
            await self._contents.put(step.contents)
        except Exception as fault:  # a fault of ours must not leave the run hanging: it fails, with the reason
            if not isinstance(fault, Unstorable):
                logger.exception("the values of run %s cannot be stored", drive.run_id)
            events = failed_run(drive.newest, fault, self._clock())
            step = Advance(drive.newest, events, (), more=False, consumed=step.consumed)
        self._stored.append((drive, step))
        self._signal.set()

    def _advance(self, drive: Drive, now: int) -> Advance:
        try:
            return advance(drive, now, self._ask_admission)
        except Exception as fault:  # a fault of ours must not stop the other runs: this one fails, with the reason
            logger.exception("run %s cannot go on", drive.run_id)
            # one that has ended stays as it was: what was asked of it is given up
            newest = drive.newest
            events = () if newest.is_terminal else failed_run(newest, fault, now)
            return Advance(newest, events, (), more=False, consumed=drive.claim())

    async def _append(self, batch: Sequence[tuple[Drive, Advance]]) -> None:
        steps: dict[str, list[tuple[Drive, Advance]]] = {}
        for drive, step in batch:
            steps.setdefault(drive.run_id, []).append((drive, step))
        request = rs.AppendRequest(session_id=self._session.session_id, epoch=self._session.epoch)
        for run_id, ones in steps.items():
            if not any(step.events or step.consumed for _, step in ones):
                continue
            events = ones[0][1].events if len(ones) == 1 else [event for _, step in ones for event in step.events]
            run = request.runs.add(run_id=run_id, expected_revision=ones[0][0].state.revision, events=events)
            run.consumed.extend(inbox_id for _, step in ones for inbox_id in step.consumed)
        answer = await self._gathering.timed(self._until_stored(request)) if request.runs else rs.AppendResponse()
        if answer is None:
            return
        results = {result.run_id: result for result in answer.runs}
        for run_id, ones in steps.items():
            if run_id in results and results[run_id].outcome != rs.COMMITTED:
                await self._refused(ones, results[run_id])
                continue
            for drive, step in ones:
                if self._is_held(drive):  # else it was left meanwhile, and is another replica's
                    self._committed(drive, step)

    async def _until_stored(self, request: rs.AppendRequest) -> rs.AppendResponse | None:
        """Append until the store answers; None: this session is over, and its runs with it."""
        last = ""
        while self._session.confirmed:
            try:
                answer: rs.AppendResponse = await self._store.Append(request)
                return answer
            except ServiceError as refused:
                if refused.reason == Reason.SESSION_LOST:
                    break
                if str(refused) != last:
                    logger.warning("cannot append, trying again: %s", refused)
                    last = str(refused)
                await asyncio.sleep(AGAIN_S)
        self.leave(frozenset(range(self._session.shards)))
        self.left_all = True
        return None

    def _committed(self, drive: Drive, step: Advance) -> None:
        drive.commit(step)
        self._carry_out(drive, step.commands)
        for event in step.events:
            if event.WhichOneof("kind") in FREEING:
                self._admission.free((drive.run_id, event.path))
                attempt = AttemptId(drive.run_id, event.path, event.attempt)
                self._roots.pop(attempt, None)
                self.ends.tell(attempt)
        if self._admission.waiting:
            self._signal.set()
        if drive.ahead is not None:
            return
        if step.more or (drive.state.is_terminal and drive.waits):
            self._touch(drive.run_id)
        elif drive.state.is_terminal:
            self._ended(drive)

    def _ended(self, drive: Drive) -> None:
        """Nothing is left to decide: forget the run, unless it is to be deleted."""
        if drive.deleting or drive.state.state == ev.RUN_SUCCEEDED:
            ending = asyncio.create_task(
                self._executor.end_run(drive.run_id, drive.state.header.namespace), name=f"end {drive.run_id}"
            )
            ending.add_done_callback(_log_failure)
        if not drive.deleting:
            self.drop(drive)
            return
        _watched(self._delete(drive), f"delete {drive.run_id}")

    async def _delete(self, drive: Drive) -> None:
        request = rs.AppendRequest(session_id=self._session.session_id, epoch=self._session.epoch)
        request.runs.add(run_id=drive.run_id, expected_revision=drive.state.revision, delete=True)
        await self._until_stored(request)
        self.drop(drive)
        if self._dispatcher is not None and not drive.keeps_cache:
            await self._dispatcher.forget_run(drive.run_id)

    async def _refused(self, steps: Sequence[tuple[Drive, Advance]], result: rs.RunAppended) -> None:
        drive = steps[0][0]
        if not self._is_held(drive):
            return
        if result.outcome == rs.REFUSED_INVALID and not _is_failure(steps[-1][1].events):
            logger.error("run %s: its events were refused: %s", drive.run_id, result.message)
            fault = RuntimeError(f"its events were refused: {result.message}")
            events = failed_run(drive.state, fault, self._clock())
            consumed = tuple(inbox_id for _, step in steps for inbox_id in step.consumed)
            self._queue.forget(drive)
            drive.ahead = None
            drive.claimed = len(consumed)
            await self._append([(drive, Advance(drive.state, events, (), more=False, consumed=consumed))])
            return
        logger.warning("run %s: append refused (%s); loading it again", drive.run_id, result.message)
        consumed_not = [inbox_id for _, inbox_id in drive.inbox]
        in_flight = self.drop(drive)
        self._receiver.forget(consumed_not)
        self._reloading.add(drive.run_id)
        try:
            await self._load([drive.run_id])
        finally:
            self._reloading.discard(drive.run_id)
        if not self.holds(drive.run_id):  # its shard is another's by now
            self._left.update(dict.fromkeys(in_flight))

    # ---- commands

    def _carry_out(self, drive: Drive, commands: Iterable[Command]) -> None:
        assert self._dispatcher is not None, "attach() comes before the first tick"
        asked: list[Admit] = []
        for command in commands:
            if isinstance(command, WakeAt):
                heapq.heappush(self._timers, (command.at_us, drive.run_id))
            elif isinstance(command, Admit):
                asked.append(command)
            else:
                if isinstance(command, (StartAttempt, CancelAttempt)) and not self._session.confirmed:
                    self._unasked[drive.run_id] = None  # another replica may hold the shard by now
                    continue
                if isinstance(command, StartAttempt):
                    self._hold(command.launch)
                self._dispatcher.dispatch(drive.run_id, command)
        for fact in self._ask_admission(drive.run_id, asked):
            self.tell(drive.run_id, fact)

    def _ask_again(self) -> None:
        """The session was in doubt and is not any more: what was not commanded meanwhile is."""
        unasked, self._unasked = self._unasked, {}
        for drive in [self._drives[run_id] for run_id in unasked if run_id in self._drives]:
            logger.info("run %s: the session was not confirmed in time; asking again for what is pending", drive.run_id)
            self._carry_out(drive, pending(drive.plan, drive.state, self._clock()))

    def _hold(self, launch: Launch) -> None:
        """An attempt has its slots, and writes below its root."""
        self._roots[launch.attempt] = launch.task_root
        key = (launch.attempt.run_id, launch.attempt.path)
        self._admission.hold(key, self._executor.place(launch.request).granted)

    def _ask_admission(self, run_id: str, asked: Sequence[Admit]) -> list[Fact]:
        facts: list[Fact] = []
        now = self._clock()
        for command in asked:
            placement = self._executor.place(command.request)
            if placement.problem:
                facts.append(Unplaceable(command.path, placement.problem))
            elif self._admission.ask((run_id, command.path), placement.granted, now):
                facts.append(Admitted(command.path))
        return facts

    def _admit_waiting(self, now: int) -> None:
        for run_id, path in self._admission.admit(now):
            self.tell(run_id, Admitted(path))
        for (run_id, path), *why in self._admission.untold(now, int(self._settings.queue_notice_s * 1e6)):
            self.tell(run_id, Queued(path, *why))

    def _touch_all(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            self._touch(run_id)

    def _touch(self, run_id: str) -> None:
        self._dirty[run_id] = None
        self._signal.set()


async def _not_attached(run_ids: Sequence[str]) -> None:
    raise RuntimeError(f"attach() comes before the first tick; cannot load {run_ids}")


def _is_failure(events: Sequence[ev.Event]) -> bool:
    return bool(events) and events[-1].WhichOneof("kind") == "run_finished"


def _watched(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("%s failed", task.get_name(), exc_info=task.exception())
