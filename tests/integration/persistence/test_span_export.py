"""Spans go out as tasks finish, and the cursor of a run moves when they are received. Aspects: after a restart only what was not
received goes out; a receiver that is away, or hangs, holds up no append and loses no span; two exporters do not send the same
run; a long run goes out in rounds; parts of a wide loop are traces of their own; what is deleted leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from builders.runevents import created, event, finished, new_run_id, started, task_life
from fixtures.fix_persistence import Persistence, Scheduler
from fixtures.polling import until
from headrace_persistence.server import serve
from headrace_persistence.stores.querying import Runs
from headrace_persistence.tracing import exporting, records
from headrace_persistence.tracing.exporting import Projector
from headrace_protos import lifecycle
from headrace_protos.v1 import catalog_pb2_grpc, run_query_pb2_grpc, run_store_pb2_grpc
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_servicekit.postgres import Database
from headrace_servicekit.server import channel
from headrace_servicekit.settings import Settings
from headrace_servicekit.telemetry import Span

FINISHED = ev.RunFinished(state=ev.RUN_SUCCEEDED)


class Sink:
    """Receives what is delivered; `away` says that it does not, `hangs` that it never answers."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.batches: list[int] = []
        self.tries = 0
        self.away = self.broken = False
        self.away_from = 0  # this try on; 0 = never
        self.hangs: asyncio.Event | None = None

    def offer(self, *spans: Span) -> None:
        """Live ones, which are not looked at here."""

    async def deliver(self, spans: Sequence[Span]) -> None:
        self.tries += 1
        if self.hangs is not None:
            await self.hangs.wait()
        if self.broken:
            raise RuntimeError("a fault of a test")
        if self.away or 0 < self.away_from <= self.tries:
            raise ConnectionError("away")
        self.spans.extend(spans)
        self.batches.append(len(spans))

    def phases(self) -> list[tuple[str, str]]:
        return sorted(
            (str(one.attributes.get("headrace.path", "")), str(one.attributes["headrace.phase"])) for one in self.spans
        )

    def ids(self) -> list[str]:
        return sorted(span.span_id for span in self.spans)


@asynccontextmanager
async def exporting_to(sink: Sink, database_url: str) -> AsyncIterator[Persistence]:
    """Another replica, which exports."""
    with tempfile.TemporaryDirectory(prefix="hr-") as home:
        settings = Settings(home=Path(home), database_url=database_url)
        async with await serve(settings, sink) as handle, channel(handle.address) as to:
            stubs = (run_store_pb2_grpc.RunStoreStub, run_query_pb2_grpc.RunQueryStub, catalog_pb2_grpc.CatalogStub)
            yield Persistence(handle.address, database_url, *(stub(to) for stub in stubs))


async def exported(database_url: str) -> Sink:
    """What a persistence that starts and stops now sends out."""
    sink = Sink()
    async with exporting_to(sink, database_url):
        pass
    return sink


async def read_back(persistence: Persistence, run_id: str) -> list[str]:
    answer = await persistence.query.GetTrace(rq.GetTraceRequest(run_id=run_id))
    return sorted(span.span_id for span in answer.spans if span.end_us)


async def test_what_was_not_exported_is_exported_at_the_next_start(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    run_id = await scheduler.create()
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), created("a"), *task_life("a")])
    first = await exported(persistence.database_url)
    assert first.phases() == [("a", "attempt"), ("a", "task"), ("a", "waiting"), ("a", "waiting")]
    assert (await exported(persistence.database_url)).spans == []
    await scheduler.apply(run_id, 8, [event(run_finished=FINISHED)])
    last = await exported(persistence.database_url)
    assert last.phases() == [("", "run")]
    assert sorted([*first.ids(), *last.ids()]) == await read_back(persistence, run_id)


async def test_what_nobody_received_goes_out_after_a_restart(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), created("a"), *task_life("a")])
    sink = Sink()
    sink.away = True
    async with exporting_to(sink, persistence.database_url):
        await until(lambda: sink.tries)
    assert sink.spans == []
    assert (await exported(persistence.database_url)).ids() == await read_back(persistence, run_id)


async def release(database_url: str) -> None:
    """As if the time for which a replica that is gone held its runs were over."""
    async with Database(database_url, name="test") as database:
        await database.transaction(lambda tx: tx.execute("UPDATE platform.span_exports SET held_until_us = 0"))


async def test_a_receiver_that_hangs_holds_up_no_append_and_loses_no_span(persistence: Persistence) -> None:
    sink = Sink()
    sink.hangs = asyncio.Event()
    async with exporting_to(sink, persistence.database_url) as replica:
        scheduler = await replica.scheduler()
        runs = [await scheduler.create() for _ in range(3)]
        for run_id in runs:
            await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), created("a"), *task_life("a")])
        await until(lambda: sink.tries)
        for run_id in runs:  # it hangs, and runs go on and are read as ever
            await scheduler.apply(run_id, 8, [created("b"), *task_life("b"), event(run_finished=FINISHED)])
            assert len(await read_back(replica, run_id)) == 9
        assert sink.spans == []
        sink.hangs.set()
        expected = sorted([one for run_id in runs for one in await read_back(replica, run_id)])
        await until(lambda: len(sink.spans) >= len(expected))
    assert sink.ids() == expected


