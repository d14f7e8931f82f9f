"""Spans go out once as tasks finish, and after a restart those that had not gone out before."""

from __future__ import annotations

import tempfile
from pathlib import Path

from builders.runevents import created, event, task_life
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_persistence.server import serve
from headrace_protos.v1 import events_pb2 as ev
from headrace_servicekit.settings import Settings
from headrace_servicekit.telemetry import Span


class Sink:
    def __init__(self) -> None:
        self.spans: list[Span] = []

    def offer(self, *spans: Span) -> None:
        self.spans.extend(spans)

    def phases(self) -> list[tuple[str, str]]:
        return sorted(
            (str(span.attributes.get("headrace.path", "")), str(span.attributes["headrace.phase"]))
            for span in self.spans
        )


async def exported(database_url: str) -> Sink:
    """What a persistence that starts and stops now sends out."""
    sink = Sink()
    with tempfile.TemporaryDirectory(prefix="hr-") as home:
        handle = await serve(Settings(home=Path(home), database_url=database_url), sink)
        await handle.aclose()
    return sink


async def test_what_was_not_exported_is_exported_at_the_next_start(
    persistence: Persistence, scheduler: Scheduler
) -> None:
    run_id = await scheduler.create()
    await scheduler.apply(run_id, 1, [event(run_started=ev.RunStarted()), created("a"), *task_life("a")])
    first = await exported(persistence.database_url)
    assert first.phases() == [("a", "attempt"), ("a", "task"), ("a", "waiting"), ("a", "waiting")]
    assert (await exported(persistence.database_url)).spans == []
    await scheduler.apply(run_id, 8, [event(run_finished=ev.RunFinished(state=ev.RUN_SUCCEEDED))])
    assert (await exported(persistence.database_url)).phases() == [("", "run")]
