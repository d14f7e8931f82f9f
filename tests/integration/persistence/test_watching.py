"""Watching a run or a namespace: every event once and in order, whatever commits late, is rolled back, or reads slowly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from builders.runevents import create, created, event, new_run_id, task_life, values
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_persistence import watching
from headrace_persistence.queries import SQL
from headrace_persistence.server import serve
from headrace_persistence.stores.feed import SPAN, Feed
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_query_pb2_grpc, run_store_pb2_grpc
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database
from headrace_servicekit.server import channel
from headrace_servicekit.settings import Settings

STARTED = [event(run_started=ev.RunStarted())]
Told = tuple[str, int, int]  # run, seq, sequence number


class Reader:
    """A watcher's answers, one by one."""

    def __init__(self, persistence: Persistence, **request: object) -> None:
        self._call = persistence.query.Watch(rq.WatchRequest(**{"follow": True, **request}))  # type: ignore[arg-type]
        self._answers: AsyncIterator[rq.WatchResponse] = self._call.__aiter__()
        self.sequence = 0
        self.seen: list[Told] = []

    async def answer(self) -> rq.WatchResponse:
        async with asyncio.timeout(20):
            one = await anext(self._answers)
        sequences = list(one.sequences) or [event.seq for event in one.events]
        self.seen += [(one.run_id, event.seq, at) for event, at in zip(one.events, sequences, strict=True)]
        assert one.sequence >= self.sequence
        self.sequence = one.sequence
        return one

    async def until(self, count: int) -> list[Told]:
        """At least so many events."""
        while len(self.seen) < count:
            await self.answer()
        return self.seen

    def close(self) -> None:
        self._call.cancel()


async def history(persistence: Persistence, **request: object) -> list[Told]:
    """All events up to now, by a reader that does not follow."""
    found: list[Told] = []
    async with asyncio.timeout(20):
        async for one in persistence.query.Watch(rq.WatchRequest(**request)):  # type: ignore[arg-type]
            found += [(one.run_id, e.seq, at) for e, at in zip(one.events, one.sequences, strict=True)]
    return found


def whole(told: list[Told], lengths: dict[str, int]) -> None:
    """Each run's events once and in order, under numbers that only grow."""
    numbers = [number for _, _, number in told]
    assert numbers == sorted(set(numbers))
    for run_id, length in lengths.items():
        assert [seq for run, seq, _ in told if run == run_id] == list(range(1, length + 1))


async def test_a_namespace_is_told_whole_and_live(persistence: Persistence, scheduler: Scheduler) -> None:
    first = await scheduler.create()
    await scheduler.apply(first, 1, [*STARTED, created("a"), *task_life("a")])
    reader = Reader(persistence)
    assert not (await reader.answer()).events  # at once, though nothing was read yet
    await reader.until(8)
    second = await scheduler.create()
    await reader.until(9)  # the run is told when it is created, not with its first append
    await scheduler.apply(second, 1, STARTED)
    whole(await reader.until(10), {first: 8, second: 2})
    assert await history(persistence) == reader.seen