async def test_a_receiver_that_comes_back_gets_each_span_once(persistence: Persistence, monkeypatch) -> None:
    monkeypatch.setattr(exporting, "EVERY", 0.01)
    sink = Sink()
    sink.away = True
    async with exporting_to(sink, persistence.database_url) as replica:
        scheduler = await replica.scheduler()
        run_id = await scheduler.create()
        await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), created("a"), *task_life("a")])
        await until(lambda: sink.tries >= 3)
        sink.away = False
        expected = await read_back(replica, run_id)
        await until(lambda: len(sink.spans) >= len(expected))
        await scheduler.apply(run_id, 8, [event(run_finished=FINISHED)])
        await until(lambda: len(sink.spans) > len(expected))
    assert sink.ids() == await read_back(persistence, run_id)


async def test_a_fault_is_told_and_does_not_end_the_export(
    persistence: Persistence, monkeypatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exporting, "EVERY", 0.01)
    sink = Sink()
    sink.broken = True
    async with exporting_to(sink, persistence.database_url) as replica:
        scheduler = await replica.scheduler()
        run_id = await scheduler.create()
        await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), event(run_finished=FINISHED)])
        await until(lambda: sink.tries >= 2)
        sink.broken = False
        await until(lambda: sink.spans)
    assert sink.ids() == await read_back(persistence, run_id)
    assert "a fault of a test" in caplog.text


async def test_a_fault_in_one_run_holds_up_no_other(
    persistence: Persistence, scheduler: Scheduler, monkeypatch, caplog: pytest.LogCaptureFixture
) -> None:
    runs = [await scheduler.create() for _ in range(3)]
    for run_id in runs:
        await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), event(run_finished=FINISHED)])

    class Faulty(exporting.Tracer):
        def feed(self, told: ev.Event) -> list[records.Span]:
            if self.run_id == runs[1]:
                raise LookupError("a fault of a test")
            return super().feed(told)

    monkeypatch.setattr(exporting, "Tracer", Faulty)
    sink = await exported(persistence.database_url)
    assert {span.trace_id for span in sink.spans} == {run_id.replace("-", "") for run_id in (runs[0], runs[2])}
    assert f"spans of run {runs[1]} cannot be made" in caplog.text
    monkeypatch.undo()
    sink = await exported(persistence.database_url)
    assert {span.trace_id for span in sink.spans} == {runs[1].replace("-", "")}


async def test_two_exporters_do_not_send_the_same_run(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), created("a"), *task_life("a")])
    one, other = Sink(), Sink()
    one.hangs = asyncio.Event()
    async with Database(persistence.database_url, name="test") as database:
        first, second = Projector(database, Runs(database), one), Projector(database, Runs(database), other)
        for projector in (first, second):
            await projector.sweep()
            assert projector.behind == 1
        sending = asyncio.create_task(first.run_once())
        await until(lambda: one.tries)
        await second.run_once()
        assert (other.tries, second.behind) == (0, 1), "it is held, and looked at again later"
        one.hangs.set()
        await sending
        await release(persistence.database_url)  # the first one is gone
        await second.sweep()
        await second.run_once()
    assert one.ids() == await read_back(persistence, run_id)
    assert other.spans == []


async def test_a_long_run_goes_out_in_rounds(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = new_run_id()
    await scheduler.create(run_id)
    loop = [event(run_started=ev.RunStarted()), created("l", ev.LOOP), started("l", iteration_count=1_500)]
    await scheduler.apply(run_id, 1, loop)
    revision = 4
    for first in range(0, 1_500, 250):
        events = [
            one for i in range(first, first + 250) for one in (created(f"l[{i}]", iteration=i), *task_life(f"l[{i}]"))
        ]
        await scheduler.apply(run_id, revision, events)
        revision += len(events)
    sink = await exported(persistence.database_url)
    assert len(sink.spans) == len(set(sink.ids())) == 4 * 1_500 + 1  # the loop's own wait
    assert max(sink.batches) <= exporting.BATCH
    assert (await exported(persistence.database_url)).spans == []


async def test_what_was_received_of_a_round_that_broke_does_not_go_out_again(
    persistence: Persistence, scheduler: Scheduler, monkeypatch
) -> None:
    monkeypatch.setattr(exporting, "BATCH", 4)
    run_id = await scheduler.create()
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), created("a"), *task_life("a")])
    await scheduler.apply(run_id, 8, [created("b"), *task_life("b"), event(run_finished=FINISHED)])
    sink = Sink()
    sink.away_from = 2
    async with Database(persistence.database_url, name="test") as database:
        projector = Projector(database, Runs(database), sink)
        await projector.sweep()
        with pytest.raises(ConnectionError):
            await projector.run_once()
        assert len(sink.batches) == 1
        sink.away_from = 0
        await projector.run_once()
        assert projector.behind == 0
    assert sink.ids() == await read_back(persistence, run_id)