async def test_going_on_from_every_number_misses_nothing(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    other = await scheduler.create()
    await scheduler.apply(run_id, 1, [*STARTED, created("a"), *task_life("a")])
    await scheduler.apply(other, 1, STARTED)
    told = await history(persistence)
    whole(told, {run_id: 8, other: 2})
    for index, (_, _, number) in enumerate(told):
        assert await history(persistence, after_seq=number) == told[index + 1 :]


async def test_what_commits_late_is_not_skipped(persistence: Persistence, scheduler: Scheduler) -> None:
    """The trap: a position taken before others becomes visible after them."""
    late, early = await scheduler.create(), await scheduler.create()
    live = Reader(persistence)
    before = await live.until(2)
    async with (
        Database(persistence.database_url, name="test") as database,
        await psycopg.AsyncConnection.connect(persistence.database_url) as slow,
    ):
        await slow.execute("UPDATE platform.runs SET revision = 2 WHERE run_id = %s", (late,))
        await insert_event(slow, late, 2)
        await scheduler.apply(early, 1, STARTED)  # takes the next position and commits at once
        await Reader(persistence, run_id=early).until(2)  # who watches that run alone has it
        fresh, on = Reader(persistence), Reader(persistence, after_seq=before[-1][2])
        await fresh.until(2)
        await on.answer()
        page = await Feed(database).page((before[-1][2] // SPAN + 1) * SPAN - 1)
        assert (page.held, page.parts, len(await visible(persistence))) == (True, [], 3)
        assert len(live.seen) == len(fresh.seen) == 2
        await slow.commit()
    for reader in (live, fresh):
        assert [told[0] for told in (await reader.until(4))[2:]] == [late, early]
    assert [told[0] for told in await on.until(2)] == [late, early]
    whole(await history(persistence), {late: 2, early: 2})


async def test_what_is_rolled_back_holds_nobody_up(persistence: Persistence, scheduler: Scheduler) -> None:
    lost, kept = await scheduler.create(), await scheduler.create()
    reader = Reader(persistence)
    await reader.until(2)
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
        await connection.execute("UPDATE platform.runs SET revision = 2 WHERE run_id = %s", (lost,))
        await scheduler.apply(kept, 1, STARTED)
        waiting = asyncio.create_task(reader.until(3))
        await connection.rollback()
    assert (await waiting)[-1][:2] == (kept, 2)
    positions = await visible(persistence)
    assert positions[-1] - positions[-2] == 2  # the hole is there


async def test_from_now_waits_for_what_is_under_way(persistence: Persistence, scheduler: Scheduler) -> None:
    """What commits after the first answer is told, also where its position is older."""
    late, early = await scheduler.create(), await scheduler.create()
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as slow:
        await slow.execute("UPDATE platform.runs SET revision = 2 WHERE run_id = %s", (late,))
        await insert_event(slow, late, 2)
        await scheduler.apply(early, 1, STARTED)
        reader = Reader(persistence, from_now=True)
        opened = asyncio.create_task(reader.answer())
        await Reader(persistence, run_id=early).until(2)
        assert not opened.done()
        await slow.commit()
    await opened
    assert reader.seen == []
    await scheduler.apply(early, 2, [created("a")])
    assert (await reader.until(1))[0][:2] == (early, 3)


async def test_many_writers_at_once_leave_no_gap(persistence: Persistence, scheduler: Scheduler) -> None:
    """Two readers, one live and one that starts anew after each answer, while eight chains of appends race."""
    runs = [await scheduler.create() for _ in range(8)]
    live, again = Reader(persistence), Reader(persistence)
    total = 8 * 31

    async def write(run_id: str) -> None:
        for revision in range(1, 31):
            await scheduler.apply(run_id, revision, [created(f"t{revision}")])

    async def restarting() -> list[Told]:
        seen: list[Told] = []
        reader = again
        while len(seen) < total:
            await reader.until(1)
            seen += reader.seen
            after = reader.sequence
            reader.close()
            reader = Reader(persistence, after_seq=after)
        return seen

    found = asyncio.gather(live.until(total), restarting())
    await asyncio.gather(*(write(run_id) for run_id in runs))
    for told in await found:
        whole(told, dict.fromkeys(runs, 31))


async def test_replicas_that_append_at_once_leave_no_gap(
    persistence: Persistence, scheduler: Scheduler, tmp_path: Path
) -> None:
    """Two replicas of persistence commit side by side; readers of each are told everything by both."""
    settings = Settings(home=tmp_path, database_url=persistence.database_url)
    async with await serve(settings) as handle, channel(handle.address) as to:
        stubs = (run_store_pb2_grpc.RunStoreStub(to), run_query_pb2_grpc.RunQueryStub(to))
        other = Persistence(handle.address, persistence.database_url, *stubs, persistence.catalog)
        beside = Scheduler(other, scheduler.session_id, scheduler.epoch)
        runs = [await one.create() for one in (scheduler, beside) * 4]
        readers = [Reader(one) for one in (persistence, other)]

        async def write(by: Scheduler, run_id: str) -> None:
            for revision in range(1, 21):
                answer = await by.apply(run_id, revision, [created(f"t{revision}")])
                assert answer.outcome == rs.COMMITTED, answer.message

        told = asyncio.gather(*(reader.until(8 * 21) for reader in readers))
        await asyncio.gather(*(write(by, run_id) for by, run_id in zip((scheduler, beside) * 4, runs, strict=True)))
        first, second = await told
    whole(first, dict.fromkeys(runs, 21))
    assert first == second


async def test_a_reader_for_whom_nothing_comes_is_told_how_far_it_is(
    persistence: Persistence, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MARKED", 0.0)
    reader = Reader(persistence, kinds=["run_retried"])
    await reader.answer()
    run_id = await scheduler.create()
    await scheduler.apply(run_id, 1, [*STARTED, created("a"), *task_life("a")])
    while reader.sequence < 2 * SPAN:
        assert not (await reader.answer()).events
    assert await history(persistence, after_seq=reader.sequence) == []


async def test_a_slow_reader_costs_one_answer_and_reads_on(persistence: Persistence, scheduler: Scheduler) -> None:
    """Ten megabytes come while it reads nothing: more than any window or stream holds."""
    run_id = await scheduler.create()
    slow = Reader(persistence)
    await slow.until(1)
    quick = Reader(persistence, after_seq=slow.sequence)
    await scheduler.apply(run_id, 1, STARTED)
    for index in range(100):
        large = ev.TaskStarted(inputs=values(x=f'"{"y" * 100_000}"'))
        task = [created(f"t{index}"), event(f"t{index}", task_started=large)]
        await scheduler.apply(run_id, 2 + 2 * index, task)
    whole([(run_id, 1, 0), *await quick.until(201)], {run_id: 202})
    whole(await slow.until(202), {run_id: 202})


async def test_kinds_and_namespaces_are_filtered(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    await scheduler.apply(run_id, 1, [*STARTED, created("a"), *task_life("a")])
    kinds = ["task_created", "task_finished"]
    told = await history(persistence, kinds=kinds, namespace="default")
    assert [seq for _, seq, _ in told] == [3, 8]
    assert await history(persistence, kinds=kinds, namespace="other") == []
    of_run = [one async for one in persistence.query.Watch(rq.WatchRequest(run_id=run_id, kinds=kinds))]
    assert [(len(one.events), one.sequence, one.run_id) for one in of_run] == [(2, 8, run_id)]
    from_now = [one async for one in persistence.query.Watch(rq.WatchRequest(run_id=run_id, from_now=True))]
    assert [(len(one.events), one.sequence) for one in from_now] == [(0, 8)]


async def test_wrong_requests_are_refused(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    for request, words in (
        (rq.WatchRequest(kinds=["task_ended"]), "'task_ended' is no kind of event; there are run_created, "),
        (rq.WatchRequest(after_seq=-1), "it cannot be negative"),
        (rq.WatchRequest(after_seq=10**15), "this platform has not come to"),
        (rq.WatchRequest(run_id=run_id, after_seq=2), f"run {run_id} has not come to"),
    ):
        with pytest.raises(ServiceError, match=words) as refused:
            await anext(persistence.query.Watch(request).__aiter__())
        assert refused.value.reason == Reason.INVALID_INPUT


async def test_a_run_of_more_events_than_a_position_holds(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    for part in range(3):
        paths = [created(f"t{part}-{index}") for index in range(1500)]
        answer = await scheduler.apply(run_id, 1 + 1500 * part, paths)
        assert answer.revision == 1 + 1500 * (part + 1)
    whole(await history(persistence), {run_id: 4501})
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
        await connection.execute("UPDATE platform.runs SET revision = revision + 5000 WHERE run_id = %s", (run_id,))
        query = "SELECT last_seq - first_seq + 1 FROM platform.feed ORDER BY position DESC LIMIT 3"
        lengths = [row[0] for row in await (await connection.execute(query)).fetchall()]
        await connection.rollback()
    assert lengths == [906, 2047, 2047]


async def test_deleted_runs_leave_the_feed(persistence: Persistence, scheduler: Scheduler) -> None:
    gone, kept = await scheduler.create(), await scheduler.create()
    (answer,) = await scheduler.append(rs.RunAppend(run_id=gone, expected_revision=1, delete=True))
    assert answer.outcome == rs.COMMITTED, answer.message
    assert [run for run, _, _ in await history(persistence)] == [kept]
    assert len(await visible(persistence)) == 1


async def test_the_feed_alone_over_a_hole(database_url: str, persistence: Persistence) -> None:
    """The pages of one reader while a transaction has the position between two others."""
    async with Database(database_url, name="test") as database:
        feed = Feed(database)
        runs = [new_run_id() for _ in range(3)]
        await persistence.store.Deliver(create(runs[0]))
        async with await psycopg.AsyncConnection.connect(database_url) as other:
            await other.execute("SELECT nextval('platform.feed_position_seq')")  # taken, by nobody who holds the lock
            await other.rollback()
            await persistence.store.Deliver(create(runs[1]))
            page = await feed.page(0)
            assert [part.run_id for part in page.parts] == runs[:1]
            page = await feed.page(page.sequence)
            assert [part.run_id for part in page.parts] == [runs[1]]
            await other.execute("LOCK TABLE platform.feed IN ROW EXCLUSIVE MODE")
            await other.execute("SELECT nextval('platform.feed_position_seq')")
            await persistence.store.Deliver(create(runs[2]))
            held = await feed.page(page.sequence)
            assert (held.parts, held.held, held.sequence) == ([], True, page.sequence)
            await other.commit()
        last = await feed.page(page.sequence)
        assert ([part.run_id for part in last.parts], last.sequence) == ([runs[2]], 5 * SPAN + SPAN - 1)


async def visible(persistence: Persistence) -> list[int]:
    """The positions that are there."""
    async with await psycopg.AsyncConnection.connect(persistence.database_url) as connection:
        rows = await connection.execute(SQL["feed_rows"], {"position": 0, "limit": 1000})
        return [row[0] for row in await rows.fetchall()]


async def insert_event(connection: psycopg.AsyncConnection[object], run_id: str, seq: int) -> None:
    """What an append writes, piece by piece."""
    payload = ev.Event(seq=seq, time_us=1, run_started=ev.RunStarted()).SerializeToString()
    await connection.execute(
        "INSERT INTO platform.events (day, run, seq, time_us, kind, attempt, path, payload)"
        " SELECT day, id, %s, 1, 11, 0, '', %s FROM platform.runs WHERE run_id = %s",
        (seq, payload, run_id),
    )