async def test_what_nobody_received_for_a_day_is_given_up_and_told(
    persistence: Persistence, scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = await scheduler.create(), await scheduler.create()
    for run_id in (old, new):
        await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), event(run_finished=FINISHED)])
    async with Database(persistence.database_url, name="test") as database:
        (at,) = (await database.read("SELECT platform.now_us() - %s - 60000000", (exporting.DAY_US,)))[0]
        ages = "UPDATE platform.runs SET created_at_us = %s, finished_at_us = %s WHERE run_id = %s"
        await database.transaction(lambda tx: tx.execute(ages, (at, at, old)))
        sink = Sink()
        projector = Projector(database, Runs(database), sink)
        for _ in range(2):
            await projector.sweep()
        await projector.run_once()
    assert caplog.text.count("spans of 1 runs that ended more than a day ago are not sent any more") == 1
    assert {span.trace_id for span in sink.spans} == {new.replace("-", "")}


async def test_what_is_deleted_leaves_no_cursor(persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), event(run_finished=FINISHED)])
    await exported(persistence.database_url)
    async with Database(persistence.database_url, name="test") as database:
        kept = "SELECT count(*) FROM platform.span_exports"
        assert await database.read(kept) == [(1,)]
        await persistence.store.Deliver(rs.DeliverRequest(key="d", run_id=run_id, delete=rs.Delete()))
        (item,) = [one for one in await scheduler.fetch() if one.request.HasField("delete")]
        await scheduler.append(rs.RunAppend(run_id=run_id, expected_revision=3, delete=True, consumed=[item.inbox_id]))
        assert await database.read(kept) == [(0,)]


async def test_what_is_deleted_is_not_waited_for(persistence: Persistence, scheduler: Scheduler) -> None:
    sink = Sink()
    run_id = await scheduler.create()
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), event(run_finished=FINISHED)])
    async with Database(persistence.database_url, name="test") as database:
        projector = Projector(database, Runs(database), sink)
        await projector.sweep()
        await persistence.store.Deliver(rs.DeliverRequest(key="d", run_id=run_id, delete=rs.Delete()))
        await projector.run_once()
        assert (projector.behind, sink.spans) == (0, [])
        ((number,),) = await database.read("SELECT id FROM platform.runs")
        (item,) = [one for one in await scheduler.fetch() if one.request.HasField("delete")]
        await scheduler.append(rs.RunAppend(run_id=run_id, expected_revision=3, delete=True, consumed=[item.inbox_id]))
        projector.runs_changed([number])
        await projector.run_once()
        assert (projector.behind, sink.spans) == (0, [])


async def test_a_wide_loop_goes_out_in_parts_also_through_restarts(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    run_id = await scheduler.create()
    loop = [event(run_started=ev.RunStarted()), created("l", ev.LOOP), started("l", iteration_count=1_200)]
    await scheduler.apply(run_id, 1, loop)
    revision, spans = 4, []
    for first in range(0, 1_200, 300):
        events = [
            one for i in range(first, first + 300) for one in (created(f"l[{i}]", iteration=i), *task_life(f"l[{i}]"))
        ]
        await scheduler.apply(run_id, revision, events)
        revision += len(events)
        spans += (await exported(persistence.database_url)).spans
    await scheduler.apply(run_id, revision, [finished("l"), event(run_finished=FINISHED)])
    spans += (await exported(persistence.database_url)).spans
    traces = Counter(span.trace_id for span in spans)
    parts = [lifecycle.trace_id(run_id, ("l", number)) for number in range(2)]
    assert {trace: traces[trace] for trace in parts} == {parts[0]: 4 * 1_000 + 1, parts[1]: 4 * 200 + 1}
    assert len({span.span_id for span in spans}) == len(spans)
    (summary,) = [span for span in spans if span.name == "l" and span.attributes["headrace.phase"] == "task"]
    assert {trace for trace, _ in summary.links} == set(parts)
    assert summary.attributes["headrace.loop.ended"] == "1200"


async def test_a_link_into_another_runs_wide_loop_names_its_trace(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    origin, run_id = await scheduler.create(), await scheduler.create()
    loop = [event(run_started=ev.RunStarted()), created("l", ev.LOOP), started("l", iteration_count=1_200)]
    await scheduler.apply(origin, 1, loop)
    taken = [finished("a", cached_from=f"{origin}/l[1100]"), finished("b", cached_from=f"{origin}/gone[7]")]
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), created("a"), created("b"), *taken])
    sink = await exported(persistence.database_url)
    there = lifecycle.trace_id(origin, ("l", 1))
    links = [link for span in sink.spans for link in span.links]
    assert sorted(trace for trace, _ in links) == sorted([there, lifecycle.trace_id(origin)])
    answer = await persistence.query.GetTrace(rq.GetTraceRequest(run_id=run_id))
    assert sorted((one.trace_id, one.span_id) for span in answer.spans for one in span.links) == sorted(links)
